"""Effect size: a difference in units of how much the scores of one policy vary from seat to seat."""

import math
from collections.abc import Hashable, Sequence

from parley.evaluation.components import components


def standardised(
    difference: float | None, a: Sequence[float], of_a: Sequence[Hashable], b: Sequence[float], of_b: Sequence[Hashable]
) -> float | None:
    """Hedges' g of a paired `difference`: over the mean of the two variances of a seat, corrected for few clusters.

    The unit is a seat's own spread (d_av in Lakens, "Calculating and reporting effect sizes", 2013), not the spread of
    the differences, which shrinks with every further cast and so would make the same gain larger in a larger study. The
    variance is between plus within clusters (Hedges, "Effect Sizes in Cluster-Randomized Designs", 2007). None where that
    is nought or there are fewer than three clusters.
    """
    parts = components(a, of_a), components(b, of_b)
    if difference is None or parts[0] is None or parts[1] is None:
        return None
    unit = math.sqrt((parts[0].total + parts[1].total) / 2)
    clusters = min(len(set(of_a)), len(set(of_b)))
    return None if unit < 1e-9 or clusters < 3 else difference / unit * correction(clusters - 1)


def correction(freedom: int) -> float:
    """Hedges' factor against the bias of a standardised difference with `freedom` degrees, 2 or more (Hedges 1981)."""
    return math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
