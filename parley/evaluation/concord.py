"""Concord: how far two judges who marked the same seats say the same, and whether they order the players alike."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import polars as pl

from parley.evaluation.scores import MEASURES, scale
from parley.evaluation.statistics import paired_difference

#: What identifies a marked seat.
SEAT = ["episode", "seat"]
#: What makes two players' seats comparable: the same task, cast, seat and replicate.
PLACE = ["task", "cast", "seat", "replicate"]
#: The dimensions by which players are ordered.
HEADLINES = ("goal", "overall")
_CHANGE = ("difference", "low", "high", "p")


def agreement_rows(a: pl.DataFrame, b: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """For each dimension: how the marks of two judges on the same seats differ, and how they go together.

    `a` and `b` hold one row a seat with its marks, failed ones left out. `difference` is a's mark minus b's, its
    interval clustered by task. `exact` and `within_one` are shares of the seats; the mean of seven is never told exactly.
    """
    both = a.join(b.select(*SEAT, *(pl.col(key).alias(f"{key}_b") for key in MEASURES)), on=SEAT).sort(PLACE)
    tasks = both["task"].to_list()
    for key in MEASURES:
        pair = both.select(a=pl.col(key).cast(pl.Float64), b=pl.col(f"{key}_b").cast(pl.Float64))
        apart = (pair["a"] - pair["b"]).abs()
        fields = dict(vars(paired_difference(pair["a"].to_list(), pair["b"].to_list(), tasks, *scale(key))))
        yield {
            "dimension": key,
            "difference": fields.pop("mean"),
            **fields,
            "pearson": _correlation(pair, "pearson"),
            "spearman": _correlation(pair, "spearman"),
            "exact": None if key == "overall" else _share(apart <= 0),
            "within_one": _share(apart <= 1),
        }


def order_rows(a: pl.DataFrame, b: pl.DataFrame, players: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For GOAL and the mean of all: each judge's order of the players, and every two that the other puts the other way.

    `clear` says that both judges are sure of their own order: neither interval of the paired difference holds zero.
    """
    for key in HEADLINES:
        orders = {name: _order(side, players, key) for name, side in (("a", a), ("b", b))}
        reversed_ = []
        for first, second in combinations(players, 2):
            changes = {name: change(side, first, second, key) for name, side in (("a", a), ("b", b))}
            one, other = (changes[name]["difference"] for name in ("a", "b"))
            if one is not None and other is not None and one * other < 0:
                clear = all(_clear(told) for told in changes.values())
                reversed_.append({"first": first, "second": second, **changes, "clear": clear})
        yield {"dimension": key, **orders, "alike": not reversed_, "reversed": reversed_}


def gain_rows(a: pl.DataFrame, b: pl.DataFrame, players: Sequence[str], baseline: str) -> Iterator[dict[str, Any]]:
    """What each judge says a player has over the baseline, and by how much judge `a` says more of it than `b`.

    The difference of the two gains is taken seat by seat, where both judges marked both players, clustered by task.
    """
    for player in players:
        for key in HEADLINES if player != baseline else ():
            sides = [_gains(side, player, baseline, key) for side in (a, b)]
            both = sides[0].join(sides[1].rename({"gain": "gain_b"}), on=PLACE).sort(PLACE)
            more = paired_difference(
                both["gain"].to_list(), both["gain_b"].to_list(), both["task"].to_list(), scale(key)[0]
            )
            fields = dict(vars(more))
            yield {
                "player": player,
                "baseline": baseline,
                "dimension": key,
                "a": change(a, player, baseline, key),
                "b": change(b, player, baseline, key),
                "difference": fields.pop("mean"),
                **fields,
            }


def change(rows: pl.DataFrame, player: str, other: str, key: str) -> dict[str, float | None]:
    """The paired difference `player` minus `other` on a dimension, with interval and p."""
    gains = _gains(rows, player, other, key)
    found = paired_difference(gains["gain"].to_list(), [0.0] * gains.height, gains["task"].to_list(), *scale(key))
    return dict(zip(_CHANGE, (found.mean, found.low, found.high, found.p), strict=True))


def _gains(rows: pl.DataFrame, player: str, other: str, key: str) -> pl.DataFrame:
    mine, theirs = (rows.filter(player=name).select(*PLACE, pl.col(key).cast(pl.Float64)) for name in (player, other))
    both = mine.join(theirs, on=PLACE, suffix="_other").sort(PLACE)
    return both.select(*PLACE, gain=pl.col(key) - pl.col(f"{key}_other"))


def _order(rows: pl.DataFrame, players: Sequence[str], key: str) -> list[str]:
    """The players with marks, the highest mean first; equal means in the order of the config."""
    means = {player: rows.filter(player=player)[key].mean() for player in players}
    known = {player: float(mean) for player, mean in means.items() if isinstance(mean, int | float)}
    return sorted(known, key=lambda player: -known[player])


def _clear(told: dict[str, float | None]) -> bool:
    low, high = told["low"], told["high"]
    return low is not None and high is not None and not low <= 0 <= high


def _share(hits: pl.Series) -> float | None:
    return float(hits.sum()) / len(hits) if len(hits) else None


def _correlation(pair: pl.DataFrame, method: str) -> float | None:
    """None where one of the two never varies."""
    kind: Any = method
    found = pair.select(pl.corr("a", "b", method=kind)).item()
    return None if found is None or math.isnan(found) else float(found)
