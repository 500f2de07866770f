"""Rows out of pages: what SQLite stored is read without SQLite, and rubbish is passed over."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.llm.pages import Value, rows

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    st.binary(max_size=20),
    st.integers(0, 20_000).map(lambda size: b"\xab" * size),
    st.integers(0, 20_000).map(lambda size: "é" * size),
)
TABLES = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=40)


def stored(path: Path, table: Sequence[tuple[Value, ...]], page: int = 4096) -> Path:
    """A file with a table of these rows, numbered from 1."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {page}")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)")
        connection.executemany("INSERT INTO t (a, b, c) VALUES (?, ?, ?)", table)
        connection.commit()
    return path


def of_table(path: Path) -> list[tuple[int, tuple[Value, ...]]]:
    """The rows of `t`; the schema's has five columns."""
    return sorted((number, values[1:]) for number, values in rows(path) if len(values) == 4)


@given(TABLES, st.sampled_from([512, 1024, 4096, 65536]))
@settings(max_examples=60)
def test_every_row_is_read_as_sqlite_reads_it(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[Value, ...]], page: int
) -> None:
    path = stored(tmp_path_factory.getbasetemp() / "table.sqlite", table, page)
    with closing(sqlite3.connect(path)) as connection:
        expected = [(number, tuple(rest)) for number, *rest in connection.execute("SELECT * FROM t ORDER BY id")]
    assert of_table(path) == expected
    assert len(expected) == len(table)


def test_rows_are_read_when_header_schema_and_root_are_gone(tmp_path: Path) -> None:
    table = [(number, "x" * 100, None) for number in range(1000)]
    path = stored(tmp_path / "a", table)
    data = path.read_bytes()
    path.write_bytes(bytes(8192) + data[8192:])
    assert of_table(path) == [(number + 1, row) for number, row in enumerate(table)]


def test_a_row_whose_overflow_pages_are_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = stored(tmp_path / "a", [(1, "short", None), (2, b"long" * 5000, None), (3, "short", None)])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 4096])
    assert [number for number, _ in of_table(path)] == [1, 3]


@given(st.binary(max_size=3000), st.integers(0, 8191), st.sampled_from([b"\x0d", b"\x0d\x00\x00\xff\xff", b""]))
def test_rubbish_makes_no_error(
    tmp_path_factory: pytest.TempPathFactory, rubbish: bytes, place: int, start: bytes
) -> None:
    path = stored(tmp_path_factory.getbasetemp() / "rubbish.sqlite", [(1, "a" * 50, b"b")] * 100)
    data = path.read_bytes()
    path.write_bytes(data[:place] + start + rubbish + data[place + len(start + rubbish) :])
    list(rows(path))
    path.write_bytes(start + rubbish)
    list(rows(path))


def test_a_chain_of_pages_that_bites_its_tail_ends(tmp_path: Path) -> None:
    path = stored(tmp_path / "a", [(1, b"x" * 20_000, None)])
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 4] = (page + 1).to_bytes(4, "big")  # each names itself as the next
    path.write_bytes(data)
    list(rows(path))
