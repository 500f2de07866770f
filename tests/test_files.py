"""Files: JSONL and tables as they are read and written, canonical JSON, digests and seeds."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.canonical import canonical_json, digest, file_digest, seed_from
from parley.errors import ParleyError
from parley.records.frames import write_parquet
from parley.records.jsonl import Record, read_jsonl, write_jsonl, write_text
from parley.records.task import Keyword
from tests.builders import jsonl, keyword


def line_of(path: Path) -> str:
    """The one line that reading a file of keywords gives, without the folder."""
    with pytest.raises(ParleyError) as raised:
        read_jsonl(path, Keyword)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{path.parent}/")


# -- JSONL ---------------------------------------------------------------------------------------------------------


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = [keyword(1), keyword(2, "morals")]
    write_jsonl(tmp_path / "deep" / "k.jsonl", written)
    assert read_jsonl(tmp_path / "deep" / "k.jsonl", Keyword) == written
    write_jsonl(tmp_path / "k.jsonl", [])
    assert read_jsonl(tmp_path / "k.jsonl", Keyword) == []


@given(st.text(min_size=3))
@settings(max_examples=50)
def test_no_text_breaks_a_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "k.jsonl"
    write_jsonl(path, [Keyword(name="a", text=text, source="norms"), keyword(2)])
    assert [one.text for one in read_jsonl(path, Keyword)] == [text, "the norms 2"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x1c", "\r", "\n", "\x0b"])
def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path, separator: str) -> None:
    write_jsonl(tmp_path / "k.jsonl", [Keyword(name="a", text=f"one{separator}two", source="norms")])
    assert read_jsonl(tmp_path / "k.jsonl", Keyword)[0].text == f"one{separator}two"


def test_empty_lines_and_windows_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "k.jsonl"
    path.write_bytes(f"\r\n{keyword(1).model_dump_json()}\r\n  \r\n{keyword(2).model_dump_json()}".encode())
    assert read_jsonl(path, Keyword) == [keyword(1), keyword(2)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"name": "a"', "not JSON (Expecting ',' delimiter at column 13); mend or delete the line"),
        ("[1]", "not a keyword (the whole: Input should be a valid dictionary or instance of Keyword); mend or delete"),
        ('{"name": "a", "text": "abc"}', "not a keyword (source: Field required); mend or delete the line"),
        ('{"name": "a", "text": "abc", "source": "press"}', "not a keyword (source: Input should be 'norms', "),
        ('{"name": "a b", "text": "abc", "source": "norms"}', "not a keyword (name: String should match pattern"),
        ('{"name": "a", "text": "abc", "source": "norms", "tag": 1}', "not a keyword (tag: Extra inputs are not"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = jsonl(tmp_path / "k.jsonl", keyword(1), "", line)
    assert line_of(path).startswith(f"k.jsonl:3: {said}")


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    assert line_of(tmp_path / "k.jsonl") == "k.jsonl: no such file; build it, or correct the path in the config"
    (tmp_path / "k.jsonl").write_bytes(b'{"name": "\xff"}\n')
    assert line_of(tmp_path / "k.jsonl") == "k.jsonl: not UTF-8 text (invalid start byte at byte 10); save it as UTF-8"


def left_by(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "new \ud800")  # half a character: no file can hold it
    assert left_by(tmp_path) == {"a.txt": "old"}

    def broken() -> Iterator[Record]:
        yield keyword(1)
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        write_jsonl(tmp_path / "a.txt", broken())
    assert left_by(tmp_path) == {"a.txt": "old"}


def test_a_reader_never_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    seen: list[str] = []
    replace = os.replace

    def look(source: Any, target: Any) -> None:
        seen.append(path.read_text(encoding="utf-8"))
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    write_text(path, "new")
    assert (seen, left_by(tmp_path)) == (["old"], {"a.txt": "new"})


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "a.parquet"
    write_parquet(path, pl.DataFrame({"a": [1]}))

    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(OSError, match="no space left"):
        write_parquet(path, pl.DataFrame({"a": [2]}))
    assert pl.read_parquet(path)["a"].to_list() == [1]
    assert [one.name for one in path.parent.iterdir()] == ["a.parquet"]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"name": ["ann", None], "score": [1.5, 2.0]})
    for name in ("a", "b"):
        write_parquet(tmp_path / name, frame)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")


# -- canonical JSON, digests and seeds -----------------------------------------------------------------------------


def test_canonical_json_sorts_keys_and_keeps_the_order_of_lists() -> None:
    assert canonical_json({"b": [2, 1], "a": {"z": 0.1, "y": "é"}}) == '{"a":{"y":"é","z":0.1},"b":[2,1]}'
    assert digest([1, 2]) != digest([2, 1])
    assert digest((1, "a")) == digest([1, "a"])


def test_what_is_not_a_number_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_digest_is_the_sha256_of_the_canonical_text(tmp_path: Path) -> None:
    # echo -n '"a"' | sha256sum
    assert digest("a") == "ac8d8342bbb2362d13f0a559a3621bb407011368895164b628a54f7fc33fc43c"
    assert digest("a", 8) == "ac8d8342"
    assert seed_from("a") == int(digest(["a"], 8), 16) % 2**31
    (tmp_path / "a").write_bytes(b'"a"')
    assert file_digest(tmp_path / "a") == digest("a")


def test_seeds_depend_on_every_part_and_on_no_process() -> None:
    parts: list[tuple[Any, ...]] = [(1, "sale", 0), (1, "sale", 1), (2, "sale", 0), (1, "loan", 0), (1, "sale")]
    seeds = [seed_from(*one) for one in parts]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2**31 for seed in seeds)
    code = "from parley.canonical import seed_from; print(seed_from(1, 'sale', 0))"
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True) == f"{seeds[0]}\n"
