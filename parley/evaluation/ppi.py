"""Prediction-powered means: people's ratings of some seats and a judge's of all, as one estimate of what people would say.

PPI++ (Angelopoulos, Duchi and Zrnic, "PPI++: Efficient Prediction-Powered Inference", 2023): the mean of people's ratings,
moved by `weight` times how far the judge's mean over all seats is from its mean over people's seats. The judge's bias
cancels whatever it is, and the weight is small where the judge follows people badly. Four things are particular here.

- Seats of a task belong together, and people's seats are some of the judge's. So each task has one contribution to the
  error, from its seats that people rated and from all that the judge did, and the variance is that of contributions.
- Tasks are few, so the weight is uncertain. It is drawn towards nought as far as it is (the garotte of Breiman, "Better
  Subset Regression Using the Nonnegative Garrote", 1995), its uncertainty is in the variance, as that of a regression
  estimate (Cochran, "Sampling Techniques", 1977, chapter 7), and it costs a degree of freedom.
- Where that gives no shorter interval than people's ratings alone, those alone are the result, with weight 0.
- The unit of a difference is the pair of means, so people need not have rated the same seats of both players.

It holds where people's seats are a fair sample of the judge's: drawn without looking at what happened in them.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from parley.evaluation.components import components
from parley.evaluation.statistics import (
    Estimate,
    bounded_interval,
    clustered_mean,
    clustered_score,
    difference_interval,
    paired_difference,
    t_quantile,
    tailed_freedom,
)

#: The range of a score, and its least step.
Range = tuple[float, float, float]


@dataclass(frozen=True)
class Seats:
    """The seats of one player that the judge rated: where, in which task, by the judge, and by people (NaN: not rated)."""

    places: Sequence[Hashable]
    tasks: Sequence[Hashable]
    judge: NDArray[np.float64]
    people: NDArray[np.float64]

    @property
    def rated(self) -> NDArray[np.bool_]:
        """Which seats people rated."""
        return ~np.isnan(self.people)


@dataclass(frozen=True)
class Powered:
    """A mean, or a difference of means, with its 95 % interval; None as in `parley.evaluation.statistics.Estimate`.

    `n_people` and `n_judge` count the rated seats (of two players: of the one with fewer), `clusters` the tasks that the
    interval rests on. `weight` is the part of the judge's word that was taken.
    """

    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    n_people: int
    n_judge: int
    clusters: int
    weight: float | None = None


def by_judge(*sides: Seats, within: Range | None = None) -> Powered:
    """The judge's mean over all seats, its bias and all; of two sides, over the same places: the first minus the second."""
    first, *others = sides
    if others:
        found: Estimate = _difference(first.judge.tolist(), others[0].judge.tolist(), first.tasks, within)
    else:
        found = _mean(first.judge.tolist(), first.tasks, within)
    return _powered(found, sides)


def by_people(*sides: Seats, within: Range | None = None) -> Powered:
    """People's mean over the seats that they rated; of two sides: the first's minus the second's."""
    values = [side.people[side.rated].tolist() for side in sides]
    places = [_where(side.places, side.rated) for side in sides]
    tasks = [_where(side.tasks, side.rated) for side in sides]
    if len(sides) == 1:
        found = _mean(values[0], tasks[0], within)
    elif places[0] == places[1]:
        found = _difference(values[0], values[1], tasks[0], within)
    else:
        study = _Study(sides)
        found = _with_interval(study.estimate(study.people, float((study.a**2).sum()), fitted=1), study, 0.0, 1)
    weight = None if found.mean is None else 0.0
    return _powered(found, sides, weight)


def calibrated(*sides: Seats, within: Range | None = None) -> Powered:
    """What people would say of all seats, by their ratings and the judge's; of two sides: the first's minus the second's."""
    alone, study = by_people(*sides, within=within), _Study(sides)
    weight, noise = study.weigh()
    if study.people is None or weight == 0:
        return alone
    square = float(((study.a - weight * study.b) ** 2).sum())
    square += study.distance**2 * noise * (study.groups - 2) / study.groups
    found = study.estimate(study.people + weight * study.distance, square, fitted=2)
    if len(sides) > 1:
        found = _with_interval(found, study, weight, fitted=2)
    elif within is not None and found.mean is not None and found.se:
        degrees = study.freedom(weight, fitted=2)
        low, high = bounded_interval(found.mean, found.se, degrees, *within[:2])
        found = replace(found, low=low, high=high)
    if _width(found) >= _width(alone):
        return alone
    return _powered(found, sides, weight)


def halving(found: Powered, *sides: Seats) -> int | None:
    """How many more seats of each player people would have to rate for half the standard error of `found`.

    Tasks without a rating come first. A further seat takes away of the variance what not having rated it adds: that of what
    is left of people's rating when the judge's is taken off, between tasks and within them. What the choice of tasks adds
    stays, so None where even all seats that the judge rated would not do, and for the judge alone.
    """
    left, tasks = _left(sides, found.weight or 0.0)
    parts = components(left, tasks)
    if found.se is None or found.weight is None or parts is None:
        return None
    all_seats = min(side.judge.size for side in sides)
    all_tasks, n, groups = len({task for side in sides for task in side.tasks}), len(left), len(set(tasks))
    more = np.arange(max(0, all_seats - n) + 1)
    of_tasks = np.minimum(groups + more, all_tasks)
    added = parts.between * (1 / of_tasks - 1 / all_tasks) + parts.within * (1 / (n + more) - 1 / all_seats)
    variance = max(0.0, found.se**2 - added[0]) + added
    enough = np.flatnonzero(variance <= found.se**2 / 4)
    return int(more[enough[0]]) if enough.size else None


