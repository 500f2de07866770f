"""An annotation: one person's marks for both seats of an item; and the table of all of them."""

from collections.abc import Iterable

import polars as pl
from pydantic import Field, model_validator

from parley.errors import ParleyError
from parley.records.jsonl import Record
from parley.records.rating import DIMENSIONS, KEYS, Mark

Marks = dict[str, Mark]


class Annotation(Record):
    """What `rater` gave on an item: seven marks with reasons for each seat, in seat order.

    `seconds` is how long the rater took, None if that is not known. `flags` say what is doubtful
    (`parley.annotate.flags`). `simulated` is true for what a model gave in a person's place.
    """

    item: str
    rater: str = Field(min_length=1)
    marks: tuple[Marks, Marks]
    seconds: float | None = None
    flags: tuple[str, ...] = ()
    simulated: bool = False

    @model_validator(mode="after")
    def _complete(self) -> "Annotation":
        for seat, marks in enumerate(self.marks):
            for dimension in DIMENSIONS:
                if dimension.key not in marks:
                    raise ValueError(f"seat {seat} has no mark for {dimension.key}")
                if not dimension.low <= (score := marks[dimension.key].score) <= dimension.high:
                    raise ValueError(
                        f"{dimension.key} of seat {seat} is {score}, outside {dimension.low} to {dimension.high}"
                    )
        return self


#: One row a rater and seat.
ANNOTATIONS: dict[str, pl.DataType] = {
    "item": pl.String(),
    "episode": pl.String(),
    "task": pl.String(),
    "cast": pl.String(),
    "seat": pl.Int8(),
    "replicate": pl.Int32(),
    "player": pl.String(),
    "partner": pl.String(),
    "rater": pl.String(),
    **{key: pl.Int8() for key in KEYS},
    **{f"{key}_reason": pl.String() for key in KEYS},
    "seconds": pl.Float64(),
    "flags": pl.String(),
    "simulated": pl.Boolean(),
}


def annotations_frame(annotations: Iterable[Annotation], key: pl.DataFrame) -> pl.DataFrame:
    """Annotations as a table with the columns of `ANNOTATIONS`, in the order of item, rater and seat.

    `key` (`parley.records.item.KEY`) says whose the items are. Raises `ParleyError` for an item that it does not have.
    """
    known = {row["item"]: row for row in key.iter_rows(named=True)}
    rows = []
    for one in annotations:
        if one.item not in known:
            raise ParleyError(
                f"{one.rater} rated the item {one.item!r}, which is not among the {len(known)} of the key; "
                "take the key that the items were sampled with"
            )
        whose = known[one.item]
        players = whose["players"].split("+")
        for seat, marks in enumerate(one.marks):
            rows.append(
                {
                    **{name: whose[name] for name in ("item", "episode", "task", "cast", "replicate")},
                    **{"seat": seat, "player": players[seat], "partner": players[1 - seat], "rater": one.rater},
                    **{key: marks[key].score for key in KEYS},
                    **{f"{key}_reason": marks[key].reasoning for key in KEYS},
                    **{"seconds": one.seconds, "flags": ",".join(one.flags), "simulated": one.simulated},
                }
            )
    return pl.DataFrame(rows, schema=ANNOTATIONS).sort("item", "rater", "seat")
