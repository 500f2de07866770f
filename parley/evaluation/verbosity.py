"""Verbosity: whether those who say more get higher marks, within a task."""

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from parley.evaluation.concord import HEADLINES, PLACE, SEAT
from parley.evaluation.statistics import Difference, cluster_means, clustered_test
from parley.records.episode import Episode

#: What is said of a seat, and how much of it the slopes are for.
AMOUNTS = {"words": 100, "turns": 1}
#: What is held equal: the task, or the player on the task too, so that better players who talk more do not count.
WITHIN = {"task": ["task"], "task and player": ["task", "player"]}
TALK: dict[str, pl.DataType] = {"episode": pl.String(), "seat": pl.Int8(), "words": pl.Int32(), "turns": pl.Int32()}


@dataclass(frozen=True)
class Slope:
    """How marks go with an amount: the change of the mark for one more, with its test, and the correlation."""

    change: Difference
    correlation: float | None


def talk_of(episodes: Iterable[Episode]) -> pl.DataFrame:
    """How much each seat of each episode said and did: words in all turns, and turns in which it was not silent."""
    rows = []
    for episode in episodes:
        for seat in (0, 1):
            acts = [turn.action for turn in episode.turns if turn.seat == seat and turn.action.action_type != "none"]
            words = sum(len(act.argument.split()) for act in acts)
            rows.append({"episode": episode.id, "seat": seat, "words": words, "turns": len(acts)})
    return pl.DataFrame(rows, schema=TALK)


def verbosity_rows(ratings: pl.DataFrame, talk: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """For GOAL and the mean of all: the change of the mark with words (per hundred) and turns (each), clustered by task.

    `ratings` hold one row a seat with its marks, failed ones left out.
    """
    rows = ratings.join(talk, on=SEAT).sort(PLACE)
    for key in HEADLINES:
        marks = rows[key].cast(pl.Float64).to_list()
        for amount, per in AMOUNTS.items():
            said = [value / per for value in rows[amount].to_list()]
            for within, columns in WITHIN.items():
                found = slope_within(said, marks, list(rows.select(columns).iter_rows()), rows["task"].to_list())
                fields = dict(vars(found.change))
                told = {"dimension": key, "amount": amount, "per": per, "within": within, "slope": fields.pop("mean")}
                yield {**told, **fields, "correlation": found.correlation}


def slope_within(
    x: Sequence[float], y: Sequence[float], groups: Sequence[Hashable], clusters: Sequence[Hashable]
) -> Slope:
    """The slope of `y` on `x` with an intercept for each group, its error clustered (CR1, G - 1 degrees of freedom).

    It is a mean of linearised values, one an observation, so its interval and test are those of a clustered mean. None
    where x never varies within a group.
    """
    across, up = _centred(x, groups), _centred(y, groups)
    spread, rise = math.fsum(across**2), math.fsum(up**2)
    if spread <= 1e-12 * max(1.0, float(np.square(np.asarray(x, dtype=np.float64)).sum())):
        empty = clustered_test([], [])
        return Slope(Difference(**{**vars(empty), "n": len(x), "clusters": len(set(clusters))}), None)
    slope = math.fsum(across * up) / spread
    values = slope + across * (up - slope * across) * len(x) / spread
    correlation = slope * math.sqrt(spread / rise) if rise > 0 else None
    return Slope(clustered_test(values.tolist(), clusters), correlation)


def _centred(values: Sequence[float], groups: Sequence[Hashable]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    means = cluster_means(values, groups)
    return np.array([value - means[group] for value, group in zip(values, groups, strict=True)], dtype=np.float64)
