"""Generated files that a person may edit: an edit is kept and told, and nothing else is."""

import os
from pathlib import Path

import pytest

from parley.handmade import edited, generate
from parley.records.jsonl import write_text

REMEDY = "copy it"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A generated file."""
    assert generate(tmp_path / "tasks" / "00.jsonl", "one\n", REMEDY) is None
    return tmp_path / "tasks" / "00.jsonl"


def told(path: Path) -> str:
    return f"{path} was edited by hand: your version is kept. To make it permanent {REMEDY}; to drop it delete the file"


def test_a_generated_file_is_generated_again(path: Path) -> None:
    assert not edited(path)
    assert generate(path, "two\n", REMEDY) is None
    assert path.read_text(encoding="utf-8") == "two\n" and not edited(path)


def test_an_edit_by_hand_is_kept_and_told(path: Path) -> None:
    path.write_text("mine\n", encoding="utf-8")
    assert edited(path)
    for text in ("one\n", "two\n"):  # every time
        assert generate(path, text, REMEDY) == told(path)
        assert path.read_text(encoding="utf-8") == "mine\n" and edited(path)


def test_an_edit_that_is_kept_counts_as_made_now(path: Path) -> None:
    path.write_text("mine\n", encoding="utf-8")
    os.utime(path, (1, 1))
    generate(path, "two\n", REMEDY)
    assert path.stat().st_mtime > 1  # or the workflow would think it was not made


def test_a_file_that_is_deleted_is_generated_again(path: Path) -> None:
    path.write_text("mine\n", encoding="utf-8")
    path.unlink()
    assert not edited(path)
    assert generate(path, "two\n", REMEDY) is None
    assert path.read_text(encoding="utf-8") == "two\n" and not edited(path)


def test_the_same_text_is_no_edit(path: Path) -> None:
    os.utime(path, (1, 1))  # saved again as it was
    write_text(path, "one\n")
    assert not edited(path)
    path.write_text("two\n", encoding="utf-8")  # what would be generated now
    assert generate(path, "two\n", REMEDY) is None
    assert not edited(path)


def test_an_edit_taken_back_is_no_edit(path: Path) -> None:
    path.write_text("mine\n", encoding="utf-8")
    path.write_text("one\n", encoding="utf-8")
    assert generate(path, "two\n", REMEDY) is None
    assert path.read_text(encoding="utf-8") == "two\n"


def test_a_file_that_was_never_generated_here_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "00.jsonl"
    path.write_text("mine\n", encoding="utf-8")
    assert edited(path)
    assert generate(path, "one\n", REMEDY) == told(path)
    assert path.read_text(encoding="utf-8") == "mine\n"


def test_an_edit_in_another_encoding_is_kept(path: Path) -> None:
    path.write_bytes("müde\n".encode("latin-1"))
    assert generate(path, "one\n", REMEDY) == told(path)
    assert path.read_bytes() == "müde\n".encode("latin-1")


def test_what_is_remembered_lies_hidden_beside_the_file(path: Path) -> None:
    assert sorted(one.name for one in path.parent.iterdir()) == [".00.jsonl.made", "00.jsonl"]
    assert [one.name for one in path.parent.glob("*.jsonl")] == ["00.jsonl"]
