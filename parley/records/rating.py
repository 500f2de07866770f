"""A rating: a judge's seven scores with reasons for one seat of one episode (SOTOPIA-EVAL)."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import Field, model_validator

from parley.records.frames import read_parquet
from parley.records.jsonl import Record
from parley.records.task import Cast


@dataclass(frozen=True)
class Dimension:
    """One of the seven dimensions: its key, its short name in tables, and its inclusive range."""

    key: str
    short: str
    low: int
    high: int


#: Ranges from arXiv 2310.11667, section 3.3; the order is the one of the prompts.
DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("believability", "BEL", 0, 10),
    Dimension("relationship", "REL", -5, 5),
    Dimension("knowledge", "KNO", 0, 10),
    Dimension("secret", "SEC", -10, 0),
    Dimension("social_rules", "SOC", -10, 0),
    Dimension("financial_and_material_benefits", "FIN", -5, 5),
    Dimension("goal", "GOAL", 0, 10),
)
KEYS: tuple[str, ...] = tuple(dimension.key for dimension in DIMENSIONS)
#: The range of what is scored and the least step in it: of the seven, and of `overall`, their mean.
RANGES: dict[str, tuple[float, float, float]] = {
    **{dimension.key: (dimension.low, dimension.high, 1.0) for dimension in DIMENSIONS},
    "overall": (
        sum(dimension.low for dimension in DIMENSIONS) / len(KEYS),
        sum(dimension.high for dimension in DIMENSIONS) / len(KEYS),
        1 / len(KEYS),
    ),
}


class Mark(Record):
    """A score on one dimension and the judge's reason for it."""

    reasoning: str
    score: int


class Rating(Record):
    """The marks that `judge` gave to the player in `seat`; `failure` instead of marks where no answer could be read.

    A failed rating has no scores at all: it is never 0, and it is counted wherever scores are averaged.
    """

    episode: str
    task: str
    cast: Cast
    seat: int = Field(ge=0, le=1)
    name: str
    player: str
    partner: str
    replicate: int
    judge: str
    call: str
    marks: dict[str, Mark] | None
    failure: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Rating":
        if (self.marks is None) == (self.failure is None):
            raise ValueError("a rating has either marks or a failure")
        if self.marks is not None:
            for dimension in DIMENSIONS:
                if dimension.key not in self.marks:
                    raise ValueError(f"{dimension.key} is missing")
                if not dimension.low <= self.marks[dimension.key].score <= dimension.high:
                    raise ValueError(f"{dimension.key} is outside {dimension.low} to {dimension.high}")
        return self

    @property
    def overall(self) -> float | None:
        """The plain mean of the seven raw scores, as SOTOPIA defines it; None for a failed rating."""
        return None if self.marks is None else sum(self.marks[key].score for key in KEYS) / len(KEYS)


#: One row a rated seat: who and what, the seven scores and `overall` (null if failed), `{dimension}_reason`.
SCHEMA: dict[str, pl.DataType] = {
    "episode": pl.String(),
    "task": pl.String(),
    "cast": pl.String(),
    "seat": pl.Int8(),
    "name": pl.String(),
    "player": pl.String(),
    "partner": pl.String(),
    "replicate": pl.Int32(),
    "judge": pl.String(),
    "call": pl.String(),
    "failure": pl.String(),
    **{key: pl.Int8() for key in KEYS},
    "overall": pl.Float64(),
    **{f"{key}_reason": pl.String() for key in KEYS},
}


def ratings_frame(ratings: list[Rating]) -> pl.DataFrame:
    """Ratings as a table with the columns of `SCHEMA`; `cast` is the two ids joined by `+`."""
    rows = [
        {
            **rating.model_dump(exclude={"marks", "cast"}),
            "cast": "+".join(rating.cast),
            "overall": rating.overall,
            **{key: rating.marks[key].score if rating.marks else None for key in KEYS},
            **{f"{key}_reason": rating.marks[key].reasoning if rating.marks else None for key in KEYS},
        }
        for rating in ratings
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def ratings_of(frame: pl.DataFrame) -> list[Rating]:
    """The ratings that a table with the columns of `SCHEMA` was made of."""
    ratings = []
    for row in frame.select(*SCHEMA).iter_rows(named=True):
        marks = {key: {"reasoning": row[f"{key}_reason"], "score": row[key]} for key in KEYS}
        fields = {key: row[key] for key in Rating.model_fields if key not in ("cast", "marks")}
        cast = tuple(row["cast"].split("+"))
        ratings.append(
            Rating.model_validate({**fields, "cast": cast, "marks": marks if row["failure"] is None else None})
        )
    return ratings


def read_ratings(paths: list[str] | list[Path]) -> pl.DataFrame:
    """The rows of several rating files, in the order of the paths."""
    return pl.concat([read_parquet(path) for path in paths]) if paths else pl.DataFrame(schema=SCHEMA)
