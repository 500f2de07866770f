"""Components of variance: how much values differ between clusters, and how much within one."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Components:
    """Variance `between` the means of clusters and `within` a cluster; what one value varies by is the `total`."""

    between: float
    within: float

    @property
    def total(self) -> float:
        """The variance of one value drawn from a cluster drawn at random."""
        return self.between + self.within

    def of_mean(self, clusters: int, rows: float) -> float:
        """The variance of a mean over `clusters` clusters with `rows` rows in all, as many in each."""
        return self.between / clusters + self.within / rows


def components(values: Sequence[float], clusters: Sequence[Hashable]) -> Components | None:
    """The components by analysis of variance, for clusters of any sizes (Searle, Casella and McCulloch 1992, chapter 3).

    A negative estimate of `between` counts as none. With one value in every cluster the two cannot be told apart: all is
    `between` then. None with fewer than two clusters.
    """
    codes: dict[Hashable, int] = {}
    index = np.array([codes.setdefault(cluster, len(codes)) for cluster in clusters], dtype=np.int64)
    data = np.asarray(values, dtype=np.float64)
    n, groups = data.size, len(codes)
    if groups < 2:
        return None
    sizes = np.bincount(index)
    means = np.bincount(index, weights=data) / sizes
    square_between = float((sizes * (means - data.mean()) ** 2).sum()) / (groups - 1)
    if n == groups:
        return Components(square_between, 0.0)
    square_within = float(((data - means[index]) ** 2).sum()) / (n - groups)
    size = (n - float((sizes**2).sum()) / n) / (groups - 1)
    return Components(max(0.0, (square_between - square_within) / size), square_within)
