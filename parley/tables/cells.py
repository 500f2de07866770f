"""A cell of a table: one number with all that it stands on. A table is a frame of them, its CSV file the same in text."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl

from parley.errors import ParleyError
from parley.records.jsonl import write_text

#: Who a number is by: `here` measured now; `paper` as the paper printed it; `like_for_like` printed elsewhere, measured as
#: the rest of the table is; `derived` by subtraction from printed numbers.
Origin = Literal["here", "paper", "like_for_like", "derived"]
#: Whose marks: those of the judge that the config names, or of people.
RatedBy = Literal["judge", "people"]

#: One row a number. What does not apply or is not known is null, a number that could not be measured too.
#:
#: `block` is the part of the table (an evaluation, a role), `player` our policy or reference, also beside published
#: numbers. `value` is a mean, a share, a difference or (`figure_4`) a gap; `t`, `p` and `df` test a difference against
#: zero, `p_holm` is `p` corrected for seven dimensions, `effect` the difference in units of a seat's spread. `side` says
#: whose scores they are: the player's own, or its partner's. `n` counts what is averaged (rated seats, episodes,
#: questions; tasks where their means are paired), `clusters` tasks. `note` says where a published number stands, and
#: behind a semicolon what is different about it.
CELLS: dict[str, pl.DataType] = {
    "table": pl.String(),
    "block": pl.String(),
    "player": pl.String(),
    "versus": pl.String(),
    "measure": pl.String(),
    "origin": pl.String(),
    "rater": pl.String(),
    "side": pl.String(),
    "value": pl.Float64(),
    "se": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "t": pl.Float64(),
    "p": pl.Float64(),
    "p_holm": pl.Float64(),
    "effect": pl.Float64(),
    "df": pl.Int32(),
    "n": pl.Int32(),
    "clusters": pl.Int32(),
    "failed": pl.Int32(),
    "missing": pl.Int32(),
    "evaluation": pl.String(),
    "partner": pl.String(),
    "player_model": pl.String(),
    "partner_model": pl.String(),
    "rater_model": pl.String(),
    "rating_prompt": pl.String(),
    "note": pl.String(),
}

Row = Mapping[str, Any]


def frame(table: str, rows: Iterable[Row]) -> pl.DataFrame:
    """The cells of a table in their order; columns that a row does not name are null. A name of no column is an error."""
    rows = [{**dict.fromkeys(CELLS), "table": table, **row} for row in rows]
    if unknown := sorted({name for row in rows for name in row} - set(CELLS)):
        raise ValueError(f"a cell has no column {unknown[0]!r}")
    return pl.DataFrame(rows, schema=CELLS)


def write_cells(path: str | Path, cells: pl.DataFrame) -> None:
    """Write a table as CSV with every digit of its numbers; null is an empty field."""
    write_text(path, cells.write_csv())


def read_cells(path: str | Path) -> pl.DataFrame:
    """A table that was written. Raises `ParleyError` if it is missing or has not the columns of `CELLS`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        head = text.split("\n", 1)[0].split(",")
        if head != list(CELLS):
            raise ParleyError(f"{path}: not a table of cells (its columns are others); build it again")
        return pl.read_csv(io.StringIO(text), schema=CELLS)
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such table; build it first") from None
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        reason = (str(error).strip() or "unreadable").splitlines()[0]
        raise ParleyError(f"{path}: not a table of cells ({reason}); build it again") from None
