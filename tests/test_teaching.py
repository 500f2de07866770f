"""Whose ratings taught whom, and what the page says of a judge that marks its own pupils."""

from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from parley.evaluation.teaching import pupils, taught, teachers
from parley.report.answer import answer
from parley.report.findings import Findings
from parley.report.judging import other_judges, own_pupils
from parley.report.load import load
from tests.builders import experiment
from tests.report_sample import make_sample, sample_experiment

OTHER = {"engine": "openai", "name": "judge-2", "temperature": 0, "price": "free"}
ANEW = {
    "models.other": OTHER,
    "evaluations.all": {"tasks": "test", "partner": "partner", "judge": "judge", "also_judged_by": ["other"]},
}


def test_a_judge_taught_who_learned_from_what_it_selected() -> None:
    here = experiment(ANEW)
    assert pupils(here, "judge") == ["bc", "sr"]
    assert pupils(here, "other") == []
    assert teachers(here, "base") == teachers(here, "expert") == []


def test_it_taught_those_too_who_learned_from_its_pupils() -> None:
    """`sr` is selected by another judge, but trained from `bc`, and on what `bc` played."""
    here = experiment({**ANEW, "policies.sr.learns_from.judge": "other"})
    assert teachers(here, "sr") == ["other", "judge"]
    assert pupils(here, "judge") == ["bc", "sr"] and pupils(here, "other") == ["sr"]


def test_two_names_of_one_model_are_one_judge() -> None:
    twin = {**OTHER, "name": "judge-1", "base_url": "https://elsewhere.invalid/v1"}
    assert taught(experiment({**ANEW, "models.other": twin}), "bc", "other")
    warmer = {**twin, "temperature": 0.7}
    assert not taught(experiment({**ANEW, "models.other": warmer}), "bc", "other")


FILES = {
    "policies.bc.learns_from.episodes": "imported/expert.jsonl",
    "policies.bc.learns_from.ratings": "imported/expert.parquet",
    "policies.bc.learns_from.players": ["expert", "gpt-4"],
}


@pytest.mark.parametrize(("judge", "known"), [("somebody", False), ("judge", True)])
def test_a_judge_in_files_is_known_by_its_name(judge: str, known: bool) -> None:
    here = experiment({**FILES, "policies.bc.learns_from.judge": judge})
    assert teachers(here, "bc") == [judge]
    assert taught(here, "bc", "judge") is known


# -- on the page ---------------------------------------------------------------------------------------------------


def told(folder: Path, **changes: Any) -> Findings:
    return Findings(folder, sample_experiment(folder, **changes))


def test_the_answer_says_that_a_judge_marks_its_own_pupils(tmp_path: Path) -> None:
    (line,) = own_pupils(told(tmp_path), "hard")
    assert line.startswith("judge marks its own pupils") and "bc, sr and bc_sr" in line


def test_it_says_nothing_of_a_judge_that_taught_nobody(tmp_path: Path) -> None:
    here = sample_experiment(tmp_path)
    models = {name: model.model_dump(mode="json") for name, model in here.models.items()}
    models["other"] = {**models["judge"], "name": "other"}
    study = {"hard": {"tasks": "evaluation", "partner": "partner", "judge": "other", "tag": "hard"}}
    assert own_pupils(told(tmp_path, models=models, evaluations=study), "hard") == []


def gain(difference: float | None, taught_by: list[str]) -> dict[str, Any]:
    side = {"difference": 2.0, "low": 1.5, "high": 2.5, "p": 0.001}
    row = {"judge": "judge", "other": "second", "player": "bc", "baseline": "base", "dimension": "goal"}
    return {**row, "a": side, "b": side, "difference": difference, "low": 0.1, "high": 0.9, "taught_by": taught_by}


def test_other_judges_say_what_they_see_of_the_gain(tmp_path: Path) -> None:
    swaps = [{"first": "sr", "second": "base"}]
    orders = [{"judge": "judge", "other": "second", "dimension": "goal", "alike": False, "reversed": swaps}]
    rows = [gain(0.5, ["judge"]), {**gain(0.5, []), "player": "sr"}, {**gain(0.5, []), "dimension": "overall"}]
    here = Findings(tmp_path, sample_experiment(tmp_path), judges={"hard": {"gains": rows, "orders": orders}})
    seen, order = other_judges(here, "hard", "bc")
    assert Markup(seen).striptags() == (
        "By second bc has +2.00 [1.50, 2.50] over base; on the same seats judge sees +0.50 [0.10, 0.90] more of it."
    )
    assert order == "second puts sr and base the other way round by GOAL."
    assert list(other_judges(here, "all", "bc")) == []


def test_a_judge_that_taught_too_is_named_so_and_one_without_numbers_is_silent(tmp_path: Path) -> None:
    rows = [gain(0.5, ["judge", "second"]), gain(None, [])]
    here = Findings(tmp_path, sample_experiment(tmp_path), judges={"hard": {"gains": rows}})
    (line,) = other_judges(here, "hard", "bc")
    assert "By second (which taught it) bc has" in line


def test_the_sample_s_answer_holds_the_mark(tmp_path: Path) -> None:
    found = answer(load(*make_sample(tmp_path)))
    assert found is not None and any("marks its own pupils" in doubt for doubt in found.doubts)
