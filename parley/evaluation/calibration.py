"""Human-calibrated scores: each policy's scores by people, by the judge, and by both together, from their ratings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from parley.errors import ParleyError
from parley.evaluation.ppi import Seats, by_judge, by_people, calibrated, halving
from parley.evaluation.scores import MEASURES, Places, seats_of
from parley.records.calibration import CALIBRATION
from parley.records.rating import RANGES

_PLACE = ["task", "cast", "seat", "replicate"]
_METHODS = {"people": by_people, "judge": by_judge, "calibrated": calibrated}


@dataclass(frozen=True)
class Rated:
    """The seats of a player in an evaluation that the judge rated, with people's means beside where they did."""

    player: str
    partner: str
    evaluation: str
    judge: str
    rows: pl.DataFrame

    def seats(self, measure: str) -> Seats:
        """One measure of it, for `parley.evaluation.ppi`."""
        rows = self.rows
        people = rows[f"{measure}_people"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        judged = rows[measure].cast(pl.Float64).to_numpy()
        return Seats(rows.select(_PLACE).rows(), rows["task"].to_list(), judged, people)

    def among(self, other: "Rated") -> "Rated":
        """Only those seats that the other player was rated in too, at the same place."""
        common = self.rows.join(other.rows, on=_PLACE, how="semi").sort(_PLACE)
        return Rated(self.player, self.partner, self.evaluation, self.judge, common)

    @property
    def by_people(self) -> int:
        """How many of the seats people rated."""
        return self.rows.height - self.rows[f"{MEASURES[0]}_people"].null_count()


def rated(judge: pl.DataFrame, people: pl.DataFrame, source: Mapping[str, str], among: Places) -> Rated:
    """The seats of `source`'s `player` facing its `partner` in an `evaluation`, as its `judge` and people rated them.

    `judge` is a table of `parley.records.rating.SCHEMA`, `people` one of `read_people`. A seat whose rating by the judge
    failed is left out. Raises `ParleyError` if people rated a seat that the judge's files do not have.
    """
    player, partner = source["player"], source["partner"]
    mine, theirs = (seats_of(rows, player, partner, among) for rows in (judge, people))
    if (stray := theirs.join(mine, on=_PLACE, how="anti")).height:
        task, cast, seat, replicate = stray.select(_PLACE).sort(_PLACE).row(0)
        raise ParleyError(
            f"people rated {player} in seat {seat} of task {task!r}, cast {cast}, replicate {replicate}, which the "
            f"ratings of {source['judge']} do not have; take it out of people's ratings, or have the judge rate that episode"
        )
    columns = [pl.col(measure).alias(f"{measure}_people") for measure in MEASURES]
    both = mine.join(theirs.select(*_PLACE, *columns), on=_PLACE, how="left")
    both = both.filter(pl.col("failure").is_null()).sort(_PLACE)
    return Rated(player, partner, source["evaluation"], source["judge"], both)


def sampled(places: Mapping[str, Places], rated_places: Places) -> list[str]:
    """The evaluations, of these tasks and casts each, of which the places that people rated can be a fair sample.

    Not those of which they saw a kind of task alone: where the tasks that they saw all belong to another evaluation with
    some of the tasks only, as the hard ones are some of all.
    """
    tasks = {name: _names(here) for name, here in places.items()}
    found = []
    for name, here in places.items():
        seen = _names(set(here) & set(rated_places))
        if seen and not any(seen <= other < tasks[name] for other in tasks.values()):
            found.append(name)
    return found


def means(all_rated: Mapping[Any, Rated], simulated: bool) -> pl.DataFrame:
    """The scores of every player by every method, with the columns of `parley.records.calibration.CALIBRATION`."""
    table = [row for one in all_rated.values() for row in _rows(simulated, one)]
    return pl.DataFrame(table, schema=CALIBRATION)


def differences(all_rated: Mapping[tuple[str, str], Rated], baseline: str, simulated: bool) -> pl.DataFrame:
    """What every player, by (evaluation, player), has over the baseline in the same evaluation: the same columns.

    The judge's seats are matched as in `parley.evaluation.scores.paired`. People need not have rated the same seats of both.
    """
    table: list[dict[str, Any]] = []
    for (evaluation, player), one in all_rated.items():
        base = all_rated.get((evaluation, baseline))
        if player != baseline and base is not None:
            table += _rows(simulated, one.among(base), base.among(one))
    return pl.DataFrame(table, schema=CALIBRATION)


def _rows(simulated: bool, *sides: Rated) -> Iterator[dict[str, Any]]:
    first = sides[0]
    shared = {
        "player": first.player,
        "partner": first.partner,
        "evaluation": first.evaluation,
        "judge": first.judge,
        "simulated": simulated,
    }
    for measure in MEASURES:
        seats = [side.seats(measure) for side in sides]
        for method, by in _METHODS.items():
            found = by(*seats, within=RANGES[measure])
            more = halving(found, *seats)
            yield {**shared, "dimension": measure, "method": method, **vars(found), "halving": more}


def _names(places: Places) -> set[str]:
    return {task for task, _ in places}
