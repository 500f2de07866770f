"""What loading engines takes of a job, and the advice where that is much."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from parley import job
from parley.llm.starts import MUCH, Starts
from parley.records.task import read_tasks
from scripts import episodes
from tests.builders import ROOT, jsonl
from tests.workflow import talk_only


def test_engines_that_start_side_by_side_are_waited_for_once() -> None:
    starts = Starts.of([(10, 40), (30, 60), (100, 110)], 600)
    assert (starts.count, starts.seconds, starts.share) == (3, 60, 0.1)


SPANS = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e3)).map(lambda pair: (pair[0], sum(pair))), max_size=6)


@given(SPANS, st.floats(0, 2e4))
def test_the_share_is_one_and_the_order_does_not_matter(spans: list[tuple[float, float]], job: float) -> None:
    starts = Starts.of(spans, job)
    assert 0 <= starts.share <= 1
    assert starts.seconds <= sum(end - begin for begin, end in spans) + 1e-6
    assert starts.seconds >= max((end - begin for begin, end in spans), default=0) - 1e-6
    again = Starts.of(reversed(spans), job)
    assert (again.count, again.seconds) == (starts.count, pytest.approx(starts.seconds))


@given(SPANS.filter(bool), st.floats(0, 2e4))
def test_what_the_log_says_can_be_read_again(spans: list[tuple[float, float]], job: float) -> None:
    starts = Starts.of(spans, job)
    found = Starts.read(f"12:00:00 {starts.line}")
    assert found is not None and found.count == starts.count
    assert (found.seconds, found.job) == (
        pytest.approx(starts.seconds, abs=0.051),
        pytest.approx(starts.job, abs=0.051),
    )


def test_another_line_is_no_such_line() -> None:
    assert Starts.read("serving: nobody") is None


def test_a_small_share_needs_no_advice() -> None:
    assert Starts(1, 60, 900).line == "serving: 1 start took 60.0 s of the job's 900.0 s (7 %)"


@given(st.floats(1, 1e4), st.floats(1, 1e4))
def test_with_the_advice_followed_the_share_is_what_it_should_be(seconds: float, work: float) -> None:
    starts = Starts(1, seconds, seconds + work)
    if starts.share <= MUCH:
        assert "fewer" not in starts.line
    elif found := re.search(r"about (\d+\.\d) times as much work", starts.line):
        more = float(found[1]) * work
        assert seconds / (seconds + more) == pytest.approx(MUCH, abs=0.006)


def test_a_job_that_does_nothing_but_start_has_advice_too() -> None:
    assert Starts(2, 60, 60).line.endswith("more than 10 %: fewer `shards` give each job much more work")
    assert Starts(0, 0, 0).share == 0


def test_a_job_that_serves_says_in_its_log_what_the_starts_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(talk_only()))
    tasks = read_tasks(ROOT / "resources/tasks/evaluation.jsonl")[:1]
    jsonl(tmp_path / "00.jsonl", *tasks)
    words = ["--experiment", str(tmp_path / "config.yaml"), "--players", "expert+partner"]
    words += ["--tasks", str(tmp_path / "00.jsonl"), "--ledger", str(tmp_path / "ledger/episodes/00.sqlite")]
    words += ["--usage", str(tmp_path / "usage.json"), "--out", str(tmp_path / "out.jsonl")]
    monkeypatch.setattr(sys, "argv", ["episodes.py", *words, "--log", str(tmp_path / "logs/00.log")])
    monkeypatch.setattr(job, "WORTH_TELLING", 0.0)
    episodes.main()
    (found,) = filter(None, map(Starts.read, (tmp_path / "logs/00.log").read_text().splitlines()))
    assert found.count == 1 and 0 < found.seconds <= found.job
    assert (
        found.share > MUCH and "serving: 1 start took" in capsys.readouterr().err
    )  # a job of a second is mostly start
    usage = (tmp_path / "usage.json").read_bytes()
    episodes.main()  # replays: nothing is started, and what the calls took is the same
    assert not any(map(Starts.read, (tmp_path / "logs/00.log").read_text().splitlines()))
    assert (tmp_path / "usage.json").read_bytes() == usage
