"""Files that a config names and that are not there: one line that names the key, and none for what is brought in."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from parley.config import check
from parley.errors import ParleyError
from parley.present import check_files
from tests.builders import ROOT, changed
from tests.workflow import Workshop

IMPORTED = {"imported/tasks.jsonl"}


def there(folder: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any] | None = None) -> None:
    """Check the small experiment in a folder that holds its two files of tasks."""
    for name in ("test.jsonl", "risky.jsonl"):
        (folder / name).touch()
    for name in ("resources", "prompts"):
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)
    check_files(check(changed(changes)), IMPORTED)


def test_a_config_whose_files_are_there_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there(tmp_path, monkeypatch)


def test_what_a_rule_brings_in_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there(tmp_path, monkeypatch, {"task_sets.test.file": "imported/tasks.jsonl"})


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("task_sets.test.file", "resources/tasks/nowhere.jsonl"),
        ("task_sets.test.file", "imported/other.jsonl"),
        ("world.characters", "nobody.jsonl"),
        ("world.relationships", "nobody.jsonl"),
        ("world.keywords", "nothing.jsonl"),
        ("prompts.turn", "prompts/none.jinja"),
    ],
)
def test_a_file_that_is_missing_is_told_by_its_key(
    key: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ParleyError) as raised:
        there(tmp_path, monkeypatch, {key: path})
    assert str(raised.value) == f"config: {key}: there is no file {path}; correct the path, or put the file there"


def test_keywords_are_not_asked_for_where_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: dict[str, Any] = {f"task_sets.{name}": {"file": "test.jsonl"} for name in ("round1", "round2")}
    there(tmp_path, monkeypatch, {**tasks, "models.writer": None, "world.keywords": "nothing.jsonl"})


def test_the_workflow_says_it_in_one_line(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["task_sets"]["evaluation"]["file"] = "gone.jsonl"
    said = Workshop(tmp_path, config).run("-n", status=1)
    told = (
        "error: config: task_sets.evaluation.file: there is no file gone.jsonl; correct the path, or put the file there"
    )
    assert told in said.splitlines()
