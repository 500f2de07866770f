"""The judges of an evaluation side by side: what each says of each player, and how far that depends on the judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import polars as pl

from parley.evaluation.concord import agreement_rows, gain_rows, order_rows
from parley.evaluation.position import position_rows
from parley.evaluation.scores import MEASURES, Places, seats_of
from parley.evaluation.statistics import clustered_mean
from parley.evaluation.verbosity import verbosity_rows
from parley.records.rating import SCHEMA


@dataclass(frozen=True)
class Bench:
    """What the judges of one evaluation have marked.

    `ratings` and `swapped` are by judge, the first of them the one whose marks are the scores; `swapped` is empty where
    only one order was asked for. `talk` says how much each seat said. `taught` names by judge the players that learned
    from what its ratings selected.
    """

    evaluation: str
    partner: str
    players: Sequence[str]
    baseline: str
    among: Places
    ratings: Mapping[str, pl.DataFrame]
    talk: pl.DataFrame
    swapped: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    taught: Mapping[str, Sequence[str]] = field(default_factory=dict)


def compare_judges(bench: Bench) -> dict[str, Any]:
    """What `results/{experiment}/judges/{evaluation}.json` holds (docs/judges.md), ready to be written as JSON."""
    rated = {judge: _rated(bench, frame) for judge, frame in bench.ratings.items()}
    marked = {judge: rows.filter(pl.col("failure").is_null()) for judge, rows in rated.items()}
    pairs = list(combinations(marked, 2))

    def of_pairs(rows: Any, *more: Any) -> list[dict[str, Any]]:
        return [{"judge": a, "other": b, **row} for a, b in pairs for row in rows(marked[a], marked[b], *more)]

    gains = of_pairs(gain_rows, bench.players, bench.baseline)
    return {
        "evaluation": bench.evaluation,
        "partner": bench.partner,
        "judges": list(rated),
        "taught": {judge: list(bench.taught.get(judge, [])) for judge in rated},
        "scores": [row for judge in rated for row in _scores(bench, judge, rated[judge])],
        "agreement": of_pairs(agreement_rows),
        "orders": of_pairs(order_rows, bench.players),
        "gains": [{**row, "taught_by": _teachers(bench, row)} for row in gains],
        "position": [
            {"judge": judge, **row}
            for judge, swapped in bench.swapped.items()
            for row in position_rows(_all_seats(bench, bench.ratings[judge]), _all_seats(bench, swapped))
        ],
        "verbosity": [
            {"judge": judge, **row} for judge, rows in marked.items() for row in verbosity_rows(rows, bench.talk)
        ],
    }


def _rated(bench: Bench, frame: pl.DataFrame) -> pl.DataFrame:
    """The seats that are measured, one row each."""
    found = [seats_of(frame, player, bench.partner, bench.among) for player in bench.players]
    whole: pl.DataFrame = pl.concat([pl.DataFrame(schema=SCHEMA), *(rows.select(*SCHEMA) for rows in found)])
    return whole


def _all_seats(bench: Bench, frame: pl.DataFrame) -> pl.DataFrame:
    """Every seat that was marked, the partner's too: what the order does is not the player's alone."""
    places = {(task, "+".join(cast)) for task, cast in bench.among}
    wanted = pl.DataFrame(sorted(places), schema={"task": pl.String(), "cast": pl.String()}, orient="row")
    rows = frame.filter(pl.col("failure").is_null()).join(wanted, on=["task", "cast"], how="semi")
    return rows.unique(["episode", "seat"], maintain_order=True)


def _scores(bench: Bench, judge: str, rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for player in bench.players:
        mine = rows.filter(player=player)
        known = mine.filter(pl.col("failure").is_null())
        taught = player in bench.taught.get(judge, [])
        for key in MEASURES:
            values = known[key].cast(pl.Float64).to_list()
            found = vars(clustered_mean(values, known["task"].to_list()))
            failed = mine.height - known.height
            yield {"judge": judge, "player": player, "dimension": key, **found, "failed": failed, "taught": taught}


def _teachers(bench: Bench, row: Mapping[str, Any]) -> list[str]:
    return [judge for judge in (row["judge"], row["other"]) if row["player"] in bench.taught.get(judge, [])]
