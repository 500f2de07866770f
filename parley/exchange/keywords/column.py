"""A column of a published table, whatever the table's form: TSV, CSV, JSONL or Parquet, or plain lines of text."""

import csv
import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from parley.errors import ParleyError

#: A place for errors (the line from 1, a row's number for Parquet) and the text.
Cell = tuple[int, str]

#: A row of its own behind the last one, unless a quote is still open there.
_END = "\x1e"


def read_column(path: Path, column: str) -> Iterator[Cell]:
    """The texts of a column, in the order of the file; a cell that is empty is an empty text.

    Raises `ParleyError` with file and line for a missing file, an unknown form, a column that is not there, a row with
    too many or too few fields, and what is no text.
    """
    if path.suffix not in _FORMS:
        raise ParleyError(f"{path}: cannot be read by its name; it must end in {', '.join(_FORMS)}")
    try:
        yield from _FORMS[path.suffix](path, column)
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; correct the path") from None
    except UnicodeDecodeError as error:
        raise ParleyError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None


def _separated(separator: str) -> Callable[[Path, str], Iterator[Cell]]:
    def cells(path: Path, column: str) -> Iterator[Cell]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(chain(file, [_END]), delimiter=separator)
            try:
                header = next(rows)
                place = _place(path, header if header != [_END] else [], column)
                # A row may go over several lines: it is named by its first.
                line = rows.line_num + 1
                for row in rows:
                    if row == [_END]:
                        return
                    if row[-1:] and row[-1].endswith(_END):
                        raise ParleyError(f"{path}:{line}: a quote is never closed; mend or delete the line")
                    if row and len(row) != len(header):
                        counts = f"has {len(row)} fields where the header has {len(header)}"
                        raise ParleyError(f"{path}:{line}: {counts}; mend or delete the line")
                    if row:
                        yield line, row[place]
                    line = rows.line_num + 1
            except csv.Error as error:
                raise ParleyError(
                    f"{path}:{rows.line_num}: cannot be read ({error}); mend or delete the line"
                ) from None

    return cells


def _place(path: Path, header: list[str], column: str) -> int:
    if column not in header:
        raise ParleyError(f"{path}:1: no column is called {column!r}; there are: {', '.join(header) or 'none'}")
    return header.index(column)


def _json_lines(path: Path, column: str) -> Iterator[Cell]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                raise ParleyError(f"{path}:{number}: not JSON ({error}); mend or delete the line") from None
            if not isinstance(value, dict) or column not in value:
                there = ", ".join(value) if isinstance(value, dict) else "none"
                raise ParleyError(f"{path}:{number}: no key is called {column!r}; there are: {there or 'none'}")
            yield number, _text(path, number, column, value[column])


def _text(path: Path, number: int, column: str, value: object) -> str:
    if not isinstance(value, str | None):
        raise ParleyError(f"{path}:{number}: {column} is {value!r}, not a text; mend or delete the line")
    return value or ""


def _parquet(path: Path, column: str) -> Iterator[Cell]:
    import polars as pl

    try:
        table = pl.read_parquet(path.read_bytes())
    except pl.exceptions.PolarsError as error:
        raise ParleyError(f"{path}: not a Parquet file ({str(error).splitlines()[0]}); fetch it again") from None
    _place(path, table.columns, column)
    for number, value in enumerate(table[column], start=1):
        yield number, _text(path, number, column, value)


def _lines(path: Path, column: str) -> Iterator[Cell]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            yield number, line.rstrip("\n")


_FORMS: dict[str, Callable[[Path, str], Iterator[Cell]]] = {
    ".tsv": _separated("\t"),
    ".csv": _separated(","),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".txt": _lines,
}
