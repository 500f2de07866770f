"""The canary: frozen episodes, the dates on which they are asked about, and how marks have moved since."""

import json
import sqlite3
import sys
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from markupsafe import Markup
from scipy import stats

from parley import staleness
from parley.estimate.foresight import ACTS
from parley.evaluation.drift import drift, drift_rows
from parley.evaluation.statistics import difference_interval
from parley.layout import Layout
from parley.records.character import read_characters
from parley.records.episode import Episode, check_complete
from parley.records.jsonl import read_jsonl, write_text
from parley.records.rating import DIMENSIONS, KEYS, Mark, Rating, ratings_frame
from parley.records.task import read_tasks
from parley.report.findings import Findings
from parley.report.judging import drifted
from scripts import canary
from tests.builders import ROOT, experiment
from tests.report_sample import sample_experiment
from tests.workflow import talk_only

FOLDER = ROOT / "resources/canary"
FIRST, SECOND, THIRD = date(2026, 11, 1), date(2026, 11, 24), date(2026, 12, 1)


def marks(goals: list[int | None], tasks: int = 4) -> pl.DataFrame:
    """Ratings of one seat an episode, by GOAL; None is a failed one."""
    rows = []
    for number, goal in enumerate(goals):
        given = {d.key: Mark(reasoning="r", score=d.low) for d in DIMENSIONS}
        whose: dict[str, Any] = {
            **{"episode": f"e{number}", "task": f"t{number % tasks}", "cast": ("a", "b"), "seat": 0, "name": "Ana"},
            **{"player": "p", "partner": "q", "replicate": 0, "judge": "judge", "call": "k"},
        }
        scored = None if goal is None else {**given, "goal": Mark(reasoning="r", score=goal)}
        rows.append(Rating(**whose, marks=scored, failure="unreadable" if goal is None else None))
    return ratings_frame(rows)


# -- drift ---------------------------------------------------------------------------------------------------------


def test_every_later_date_is_compared_with_the_first() -> None:
    found = drift("judge", {FIRST: marks([5, 6, 7, 8]), SECOND: marks([5, 6, 7, 8]), THIRD: marks([4, 5, 7, 6])})
    assert (found["reference"], found["dates"]) == ("2026-11-01", ["2026-11-01", "2026-11-24", "2026-12-01"])
    assert found["episodes"] == 4 and set(found["failed"].values()) == {0}
    assert [(row["date"], row["dimension"]) for row in found["drift"]] == [
        (day, key) for day in ("2026-11-24", "2026-12-01") for key in (*KEYS, "overall")
    ]
    goal = {row["date"]: row for row in found["drift"] if row["dimension"] == "goal"}
    assert (goal["2026-11-24"]["mean"], goal["2026-11-24"]["same"], goal["2026-11-24"]["moved"]) == (0, 1, 0)
    last = goal["2026-12-01"]
    assert (last["mean"], last["moved"], last["same"], last["n"], last["clusters"]) == (-1, 1, 0.25, 4, 4)
    expected = difference_interval(-1, stats.sem([-1, -1, 0, -2]), 3, [-1, -1, 0, -2])
    assert (last["low"], last["high"]) == pytest.approx(expected)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_marks_that_move_either_way_have_moved_without_a_drift() -> None:
    (goal,) = [row for row in drift_rows(marks([5, 5]), marks([6, 4])) if row["dimension"] == "goal"]
    assert (goal["mean"], goal["moved"], goal["same"]) == (0, 1, 0)


def test_what_could_not_be_rated_is_counted_and_compared_with_nothing() -> None:
    found = drift("judge", {FIRST: marks([5, None]), SECOND: marks([None, 6])})
    assert found["failed"] == {"2026-11-01": 1, "2026-11-24": 1}
    assert all(row["n"] == 0 and row["mean"] is row["moved"] is row["same"] is None for row in found["drift"])


def test_one_date_alone_has_nothing_to_drift_from() -> None:
    assert drift("judge", {FIRST: marks([5])})["drift"] == []


# -- the frozen set and the config ---------------------------------------------------------------------------------


def test_the_frozen_set_is_whole() -> None:
    tasks = read_tasks(FOLDER / "tasks.jsonl")
    characters = read_characters(FOLDER / "characters.jsonl")
    episodes = read_jsonl(FOLDER / "episodes.jsonl", Episode)
    check_complete(FOLDER / "episodes.jsonl", episodes, tasks, 1)
    ids = {task.name: task.id for task in tasks}
    assert len(episodes) == len(tasks) == 12
    for one in episodes:
        assert one.task_id == ids[one.task] and not one.failed and one.turns
        assert one.names == (characters[one.cast[0]].name, characters[one.cast[1]].name)


