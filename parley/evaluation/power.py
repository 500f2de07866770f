"""Power: what a study of so many tasks could find, before it is run.

The test is the one that is made afterwards: paired, by task, two-sided at 5 %. Its noncentral t gives the smallest true
difference that it would find 80 times in 100 (Cohen, "Statistical Power Analysis", 1988), and how many tasks a difference
needs. What that rests on is how much the difference of two policies varies, between tasks and from seat to seat in one.
"""

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from parley.evaluation.components import Components
from parley.evaluation.scores import MEASURES

ALPHA, POWER = 0.05, 0.8
#: The standard deviation, between tasks, of the mean difference over a task's two seats in people's ratings of the paper:
#: difference / t * sqrt(14), from its Tables 5 and 6, as the root of the mean square over the policies that were compared
#: with the last one (where |t| is at least 0.4, so that rounding decides nothing).
PUBLISHED_SPREAD: Mapping[str, float] = dict(
    zip(MEASURES, (1.84, 1.38, 1.24, 0.59, 1.02, 0.89, 2.81, 0.52), strict=True)
)
#: How much of the variance of one seat's difference is between tasks. It is not published; in the embedded world it is
#: between 0 and 0.2, and the more it is, the less further casts of the same tasks help.
ASSUMED_SHARE = 0.2


def published(measure: str) -> Components:
    """The components that the paper's spread comes to, two seats a task, with the assumed share between tasks."""
    total = PUBLISHED_SPREAD[measure] ** 2 / (ASSUMED_SHARE + (1 - ASSUMED_SHARE) / 2)
    return Components(ASSUMED_SHARE * total, (1 - ASSUMED_SHARE) * total)


def pooled(found: list[Components]) -> Components:
    """The mean of several estimates of the same components, one at least."""
    n = len(found)
    return Components(sum(one.between for one in found) / n, sum(one.within for one in found) / n)


def power(difference: float, spread: Components, tasks: int, seats: float, alpha: float = ALPHA) -> float:
    """How often a test finds a true difference, with so many tasks and seats of a policy in each; 0 with one task."""
    from scipy.special import ndtr, stdtrit

    if tasks < 2:
        return 0.0
    error = math.sqrt(spread.of_mean(tasks, tasks * seats))
    if error == 0:
        return float(difference != 0)
    # The noncentral t, averaged over what the standard error is estimated to be: true for any difference and any tasks.
    away, reach = abs(difference) / error, float(stdtrit(tasks - 1, 1 - alpha / 2)) * _estimated(tasks - 1)
    return float((ndtr(away - reach) + ndtr(-away - reach)).mean())


@lru_cache(maxsize=256)
def _estimated(freedom: int) -> NDArray[np.float64]:
    """How many times the true standard error its estimate is: the middles of 2,000 equally likely parts."""
    from scipy.special import gammaincinv

    parts = (np.arange(2000) + 0.5) / 2000
    estimated: NDArray[np.float64] = np.sqrt(2 * gammaincinv(freedom / 2, parts) / freedom)
    return estimated


def detectable(spread: Components, tasks: int, seats: float, alpha: float = ALPHA) -> float | None:
    """The smallest true difference that is found with `POWER`; None with one task, which finds nothing."""
    if tasks < 2:
        return None
    low, high = 0.0, math.sqrt(spread.of_mean(tasks, tasks * seats))
    if high == 0:
        return 0.0
    while power(high, spread, tasks, seats, alpha) < POWER:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, spread, tasks, seats, alpha) < POWER else (low, middle)
    return high


def tasks_needed(
    difference: float, spread: Components, seats: float, alpha: float = ALPHA, most: int = 100_000
) -> int | None:
    """How few tasks find a true difference with `POWER`; None if that is more than `most`."""
    low, high = 1, 2
    while power(difference, spread, high, seats, alpha) < POWER:
        if high >= most:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power(difference, spread, middle, seats, alpha) < POWER else (low, middle)
    return high if high <= most else None
