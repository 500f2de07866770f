"""The log of a job and the progress that it shows."""

import re
from pathlib import Path

import pytest

from parley import progress
from parley.errors import ParleyError
from parley.progress import Journal, Progress, span


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (8.2, "8 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (90000, "25 h 0 min"),
    ],
)
def test_a_span_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert span(seconds) == said


# -- the journal ---------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[str]:
    """The lines of a log without their times of day."""
    found = path.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in found)
    return [line[9:] for line in found]


def test_a_line_goes_to_the_log_and_aloud_to_stderr_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(tmp_path / "logs" / "job.log") as journal:
        journal.line("quiet – ö")
        journal.line("loud", aloud=True)
        assert lines(tmp_path / "logs" / "job.log") == ["quiet – ö", "loud"]  # at once, not only at the end
    assert capsys.readouterr() == ("", "loud\n")


def test_without_a_log_all_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(None) as journal:
        journal.line("quiet")
    assert capsys.readouterr() == ("", "quiet\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [(ParleyError("a.jsonl:3: mend it"), "error: a.jsonl:3: mend it"), (KeyError("a"), "KeyError: 'a'")],
)
def test_how_a_job_ended_stands_in_its_log(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises(type(error)), Journal(tmp_path / "job.log"):
        raise error
    assert lines(tmp_path / "job.log") == [said]


def test_without_a_log_how_a_job_ended_is_left_to_who_catches_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ParleyError), Journal(None):
        raise ParleyError("a.jsonl:3: mend it")
    assert capsys.readouterr() == ("", "")  # run_as_script says it, once


def test_a_log_is_begun_anew(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with Journal(tmp_path / "job.log") as journal:
            journal.line(text)
    assert lines(tmp_path / "job.log") == ["second"]


# -- progress ------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, _: str) -> str:
        return "12:00:00"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_progress_is_told_now_and_then_and_at_the_end(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path / "job.log") as journal:
        shown = Progress(journal, "episodes", 8, every=5)
        for seconds in range(8):
            clock.now = 100 + 2 * (seconds + 1)
            shown.step(note="1 failed" if seconds > 3 else "")
    assert lines(tmp_path / "job.log") == [
        "episodes: 3/8 (37 %), 0.5/s, 10 s left",
        "episodes: 6/8 (75 %), 0.5/s, 4 s left, 1 failed",
        "episodes: 8/8 (100 %), in 16 s, 1 failed",
    ]


def test_work_of_hours_is_told_of_less_and_less_often(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path / "job.log") as journal:
        shown = Progress(journal, "episodes", 40_000)
        for _ in range(36_000):  # ten hours
            clock.now += 1
            shown.step()
    assert 300 < len(lines(tmp_path / "job.log")) < 800


def test_steps_may_be_larger_than_one_or_set_at_a_number(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path / "job.log") as journal:
        shown = Progress(journal, "tasks", 10, every=0)
        clock.now += 4
        shown.step(3)
        shown.step()
        shown.at(10)
    assert [line.split(",")[0] for line in lines(tmp_path / "job.log")] == [
        "tasks: 3/10 (30 %)",
        "tasks: 4/10 (40 %)",
        "tasks: 10/10 (100 %)",
    ]


def test_at_the_start_there_is_no_rate_to_tell(clock: Clock) -> None:
    assert Progress(Journal(None), "tasks", 10).text(0) == "tasks: 0/10 (0 %), starting"
    assert Progress(Journal(None), "tasks", 0).text(3) == "tasks: 0/0 (0 %), in 3 s"
