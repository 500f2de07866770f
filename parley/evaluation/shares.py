"""Paired shares: how far two policies differ that answered the same questions right or wrong, by Tango's score.

Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design" (1998).
Its test of no difference is McNemar's, and zero is in its interval just where that finds none.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist


def changes(first: Sequence[float], second: Sequence[float]) -> tuple[int, int]:
    """How many questions the first alone answered right, and how many the second alone."""
    pairs = list(zip(first, second, strict=True))
    return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)


def score_bounds(gained: int, lost: int, n: int, confidence: float) -> tuple[float, float]:
    """The one-sided score bounds of the difference (`gained` - `lost`) / `n` of paired shares, from below and above."""
    reach = NormalDist().inv_cdf(confidence)
    estimate = (gained - lost) / n
    return (
        _crossing(gained, lost, n, reach, -1.0, estimate),
        _crossing(gained, lost, n, -reach, estimate, 1.0),
    )


def _crossing(gained: int, lost: int, n: int, wanted: float, low: float, high: float) -> float:
    """Where the score, which falls as the difference rises, is `wanted`."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(gained, lost, n, middle) > wanted else (low, middle)
    return (low + high) / 2


def score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's score for a true difference: the distance to what was seen, in the standard error that it would have."""
    # The likeliest share of lost questions if that were the difference: the root of a quadratic.
    a, b = 2 * n, (2 * n - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share = max(0.0, (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a))
    variance = n * (2 * share + difference * (1 - difference))
    distance = gained - lost - n * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0


def score_test(gained: int, lost: int, n: int) -> tuple[float, float] | tuple[None, None]:
    """The score of no difference (McNemar's, without his correction) and its two-sided p; None where nothing differs."""
    if gained + lost == 0:
        return None, None
    z = score(gained, lost, n, 0.0)
    return z, 2 * NormalDist().cdf(-abs(z))
