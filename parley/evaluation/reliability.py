"""Reliability: how alike several raters rate the same things. A table has one row a thing and one column a rater.

NaN is a rating that was not given; things that fewer than two rated say nothing and are left out. Every coefficient is 1
where all always say the same, and None where the ratings cannot tell, as when nothing varies.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]


def alpha(table: Table, level: Literal["ordinal", "interval"]) -> float | None:
    """Krippendorff's alpha ("Content Analysis", 2019, chapter 12): 0 is as alike as by chance.

    `interval` weighs a disagreement by the square of its size, `ordinal` by how many of all ratings lie in between.
    """
    rows = _shared(table)
    values, codes = np.unique(rows[~np.isnan(rows)], return_inverse=True)
    if values.size < 2:
        return None
    counts = np.zeros((rows.shape[0], values.size))
    np.add.at(counts, (np.nonzero(~np.isnan(rows))[0], codes), 1.0)
    raters = counts.sum(axis=1, keepdims=True)
    # How often two values meet in one thing; a value does not meet itself in one rating.
    met = (counts / (raters - 1)).T @ counts - np.diag((counts / (raters - 1)).sum(axis=0))
    totals = counts.sum(axis=0)
    if level == "interval":
        apart = (values[:, None] - values[None, :]) ** 2
    else:
        middle = np.cumsum(totals) - totals / 2
        apart = (middle[:, None] - middle[None, :]) ** 2
    expected = float((np.outer(totals, totals) * apart).sum()) / (float(totals.sum()) - 1)
    observed = float((met * apart).sum())
    return 1 - observed / expected


def icc2k(table: Table) -> float | None:
    """ICC(2,k): how far the mean of the k raters of a thing is decided by the thing (Shrout and Fleiss 1979).

    Things and raters are random, and agreement is absolute: a rater who is always harsher counts as error. Not every rater
    needs to rate every thing: the components are those of Henderson's first method (Searle, Casella and McCulloch 1992,
    chapter 5), for a full table those of the analysis of variance; k is then the harmonic mean of the raters of a thing.
    """
    rows = _shared(table)
    given = ~np.isnan(rows)
    given_by = given[:, given.any(axis=0)]
    if rows.shape[0] < 2 or given_by.shape[1] < 2:
        return None
    filled = np.where(given, rows - rows[given].mean(), 0.0)
    of_thing, of_rater, n = given.sum(axis=1), given_by.sum(axis=0), int(given.sum())
    sums = filled.sum(axis=0)[given.any(axis=0)]
    square = np.array(
        [
            float((filled**2).sum()),
            float((filled.sum(axis=1) ** 2 / of_thing).sum()),
            float((sums**2 / of_rater).sum()),
        ]
    )
    things, raters = rows.shape[0], of_rater.size
    by_thing, by_rater = float((of_thing**2).sum()) / n, float((of_rater**2).sum()) / n
    # What each sum of squares, less that of the mean, is made of: things, raters, error.
    made_of = np.array(
        [
            [n - by_thing, n - by_rater, n - 1],
            [n - by_thing, things - by_rater, things - 1],
            [raters - by_thing, n - by_rater, raters - 1],
        ]
    )
    if np.linalg.matrix_rank(made_of) < 3:
        return None
    thing, rater, error = np.linalg.solve(made_of, square)
    k = things / float((1 / of_thing).sum())
    whole = thing + (rater + error) / k
    return float(thing / whole) if whole > 1e-12 else None


def pairwise(table: Table) -> float | None:
    """How often two raters of a thing say the same: the mean over things of the share of their pairs that do."""
    shares = []
    for row in _shared(table):
        values = row[~np.isnan(row)]
        counts = np.unique(values, return_counts=True)[1]
        shares.append(float((counts * (counts - 1)).sum()) / (values.size * (values.size - 1)))
    return float(np.mean(shares)) if shares else None


def randolph(table: Table, categories: int) -> float | None:
    """Randolph's free-marginal kappa ("Free-Marginal Multirater Kappa", 2005): `pairwise` beyond a draw of categories."""
    share = pairwise(table)
    return None if share is None else (share - 1 / categories) / (1 - 1 / categories)


def coarse(table: Table, low: float, high: float) -> Table:
    """Marks in as few categories as the paper's Table 8 counts (`categories_of`): rounded in units of the farther end.

    Of 0 to 10 these are 0 (up to 5) and 1 (above); of -10 to 0 they are 0 and -1; of -5 to 5 they are -1, 0 and 1 (3 and
    more). The paper's kappas follow from its pairwise shares with just these numbers of categories, but for FIN's.
    """
    rounded: Table = np.round(table / max(abs(low), abs(high)))
    return rounded + 0.0  # no negative nought


def categories_of(low: float, high: float) -> int:
    """How many categories `coarse` has."""
    return 3 if low < 0 < high else 2


def _shared(table: Table) -> Table:
    """The things that two or more rated."""
    chosen: Table = table[(~np.isnan(table)).sum(axis=1) >= 2]
    return chosen
