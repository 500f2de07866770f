"""The failures on the page: shares, reasons, and that nothing is counted twice or left out."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.config import Experiment
from parley.records.jsonl import write_text
from parley.report.failures import Failures, Share, failures
from parley.report.findings import OUTCOMES, REASONS, TROUBLES, Findings
from parley.report.load import load
from parley.report.page import render
from parley.report.provenance import Provenance
from tests.report_sample import make_sample, sample_experiment


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    """The sample, in which one play went badly."""
    root, experiment = make_sample(tmp_path_factory.mktemp("sample"))
    troubles = {"retried": 10, "answers": 40, "repaired": 4, "asked_again": 3, "unreadable": 1}
    troubles["reasons"] = {"HTTP 429": 12, "no JSON": 4}  # type: ignore[assignment]
    for path in sorted((root / "usage/episodes/evaluation/sr+partner").glob("*.json")):
        found = json.loads(path.read_text())
        found["speakers"]["sr"] |= {"failures": 2, "troubles": troubles}
        write_text(path, json.dumps(found))
    return root, experiment


def found(**frames: list[dict[str, Any]]) -> Failures:
    schemas = {"troubles": TROUBLES, "reasons": REASONS, "outcomes": OUTCOMES}
    given = {name: pl.DataFrame(frames.get(name, []), schema=schema) for name, schema in schemas.items()}
    return failures(Findings(Path("nowhere"), sample_experiment(Path("nowhere")), **given))


def outcome(failure: str | None, n: int, players: str = "bc+partner", judge: str = "judge") -> dict[str, Any]:
    return {"task_set": "evaluation", "players": players, "judge": judge, "failure": failure, "n": n}


def test_shares_are_of_what_could_have_failed() -> None:
    row = {"stage": "episodes", "speaker": "bc", "calls": 90, "failures": 10, "retried": 9}
    row |= {"answers": 80, "repaired": 8, "asked_again": 4, "unreadable": 2}
    (asked,) = found(troubles=[row]).asked
    assert (asked.failed, asked.retried) == (Share(10, 100), Share(9, 90))
    assert (asked.repaired, asked.asked_again, asked.unreadable) == (Share(8, 80), Share(4, 80), Share(2, 80))
    assert asked.failed.share == 0.1 and Share(0, 0).share is None


def test_the_jobs_of_a_stage_are_one_row_in_the_order_of_the_way() -> None:
    rows = [
        {**dict.fromkeys(list(TROUBLES)[2:], 1), "stage": stage, "speaker": speaker}
        for stage, speaker in [("ratings", "judge"), ("episodes", "partner"), ("episodes", "bc"), ("tasks", "writer")]
        for _ in range(3)
    ]
    asked = found(troubles=rows).asked
    assert [(row.stage, row.speaker) for row in asked] == [
        ("tasks", "writer"),
        ("episodes", "bc"),
        ("episodes", "partner"),
        ("ratings", "judge"),
    ]
    assert all(row.failed == Share(3, 6) for row in asked)


def test_an_episode_that_failed_is_not_a_rating_that_failed() -> None:
    rows = [
        outcome(None, 5),
        outcome("episode failed: seat 0, turn 3: HTTP 500: oops (6 tries)", 2),
        outcome("rating failed: the answer is empty", 1),
        outcome(None, 4, "sr+partner"),
    ]
    result = found(outcomes=rows)
    (row,) = result.played  # the other play has no failure
    assert (row.players, row.episodes, row.ratings) == ("bc+partner", Share(2, 8), Share(1, 6))
    assert (result.total.episodes, result.total.ratings) == (Share(2, 12), Share(1, 10))
    assert result.lost == [(2, "episode", "HTTP 500"), (1, "rating", "empty")]


def test_two_judges_of_the_same_episodes_do_not_make_them_more() -> None:
    rows = [
        outcome(failure, n, judge=judge)
        for judge in ("judge", "other")
        for failure, n in ((None, 7), ("episode failed: seat 0, turn 1: no answer within 9 s", 3))
    ]
    result = found(outcomes=rows)
    assert result.total.episodes == Share(3, 10) and result.total.ratings == Share(0, 14)
    assert result.lost == [(3, "episode", "no answer in time")]


def test_reasons_are_summed_and_the_rare_ones_put_together() -> None:
    rows = [{"stage": "episodes", "speaker": "bc", "kind": f"kind {number % 13}", "n": number} for number in range(26)]
    result = found(reasons=rows)
    assert [reason.n for reason in result.reasons] == sorted((reason.n for reason in result.reasons), reverse=True)
    assert len(result.reasons) == 10 and result.reasons[0].kind == "kind 12" and result.reasons[0].n == 12 + 25
    assert sum(reason.n for reason in result.reasons) + result.other_reasons == sum(range(26))


def test_where_nothing_failed_that_is_said() -> None:
    row = {**dict.fromkeys(list(TROUBLES)[2:], 0), "stage": "episodes", "speaker": "bc", "calls": 9, "answers": 9}
    assert found(troubles=[row], outcomes=[outcome(None, 9)]).none
    assert not found(troubles=[{**row, "repaired": 1}]).none
    assert not found(troubles=[{**row, "failures": 1}]).none
    assert not found(outcomes=[outcome("rating failed: the answer is empty", 1)]).none


def test_the_page_shows_numbers_shares_and_reasons(sample: tuple[Path, Experiment]) -> None:
    page = render(load(*sample), Provenance())
    section = page[page.index('<section id="failures"') :].split("</section>")[0]
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    # One failed episode of the sample (sr with partner on evaluation_1) out of all that it has.
    total = sum(len(pl.read_parquet(path)) // 2 for path in sample[0].rglob("ratings/**/*.parquet"))
    assert f"1 of {total} episodes failed" in text and "Why: 1 episode (not of the form asked for)." in text
    assert re.search(r"episodes sr \d+ 2 \d\.\d % 10 \d+\.\d % 40 4 10\.0 % 3 7\.5 % 1 2\.5 %", text)
    assert "HTTP 429 episodes sr 12" in text and "no JSON episodes sr 4" in text
    assert re.search(r"evaluation sr\+partner \d+ 1 \d\.\d % judge 0", text)


def test_a_missing_rating_file_is_said(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    loaded = load(tmp_path, sample_experiment(tmp_path))
    assert any("ratings/round1/expert+expert" in line for line in loaded.gaps["failures"])
    assert load(*sample).gaps == {}
