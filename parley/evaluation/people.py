"""People's ratings: the one place through which they come in, as a parquet file.

One row a rater and seat: `task`, `cast` (two ids joined by `+`), `seat`, `player`, `partner`, `rater` and the seven
dimensions, as the ratings of a judge have them; `replicate` where episodes are played more than once. The raters of a
seat are averaged, as the paper does (appendix C).
"""

from pathlib import Path

import polars as pl

from parley.errors import ParleyError
from parley.records.frames import read_parquet
from parley.records.rating import DIMENSIONS, KEYS

#: The rater of people's marks where others name a judge; no name in a config has a space.
PEOPLE = "human raters"
#: The same where models rated in people's place, be it only some of them.
SIMULATED = "simulated raters"
RATERS = (PEOPLE, SIMULATED)
#: What names a seat.
SEAT = ["task", "cast", "seat", "replicate", "player", "partner"]
#: What a file must have; the rest of it is not read.
COLUMNS: tuple[str, ...] = (*(name for name in SEAT if name != "replicate"), "rater", *KEYS)


def read_marks(path: str | Path) -> pl.DataFrame:
    """One row a rater and seat: the marks, and whether they are `simulated` (a column that a file need not have).

    Raises `ParleyError` for a file that is missing or no such table, a mark that is missing or out of its range, and a
    seat that one person rated twice.
    """
    table = read_parquet(path)
    if absent := [name for name in COLUMNS if name not in table.columns]:
        raise ParleyError(f"{path}: people's ratings have no column {absent[0]!r}; add it (docs/tables.md)")
    if "replicate" not in table.columns:
        table = table.with_columns(replicate=pl.lit(0))
    if "simulated" not in table.columns:
        table = table.with_columns(simulated=pl.lit(value=False))
    for dimension in DIMENSIONS:
        if not table.schema[dimension.key].is_numeric():
            raise ParleyError(f"{path}: the column {dimension.key!r} does not hold numbers; write marks as numbers")
        wrong = table.filter(~pl.col(dimension.key).is_between(dimension.low, dimension.high).fill_null(value=False))
        if wrong.height:
            who = wrong.row(0, named=True)
            raise ParleyError(
                f"{path}: {who['rater']} gave {who[dimension.key]} for {dimension.key} in seat {who['seat']} of task "
                f"{who['task']!r}; give {dimension.low} to {dimension.high}, or leave the row out"
            )
    if (twice := table.filter(pl.struct(*SEAT, "rater").is_duplicated())).height:
        who = twice.sort(*SEAT, "rater").row(0, named=True)
        raise ParleyError(
            f"{path}: {who['rater']} rated seat {who['seat']} of task {who['task']!r} twice; keep one row"
        )
    typed = table.with_columns(pl.col("seat").cast(pl.Int8), pl.col("replicate").cast(pl.Int32))
    return typed.select(*SEAT, "rater", *KEYS, "simulated").sort(*SEAT, "rater")


def read_people(path: str | Path) -> pl.DataFrame:
    """One row a seat that people rated: the means of their marks, with the columns that scores are made from.

    Raises `ParleyError` as `read_marks` does.
    """
    return averaged(read_marks(path))


def raters_of(marks: pl.DataFrame) -> str:
    """What the raters of `read_marks` are called."""
    return SIMULATED if marks["simulated"].any() else PEOPLE


def averaged(marks: pl.DataFrame) -> pl.DataFrame:
    """The seats of `read_marks`, each with the means of its raters; all are `SIMULATED` if any rater is."""
    seats = marks.group_by(SEAT).agg(
        *(pl.col(key).cast(pl.Float64).mean() for key in KEYS), raters=pl.col("rater").n_unique()
    )
    return seats.with_columns(
        overall=pl.mean_horizontal(KEYS), judge=pl.lit(raters_of(marks)), failure=pl.lit(None, dtype=pl.String)
    ).sort(SEAT)
