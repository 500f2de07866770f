"""Means, shares and paired differences whose intervals know that rows of one task belong together.

Rows of one task (its casts, seats and replicates) share the scenario and both goals, so they are no independent
draws: the task is the cluster, and the variance is taken between tasks (Cameron and Miller, "A Practitioner's Guide to
Cluster-Robust Inference", 2015). Studies are small (14 tasks) and their clusters need not be alike, so the variance is
the bias-reduced one and the degrees of freedom are Satterthwaite's (Bell and McCaffrey, "Bias Reduction in Standard
Errors for Linear Regression with Multi-Stage Samples", 2002). All intervals are two-sided at 95 %.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
#: The degrees of freedom that long tails leave at the least; with two or fewer Student's t has no variance.
FEWEST = 3.0
#: How many steps of the scale the mean of one cluster is taken to be off where all values are alike. Where something is
#: lost in a cluster it is mostly more than one: with one step, points that come in few clusters are held 90 times in 100.
UNSEEN = 2.0


@dataclass(frozen=True)
class Estimate:
    """A mean of `n` values in `clusters` clusters, its standard error and its interval.

    `mean` is None without values. `se`, `low` and `high` are None with fewer than two clusters: one cluster says
    nothing about the spread between clusters.
    """

    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int


@dataclass(frozen=True)
class Difference(Estimate):
    """A mean difference with its t test against zero; `t` and `p` are None where that has nothing to go by.

    `p` is below 0.05 where the interval leaves zero out, and nowhere else.
    """

    t: float | None
    p: float | None


def clustered_mean(values: Sequence[float], clusters: Sequence[Hashable]) -> Estimate:
    """The mean of `values`, `clusters[i]` being the cluster of `values[i]`.

    The variance is the cluster-robust one of a regression on a constant (CR2), the quantile Student's t with `freedom`
    degrees of freedom. With one value per cluster it is the ordinary t interval.
    """
    mean, se, n, groups = _moments(values, clusters)
    if mean is None or se is None:
        return Estimate(mean, None, None, None, n, groups)
    reach = t_quantile(freedom(clusters)) * se
    return Estimate(mean, se, mean - reach, mean + reach, n, groups)


def clustered_score(
    values: Sequence[float], clusters: Sequence[Hashable], least: float, most: float, step: float = 1.0
) -> Estimate:
    """The mean of scores that lie between `least` and `most`, with an interval that does so too.

    It is the score interval of quasi-likelihood with the variance of a fraction, dispersion * share * (1 - share), where
    share is the place in the range (McCullagh and Nelder, "Generalized Linear Models", 1989, chapter 9; for shares it is
    Wilson's). Scores that lie near an end of their range are skewed, and a t interval of few tasks then misses on one side
    far more often than 1 time in 40. Where few clusters hold all that varies, `tailed_freedom` makes it wider. Where all
    values are alike nothing says how they vary: then as if the mean of one cluster had been `UNSEEN` steps away (within
    the range).
    """
    mean, se, n, groups = _moments(values, clusters)
    if mean is None or se is None:
        return Estimate(mean, None, None, None, n, groups)
    degrees = tailed_freedom(freedom(clusters), _means(values, clusters))
    low, high = bounded_interval(mean, se, degrees, least, most, min(UNSEEN * step, most - least) / groups)
    return Estimate(mean, se, low, high, n, groups)


def bounded_interval(
    mean: float, se: float, degrees: float, least: float, most: float, smallest: float = 0.0
) -> tuple[float, float]:
    """The interval of `clustered_score` from a mean and its standard error; one of nought counts as `smallest`."""
    scale = most - least
    share = min(1.0, max(0.0, (mean - least) / scale))
    spread, place = se / scale, share
    if se == 0:
        spread = smallest / scale
        place = min(max(share, spread), 1 - spread)
    low, high = _wilson(share, max(place * (1 - place), 1e-12) / spread**2, t_quantile(degrees))
    return min(mean, least + scale * low), max(mean, least + scale * high)


def clustered_share(hits: Sequence[bool], clusters: Sequence[Hashable]) -> Estimate:
    """The share of true `hits`, with Wilson's interval at the effective number of independent observations.

    That number is share * (1 - share) / variance, with the clustered variance, and never more than `n`. Where every
    hit is the same the data cannot tell how alike the rows of a cluster are: then only the clusters are counted.
    The quantile is Student's t with `freedom` degrees of freedom, which `tailed_freedom` lessens where few clusters hold
    all hits or misses, so few clusters give a wide interval. A t interval of the mean would shrink to nothing at 0 % and
    100 %, where small studies often are.
    """
    share, se, n, groups = _moments([float(hit) for hit in hits], clusters)
    if share is None or se is None:
        return Estimate(share, None, None, None, n, groups)
    effective = float(n) if se == 0 else min(float(n), share * (1 - share) / se**2)
    if share in (0.0, 1.0):
        effective = float(groups)
    degrees = tailed_freedom(freedom(clusters), _means(hits, clusters))
    low, high = _wilson(share, effective, t_quantile(degrees))
    return Estimate(share, se, low, high, n, groups)


def clustered_test(values: Sequence[float], clusters: Sequence[Hashable]) -> Difference:
    """`clustered_mean` with its t test against zero: for what has no scale, as a slope; None where nothing varies."""
    found = clustered_mean(values, clusters)
    t = found.mean / found.se if found.mean is not None and found.se else None
    return Difference(**vars(found), t=t, p=None if t is None else _two_sided(t, freedom(clusters)))


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[Hashable],
    step: float = 1.0,
    span: float = math.inf,
) -> Difference:
    """The mean of `a[i] - b[i]` over matched pairs, clustered, with its t test against zero and `difference_interval`.

    The degrees of freedom are those of `freedom`, less what `tailed_freedom` takes where few clusters hold all that differs.
    Where all differences are alike nothing says how they vary: interval and test are then as if the mean of one cluster had
    been `UNSEEN` steps away, and where all are nought there is no test. `span` is the largest difference that there can be.
    """
    apart = _apart(a, b)
    return _compared(apart, clusters, tailed_freedom(freedom(clusters), _means(apart, clusters)), step, span)


def paired_by_means(
    a: Sequence[float],
    clusters_a: Sequence[Hashable],
    b: Sequence[float],
    clusters_b: Sequence[Hashable],
    step: float = 1.0,
    span: float = math.inf,
) -> Difference:
    """The paired t test on the means of the clusters that both have: `n` is the number of those clusters.

    This is the test of the paper (its p-values fit 13 degrees of freedom, that is 14 scenarios), so long tails take none
    of its degrees of freedom; the interval goes with it. Every cluster weighs the same here, however many rows it has, and
    rows of `a` and `b` need not match.
    """
    means_a, means_b = cluster_means(a, clusters_a), cluster_means(b, clusters_b)
    common = [cluster for cluster in means_a if cluster in means_b]
    apart = _apart([means_a[key] for key in common], [means_b[key] for key in common])
    return _compared(apart, common, freedom(common), step, span)


def difference_interval(
    mean: float, se: float, degrees: float, apart: Sequence[float], least: float = 0.0
) -> tuple[float, float]:
    """The interval of a mean difference with a standard error, `apart` being by how much the pairs differ.

    A t interval takes the standard error for the same whatever the truth is. Where most pairs are alike that is wrong: the
    more is lost the more it varies, and the t interval of a difference to a policy that never loses a point misses on one
    side far too often. So this is a score interval, as Tango's of paired shares ("Equivalence test and confidence interval
    for the difference in proportions for the paired-sample design", 1998): the true differences from which the one seen is
    no further than t standard errors, each with the error that it would have. What is gained and what is lost vary like two
    counts, in proportion to their size (quasi-likelihood, McCullagh and Nelder 1989, chapter 9). Fitted to a true
    difference d, their sum gives the variance se² (1 + sqrt(1 + 4 w d (d - mean) / size²)) / 2, size being the mean of
    |`apart`|. For counts w is 1; here it is the share of pairs that are alike, because where every pair differs nothing is
    counted: there it is the t interval.

    At d = 0 the variance is se², so zero is outside just where the paired t test finds a difference. `least` is the
    smallest size taken.
    """
    gaps = np.abs(np.asarray(apart, dtype=np.float64))
    size = max(float(gaps.mean()), abs(mean), least)
    reach = t_quantile(degrees) * se
    bend = math.sqrt(float((gaps == 0).mean())) * reach**2 / size
    # x³ - (reach² + bend²) x - bend² mean = 0, x from the mean: three real roots, of which the outer two are the limits.
    square = reach**2 + bend**2
    radius = 2 * math.sqrt(square / 3)
    turn = math.acos(min(1.0, max(-1.0, 3 * bend**2 * mean / (square * radius)))) / 3
    return mean + radius * math.cos(turn + 2 * math.pi / 3), mean + radius * math.cos(turn)


def freedom(clusters: Sequence[Hashable]) -> float:
    """Satterthwaite's degrees of freedom of the variance of a clustered mean: those of the chi-square that is as uncertain.

    They are G - 1 with G clusters of one size, and fewer the more a few large clusters decide. 0 with fewer than two.
    """
    sizes = np.bincount(_codes(clusters)).astype(np.float64)
    n = sizes.sum()
    if sizes.size < 2:
        return 0.0
    weights = sizes**2 / (1 - sizes / n)
    between = weights.sum() ** 2 - (weights**2).sum()
    return float(n**2 / ((sizes**2).sum() + between / n**2))


def tailed_freedom(degrees: float, means: Sequence[float]) -> float:
    """Degrees of freedom of a variance between clusters whose `means` have longer tails than the normal distribution.

    With an excess kurtosis k the variance of G means is as uncertain as one with 2 / (2 / degrees + k / G) degrees of
    freedom (Box, "Non-Normality and Tests on Variances", 1953). Of so few means k is known badly: no kurtosis takes more
    than down to `FEWEST`, one below the normal's adds none, and with fewer than four means `degrees` are what they were.
    """
    data = np.asarray(means, dtype=np.float64)
    groups, away = data.size, data - data.mean() if data.size else data
    square = float((away**2).mean()) if groups else 0.0
    if groups < 4 or square <= (1e-12 * float(np.abs(data).max())) ** 2:
        return degrees
    raw = float((away**4).mean()) / square**2 - 3
    excess = (groups - 1) / ((groups - 2) * (groups - 3)) * ((groups + 1) * raw + 6)
    return max(min(FEWEST, degrees), 2 / (2 / degrees + max(0.0, excess) / groups))


def cluster_means(values: Sequence[float], clusters: Sequence[Hashable]) -> dict[Hashable, float]:
    """The mean of each cluster, clusters in the order in which they first come."""
    members: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(value)
    return {cluster: math.fsum(group) / len(group) for cluster, group in members.items()}


def _moments(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[float | None, float | None, int, int]:
    """Mean, clustered standard error, number of values, number of clusters."""
    data = np.asarray(values, dtype=np.float64)
    index = _codes(clusters)
    if data.shape != index.shape:
        raise ValueError(f"{data.size} values but {index.size} cluster labels")
    if not np.isfinite(data).all():
        raise ValueError("a value is not finite; leave failed rows out and count them")
    n, groups = data.size, int(index.max()) + 1 if index.size else 0
    if n == 0:
        return None, None, 0, 0
    mean = math.fsum(data) / n
    if groups < 2:
        return mean, None, n, groups
    sums = np.bincount(index, weights=data - mean)
    # A cluster pulls the mean towards itself, a large one more: its residuals are too small by that much.
    se = math.sqrt(math.fsum(sums**2 / (1 - np.bincount(index) / n))) / n
    # Equal cluster means leave rounding noise, which must not become a tiny error and a huge t.
    return mean, 0.0 if se < 1e-12 * float(np.abs(data).max()) else se, n, groups


def _codes(clusters: Sequence[Hashable]) -> NDArray[np.int64]:
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(cluster, len(codes)) for cluster in clusters], dtype=np.int64)


def _apart(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """The differences; what is left of equal means by rounding is nought."""
    noise = 1e-12 * max((abs(value) for value in (*a, *b)), default=0.0)
    return [0.0 if abs(x - y) <= noise else x - y for x, y in zip(a, b, strict=True)]


def _means(values: Sequence[float], clusters: Sequence[Hashable]) -> list[float]:
    return list(cluster_means(values, clusters).values())


def _compared(
    apart: Sequence[float], clusters: Sequence[Hashable], degrees: float, step: float, span: float
) -> Difference:
    mean, se, n, groups = _moments(apart, clusters)
    if mean is None or se is None:
        return Difference(mean, None, None, None, n, groups, None, None)
    unseen = UNSEEN * step / groups if se == 0 else 0.0
    error = se or unseen
    low, high = difference_interval(mean, error, degrees, apart, unseen)
    t = None if se == 0 and mean == 0 else mean / error
    return Difference(
        mean, se, max(-span, low), min(span, high), n, groups, t, None if t is None else _two_sided(t, degrees)
    )


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval, kept within 0 and 1 against rounding."""
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def t_quantile(freedom: float) -> float:
    """Student's t that a two-sided interval reaches to."""
    # scipy.special alone loads in a third of the time of scipy.stats
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _two_sided(t: float, freedom: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(freedom, -abs(t)))