class _Study:
    """What each task adds to the error of people's means (`a`), and of how far the judge's two means are apart (`b`)."""

    def __init__(self, sides: Sequence[Seats]) -> None:
        codes: dict[Hashable, int] = {}
        index = [
            np.array([codes.setdefault(task, len(codes)) for task in side.tasks], dtype=np.int64) for side in sides
        ]
        self.sides = sides
        self.a, self.b = np.zeros(len(codes)), np.zeros(len(codes))
        self.rated = np.zeros(len(codes), dtype=np.bool_)
        self.people: float | None = None
        self.distance = 0.0
        if not all(side.rated.any() for side in sides):
            return
        self.people = 0.0
        for side, task, sign in zip(sides, index, (1.0, -1.0), strict=False):
            rated = side.rated
            y, f = side.people[rated], side.judge[rated]
            self.people += sign * float(y.mean())
            self.distance += sign * float(side.judge.mean() - f.mean())
            np.add.at(self.a, task[rated], sign * (y - y.mean()) / y.size)
            np.add.at(self.b, task[rated], sign * (f - f.mean()) / f.size)
            np.add.at(self.b, task, -sign * (side.judge - side.judge.mean()) / side.judge.size)
            self.rated[task[rated]] = True

    @property
    def groups(self) -> int:
        """Tasks in which people rated something: those that decide how sure the result is."""
        return int(self.rated.sum())

    def weigh(self) -> tuple[float, float]:
        """The weight of the judge's word, from 0 to 1, and the variance of the estimate that it was made of.

        It is the least-squares slope of people's contributions on the judge's: the tuning of PPI++ with tasks for rows.
        """
        spread = float((self.b**2).sum())
        if self.people is None or self.groups < 4 or spread < 1e-18:
            return 0.0, 0.0
        slope = float((self.a * self.b).sum()) / spread
        left = float(((self.a - slope * self.b)[self.rated] ** 2).sum()) / (self.groups - 2)
        noise = left * float((self.b[self.rated] ** 2).sum()) / spread**2
        if slope <= 0 or noise >= slope**2:
            return 0.0, 0.0
        return min(1.0, slope - noise / slope), noise

    def freedom(self, weight: float, fitted: int) -> float:
        """The degrees of freedom after so many numbers were fitted, less what long tails of the contributions take."""
        return tailed_freedom(self.groups - fitted, (self.a - weight * self.b)[self.rated].tolist())

    def estimate(self, mean: float | None, square: float, fitted: int) -> Estimate:
        """An estimate whose contributions have this sum of squares, after so many numbers were fitted to them."""
        freedom = self.groups - fitted
        rows = min(int(side.rated.sum()) for side in self.sides)
        if mean is None or freedom < 1:
            return Estimate(mean, None, None, None, rows, self.groups)
        se = math.sqrt(square * self.groups / freedom)
        reach = t_quantile(freedom) * se
        return Estimate(mean, se, mean - reach, mean + reach, rows, self.groups)


def _left(sides: Sequence[Seats], weight: float) -> tuple[list[float], list[Hashable]]:
    """People's ratings less the judge's weighed; of two sides the differences where people rated both."""
    first, *others = [
        {
            place: (float(y - weight * f), task)
            for place, task, y, f in zip(side.places, side.tasks, side.people, side.judge, strict=True)
            if not np.isnan(y)
        }
        for side in sides
    ]
    if others:
        both = [place for place in first if place in others[0]]
        first = {place: (first[place][0] - others[0][place][0], first[place][1]) for place in both}
    return [value for value, _ in first.values()], [task for _, task in first.values()]


def _mean(values: Sequence[float], tasks: Sequence[Hashable], within: Range | None) -> Estimate:
    return clustered_mean(values, tasks) if within is None else clustered_score(values, tasks, *within)


def _difference(a: list[float], b: list[float], tasks: Sequence[Hashable], within: Range | None) -> Estimate:
    if within is None:
        return paired_difference(a, b, tasks)
    least, most, step = within
    return paired_difference(a, b, tasks, step, most - least)


def _with_interval(found: Estimate, study: _Study, weight: float, fitted: int) -> Estimate:
    """The difference with the interval of one, where people rated some seats of both: these tell how often they differ."""
    apart, _ = _left(study.sides, 0.0)
    if found.mean is None or not found.se or not any(apart):
        return found
    low, high = difference_interval(found.mean, found.se, study.freedom(weight, fitted), apart)
    return replace(found, low=low, high=high)


def _powered(found: Estimate, sides: Sequence[Seats], weight: float | None = None) -> Powered:
    rated, judged = (min(counts) for counts in ([int(s.rated.sum()) for s in sides], [s.judge.size for s in sides]))
    return Powered(found.mean, found.se, found.low, found.high, rated, judged, found.clusters, weight)


def _width(found: Estimate | Powered) -> float:
    return math.inf if found.low is None or found.high is None else found.high - found.low


def _where(names: Sequence[Hashable], chosen: NDArray[np.bool_]) -> list[Hashable]:
    return [name for name, one in zip(names, chosen, strict=True) if one]
