"""Position: what it does to a mark that the agent is shown first in the judge's prompt."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from parley.evaluation.concord import PLACE, SEAT
from parley.evaluation.scores import MEASURES, scale
from parley.evaluation.statistics import clustered_mean, paired_difference


def position_rows(ratings: pl.DataFrame, swapped: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """For each dimension: the mark of an agent that is shown first minus that of the same agent shown second.

    `ratings` show seat 0 first, `swapped` seat 1; failed ones are left out. The interval is clustered by task. `moved` is
    how far a mark moves on average, either way; `same` the share of marks that do not. Other reasons why a judge
    answers otherwise the second time (its temperature) move marks too, but in no direction.
    """
    again = swapped.select(*SEAT, *(pl.col(key).alias(f"{key}_swapped") for key in MEASURES))
    both = ratings.join(again, on=SEAT).sort(*PLACE, "episode")
    tasks, first = both["task"].to_list(), pl.col("seat") == 0
    for key in MEASURES:
        one, other = pl.col(key).cast(pl.Float64), pl.col(f"{key}_swapped").cast(pl.Float64)
        shown = both.select(
            first=pl.when(first).then(one).otherwise(other), second=pl.when(first).then(other).otherwise(one)
        )
        moved = (shown["first"] - shown["second"]).abs()
        found = paired_difference(shown["first"].to_list(), shown["second"].to_list(), tasks, *scale(key))
        yield {
            "dimension": key,
            **vars(found),
            "moved": clustered_mean(moved.to_list(), tasks).mean,
            "same": float((moved == 0).sum()) / both.height if both.height else None,
        }
