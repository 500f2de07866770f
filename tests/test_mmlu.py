"""MMLU from a folder in either published form, with lm-eval's own tasks; nothing is fetched here."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.config import Knowledge
from parley.config.studies import MMLU
from parley.errors import ParleyError
from parley.evaluation import mmlu
from parley.evaluation.questions import read_test

Row = tuple[str, list[str], int]


def rows(subject: str, count: int, start: int = 0) -> list[Row]:
    """Questions in the form of MMLU, the right answer at another place each time."""
    numbers = range(start, start + count)
    return [(f"{subject}: what is {n} + {n}? ", [str(2 * n + step) for step in range(4)], n % 4) for n in numbers]


def as_parquet(folder: Path, subject: str, split: str, made: list[Row]) -> Path:
    path = folder / subject / f"{split}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"question": pl.String(), "choices": pl.List(pl.String()), "answer": pl.Int64()}
    frame = pl.DataFrame(made, schema=columns, orient="row").with_columns(subject=pl.lit(subject))
    frame.select("question", "subject", "choices", "answer").write_parquet(path)
    return path


def as_csv(folder: Path, subject: str, split: str, made: list[Row]) -> Path:
    path = folder / split / f"{subject}_{split}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f'"{question}",{",".join(four)},{"ABCD"[right]}\n' for question, four, right in made))
    return path


def published(folder: Path, put: Any = as_parquet, shots: int = 5) -> Path:
    """Three of the subjects, of three categories."""
    for subject in ("anatomy", "high_school_us_history", "marketing"):
        put(folder, subject, "test", rows(subject, 6))
        put(folder, subject, "dev", rows(subject, shots, start=100))
    return folder


def settings(folder: Path, **changes: Any) -> Knowledge:
    return Knowledge.model_validate({"source": "mmlu", "path": str(folder), **changes})


# -- lm-eval's tasks -------------------------------------------------------------------------------------------------


def test_there_are_mmlu_s_57_subjects_in_four_categories() -> None:
    assert len(mmlu.subjects()) == 57 and "college_physics" in mmlu.subjects()
    found = [mmlu.category(subject) for subject in mmlu.subjects()]
    # As Hendrycks et al. group them, in lm-eval's four groups.
    counts = {name: found.count(name) for name in dict.fromkeys(found)}
    assert counts == {"stem": 19, "other": 13, "social_sciences": 12, "humanities": 13}


def test_a_task_is_lm_eval_s_own_but_for_where_its_data_are() -> None:
    task = mmlu.task("high_school_us_history")
    assert task["task"] == "mmlu_high_school_us_history" and task["output_type"] == "multiple_choice"
    assert "about high school us history" in task["description"]
    assert task["doc_to_text"].startswith("{{question.strip()}}\nA. {{choices[0]}}\n") and "dataset_path" not in task
    assert task["fewshot_config"] == {"sampler": "first_n"} and task["doc_to_choice"] == ["A", "B", "C", "D"]


# -- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("put", [as_parquet, as_csv])
def test_both_published_forms_give_the_same_test(put: Any, tmp_path: Path) -> None:
    test = read_test(settings(published(tmp_path / "one", put)))
    assert [item.subject for item in test.asked[::6]] == ["anatomy", "high_school_us_history", "marketing"]
    first = test.asked[1]
    assert (first.id, first.category, first.choices, first.answer) == (
        "anatomy/test/1",
        "stem",
        ("2", "3", "4", "5"),
        1,
    )
    assert [item.id for item in test.shown["marketing"]] == [f"marketing/dev/{number}" for number in range(5)]
    other = read_test(settings(published(tmp_path / "two")))
    assert (test.facts["test_sha256"], test.asked) == (other.facts["test_sha256"], other.asked)


def test_subjects_that_are_not_there_are_told(tmp_path: Path) -> None:
    facts = read_test(settings(published(tmp_path))).facts
    assert len(facts["missing_subjects"]) == 54 and "anatomy" not in facts["missing_subjects"]
    assert facts["dataset"] == str(tmp_path) and facts["limit"] is None


def test_a_question_that_stands_there_twice_is_asked_twice(tmp_path: Path) -> None:
    published(tmp_path)
    as_parquet(tmp_path, "anatomy", "test", rows("anatomy", 1) * 2)
    asked = [item for item in read_test(settings(tmp_path)).asked if item.subject == "anatomy"]
    assert len(asked) == len({item.id for item in asked}) == 2


def test_a_quick_look_takes_the_first_of_each_subject_and_says_so(tmp_path: Path) -> None:
    test = read_test(settings(published(tmp_path), limit=2, shots=3))
    assert [item.id.rsplit("/", 1)[1] for item in test.asked] == ["0", "1"] * 3
    assert test.facts["limit"] == 2 and len(test.shown["anatomy"]) == 3


def test_without_shots_no_answered_question_is_needed(tmp_path: Path) -> None:
    for path in published(tmp_path).glob("*/dev-*"):
        path.unlink()
    assert read_test(settings(tmp_path, shots=0)).shown["anatomy"] == []
    with pytest.raises(ParleyError, match="5 shots need as many answered questions on anatomy, there are 0"):
        read_test(settings(tmp_path))


def test_a_folder_that_is_not_mmlu_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ParleyError, match=r"is not MMLU .*correct knowledge\.path"):
            read_test(settings(folder))


def test_broken_files_are_named(tmp_path: Path) -> None:
    published(tmp_path)
    path = as_parquet(tmp_path, "anatomy", "test", [("What?", ["1", "2", "3"], 0)])
    with pytest.raises(ParleyError, match=r"anatomy/test-.*parquet: question 1 has no four choices"):
        read_test(settings(tmp_path))
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ParleyError, match=r"anatomy/test-.*parquet: cannot be read as MMLU"):
        read_test(settings(tmp_path))
    path.unlink()
    table = as_csv(tmp_path, "anatomy", "test", rows("anatomy", 2))
    table.write_text(table.read_text() + "What?,1,2,3,4,E\n")
    with pytest.raises(ParleyError, match=r"anatomy_test\.csv:3: not a question, four choices and a letter"):
        read_test(settings(tmp_path))


# -- the hub ---------------------------------------------------------------------------------------------------------


def test_without_a_network_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ParleyError, match=r"^cais/mmlu at c30699e8356d is not in the hub's cache") as error:
        read_test(Knowledge(source="mmlu"))
    assert "\n" not in str(error.value) and "set knowledge.path" in str(error.value)


def test_the_pinned_revision_is_asked_for_and_only_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked: dict[str, Any] = {}

    def snapshot_download(repo: str, **options: Any) -> str:
        asked.update(options, repo=repo)
        return str(published(tmp_path))

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    test = read_test(Knowledge(source="mmlu"))
    assert (asked["repo"], asked["repo_type"], asked["revision"]) == ("cais/mmlu", "dataset", MMLU)
    assert len(asked["allow_patterns"]) == 114 and "anatomy/dev-*.parquet" in asked["allow_patterns"]
    assert test.facts["dataset"] == f"cais/mmlu@{MMLU}"