def test_every_judge_is_asked_where_a_canary_is_kept() -> None:
    here = Layout(experiment({"canary": {"dates": ["2026-11-01"]}}))
    assert here.all_canaries() == ["results/mini/canary/judge.json"]
    assert {*here.all_canaries(), here.canary_marks("judge")} <= {*here.everything()}
    assert "results/mini/usage/canary/judge.json" in here.all_usage()
    assert here.canary_files()[0] == "resources/canary/tasks.jsonl"
    without = Layout(experiment())
    assert without.all_canaries() == without.canary_files() == []
    two = {"evaluations.all.also_judged_by": ["writer"], "canary": {"dates": ["2026-11-01"]}}
    assert experiment(two).judges() == ["judge", "writer"]


def test_a_new_date_makes_the_canary_stale_and_nothing_else_but_the_page() -> None:
    one, two = (experiment({"canary": {"dates": dates}}) for dates in (["2026-11-01"], ["2026-11-01", "2026-11-24"]))
    assert staleness.canary(one, "judge") != staleness.canary(two, "judge")
    assert staleness.canary(one, "judge") == staleness.canary(one.model_copy(deep=True), "judge")
    for string in (lambda e: staleness.ratings(e, "judge"), lambda e: staleness.judges(e, "all")):
        assert string(one) == string(two)
    assert "ask_canary" in ACTS  # what it will cost is foreseen


# -- asking --------------------------------------------------------------------------------------------------------


def asked(folder: Path, dates: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    """Run the script in a folder; what it found, and how many calls the ledger holds."""
    config = {**talk_only(), "canary": {"dates": dates, "folder": str(FOLDER)}}
    config["prompts"] = {name: str(ROOT / f"prompts/{name}.jinja") for name in ("rating", "retry")}
    write_text(folder / "experiment.json", json.dumps(config))
    options = {
        "experiment": "experiment.json",
        "judge": "judge",
        **{"ledger": "ledger/canary/judge.sqlite", "usage": "usage.json", "log": "log"},
        **{"out": "out.json", "marks": "marks.parquet"},
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["canary.py", *words])
    canary.main()
    with sqlite3.connect("ledger/canary/judge.sqlite") as ledger:
        calls = ledger.execute("SELECT count(*) FROM calls").fetchone()[0]
    return json.loads(Path("out.json").read_text(encoding="utf-8")), calls


def test_a_date_is_asked_about_once_and_then_comes_from_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, calls = asked(tmp_path, ["2026-11-01"], monkeypatch)
    assert (found["episodes"], found["drift"], calls) == (12, [], 12)
    bytes_ = Path("out.json").read_bytes(), Path("marks.parquet").read_bytes()
    assert asked(tmp_path, ["2026-11-01"], monkeypatch)[1] == 12
    assert (Path("out.json").read_bytes(), Path("marks.parquet").read_bytes()) == bytes_
    found, calls = asked(tmp_path, ["2026-11-01", "2026-11-24"], monkeypatch)
    assert calls == 24  # twelve more: the first date is not asked again
    assert {(row["n"], row["clusters"], row["mean"], row["same"]) for row in found["drift"]} == {(24, 12, 0, 1)}
    table = pl.read_parquet("marks.parquet")
    assert table.height == 48 and table["date"].n_unique() == 2 and table["goal"].n_unique() > 3


# -- on the page ---------------------------------------------------------------------------------------------------


def told(folder: Path, low: float, high: float) -> list[str]:
    row = {"date": "2026-11-24", "dimension": "goal", "mean": -0.5, "low": low, "high": high}
    seen = {"judge": {"episodes": 12, "reference": "2026-11-01", "drift": [{**row, "mean": 3.0}, row]}}
    return drifted(Findings(folder, sample_experiment(folder), canary=seen), "hard")


def test_the_answer_tells_the_last_drift_and_whether_it_may_be_chance(tmp_path: Path) -> None:
    (line,) = told(tmp_path, -0.9, -0.1)
    assert Markup(line).striptags() == (
        "judge has drifted on 12 frozen episodes: GOAL −0.50 [−0.90, −0.10] on 2026-11-24 against 2026-11-01."
    )
    assert "shows no drift that could not be chance" in told(tmp_path, -0.9, 0.1)[0]


def test_without_a_canary_the_answer_says_nothing_of_drift(tmp_path: Path) -> None:
    assert drifted(Findings(tmp_path, sample_experiment(tmp_path)), "hard") == []
