"""Cells of a table: the CSV file keeps every digit, and what is not a table is refused."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.tables.cells import CELLS, frame, read_cells, write_cells

NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
WORDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text == text.strip())
ROWS = st.fixed_dictionaries(
    {"player": WORDS, "measure": WORDS, "value": NUMBERS, "low": NUMBERS, "p": NUMBERS},
    optional={"n": st.integers(0, 10_000), "note": st.one_of(st.none(), WORDS), "df": st.integers(1, 500)},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(ROWS, max_size=6))
def test_what_is_written_is_read_to_the_last_digit(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    cells = frame("table_5", rows)
    write_cells(tmp_path / "table.csv", cells)
    assert read_cells(tmp_path / "table.csv").equals(cells)


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    write_cells(tmp_path / "table.csv", frame("table_3", []))
    assert (tmp_path / "table.csv").read_text() == ",".join(CELLS) + "\n"
    assert read_cells(tmp_path / "table.csv").schema == pl.Schema(CELLS)


def test_the_same_cells_are_the_same_bytes(tmp_path: Path) -> None:
    cells = frame("table_5", [{"value": 0.1 + 0.2, "note": 'a "b", c'}])
    for name in ("a", "b"):
        write_cells(tmp_path / name, cells)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "0.30000000000000004" in (tmp_path / "a").read_text()


def test_what_was_not_measured_is_empty_and_no_zero(tmp_path: Path) -> None:
    write_cells(tmp_path / "table.csv", frame("table_5", [{"value": None, "n": 0}]))
    row = read_cells(tmp_path / "table.csv").row(0, named=True)
    assert (row["value"], row["n"], row["low"]) == (None, 0, None)


def test_a_column_that_is_no_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="no column 'mean'"):
        frame("table_5", [{"mean": 1.0}])


@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2\n", ",".join(CELLS) + "\n" + "x," * (len(CELLS) - 1) + "x\n", "\0\0\0"]
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(ParleyError, match="build it again") as raised:
        read_cells(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="no such table"):
        read_cells(tmp_path / "table.csv")
