"""Two who rate the same things on a scale: how their ratings go together, and how far they are apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Limits:
    """Bland and Altman's ("Statistical Methods for Assessing Agreement", 1986): the mean difference and where 95 % lie."""

    bias: float | None
    low: float | None
    high: float | None


def pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson's r: how far one is a linear function of the other; None where either does not vary."""
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if a.shape != b.shape:
        raise ValueError(f"{a.size} values but {b.size} to go with them")
    if a.size < 2 or np.ptp(a) < 1e-9 or np.ptp(b) < 1e-9:
        return None
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()), -1, 1))


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho: Pearson's of the ranks, those that are alike sharing the mean of their ranks."""
    return pearson(_ranks(first), _ranks(second))


def limits(first: Sequence[float], second: Sequence[float]) -> Limits:
    """How far `first` lies above `second`: the mean, and 1.96 standard deviations of one thing's difference around it."""
    apart = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if not apart.size:
        return Limits(None, None, None)
    bias = float(apart.mean())
    if apart.size < 2:
        return Limits(bias, None, None)
    reach = 1.96 * float(apart.std(ddof=1))
    return Limits(bias, bias - reach, bias + reach)


def _ranks(values: Sequence[float]) -> list[float]:
    data = np.asarray(values, dtype=np.float64)
    _, place, counts = np.unique(data, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: list[float] = ((2 * last - counts + 1) / 2)[place].tolist()
    return ranks
