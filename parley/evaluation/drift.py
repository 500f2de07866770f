"""Drift: whether a judge marks the same frozen episodes today as it did before."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from parley.evaluation.concord import PLACE, SEAT
from parley.evaluation.scores import MEASURES, scale
from parley.evaluation.statistics import paired_difference


def drift(judge: str, marks: Mapping[date, pl.DataFrame]) -> dict[str, Any]:
    """What `results/{experiment}/canary/{judge}.json` holds: each later date against the first, ready for JSON.

    `marks` are the judge's ratings of the same episodes by date, oldest first. `failed` counts seats without marks.
    """
    reference, *later = marks
    rated = {day: rows.filter(pl.col("failure").is_null()) for day, rows in marks.items()}
    return {
        "judge": judge,
        "reference": reference.isoformat(),
        "dates": [day.isoformat() for day in marks],
        "episodes": marks[reference]["episode"].n_unique(),
        "failed": {day.isoformat(): rows.height - rated[day].height for day, rows in marks.items()},
        "drift": [
            {"date": day.isoformat(), **row} for day in later for row in drift_rows(rated[reference], rated[day])
        ],
    }


def drift_rows(before: pl.DataFrame, now: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """For each dimension: the mark now minus the mark before on the same seats, its interval clustered by task.

    `moved` is how far a mark moves on average, either way; `same` the share of marks that do not.
    """
    both = now.join(before.select(*SEAT, *(pl.col(key).alias(f"{key}_before") for key in MEASURES)), on=SEAT)
    both = both.sort(*PLACE, "episode")
    for key in MEASURES:
        pair = both.select(now=pl.col(key).cast(pl.Float64), before=pl.col(f"{key}_before").cast(pl.Float64))
        apart = (pair["now"] - pair["before"]).abs()
        found = paired_difference(pair["now"].to_list(), pair["before"].to_list(), both["task"].to_list(), *scale(key))
        some = both.height > 0
        moved, same = (
            (float(apart.sum()) / both.height, float((apart == 0).sum()) / both.height) if some else (None, None)
        )
        yield {"dimension": key, **vars(found), "moved": moved, "same": same}
