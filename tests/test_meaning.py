"""The meanings of source files are remembered by their bytes, and what is remembered is what would be found."""

import ast
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parley import code
from parley.meaning import Memory, meaning
from tests.builders import ROOT


def test_what_a_file_imports_is_named_and_what_it_says_is_not() -> None:
    found = meaning(
        b"import json\nimport parley.a\n\n\ndef f():\n    '''Say.'''\n    from parley.b import c\n    return c\n"
    )
    assert found.names == ("parley.a", "parley.b", "parley.b.c")
    assert found == meaning(b"import json\nimport parley.a\ndef f():\n    from parley.b import c\n    return c  # so\n")
    assert found.tree != meaning(b"import json\nimport parley.a\ndef f():\n    from parley.b import c\n").tree
    with pytest.raises(SyntaxError):
        meaning(b"def")


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was parsed."""
    seen: list[bytes] = []
    parse = ast.parse

    def count(source: bytes) -> ast.Module:
        seen.append(source)
        return parse(source)

    monkeypatch.setattr("parley.meaning.ast.parse", count)
    return seen


def test_what_was_found_is_found_again_without_parsing(tmp_path: Path, parses: list[bytes]) -> None:
    file = tmp_path / "one.py"
    file.write_text("A = 1\n")
    first = Memory(tmp_path / "kept")
    found = first.of(file)
    first.keep()
    assert Memory(tmp_path / "kept").of(file) == found and parses == [b"A = 1\n"]
    file.write_text("A = 2\n")
    assert Memory(tmp_path / "kept").of(file) != found and parses[1:] == [b"A = 2\n"]


@given(left=st.binary(max_size=40))
@example(left=b"[]")
@example(left=b'{"a": 1}')
@example(left=b'{"a": ["b", 1]}')
def test_whatever_is_left_of_the_memory_the_answer_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, left: bytes
) -> None:
    folder = tmp_path_factory.mktemp("memory")
    file = folder / "one.py"
    file.write_text("import parley.canonical\n")
    Memory(folder).file.write_bytes(left)
    memory = Memory(folder)
    assert memory.of(file) == meaning(b"import parley.canonical\n")
    memory.keep()
    assert Memory(folder).of(file) == memory.of(file)


def test_where_nothing_can_be_kept_all_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "one.py"
    file.write_text("A = 1\n")
    memory = Memory(tmp_path / "file" / "below")
    assert memory.of(file) == meaning(b"A = 1\n")
    memory.keep()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["file", "one.py"]


def test_every_start_finds_the_hashes_of_the_first(parses: list[bytes]) -> None:
    code.forget()
    before = code.code_hash("training")
    code.forget()
    parses.clear()
    assert code.code_hash("training") == before and parses == []
    assert (ROOT / "parley/__pycache__").is_dir()
