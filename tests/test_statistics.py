"""Intervals and tests, against hand calculation, scipy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from parley.evaluation.statistics import (
    cluster_means,
    clustered_mean,
    clustered_share,
    paired_by_means,
    paired_difference,
)


def test_clustered_mean_equals_a_calculation_by_hand() -> None:
    # residuals from 4.2 sum to -5.4, 0.6 and 4.8 in the clusters; variance 3/2 * (29.16 + 0.36 + 23.04) / 25
    found = clustered_mean([1, 2, 4, 5, 9], ["a", "a", "b", "b", "c"])
    assert found.mean == pytest.approx(4.2)
    assert found.se == pytest.approx(math.sqrt(3.1536))
    assert found.high == pytest.approx(4.2 + 4.302652729911275 * math.sqrt(3.1536))
    assert found.low == pytest.approx(4.2 - 4.302652729911275 * math.sqrt(3.1536))
    assert (found.n, found.clusters) == (5, 3)


def test_one_row_a_cluster_is_the_ordinary_t_interval() -> None:
    values = [2.0, 3.5, 7.0, 1.0, 4.0, 4.5]
    found = clustered_mean(values, range(6))
    low, high = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    assert found.se == pytest.approx(stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_equal_clusters_give_the_t_interval_of_their_means() -> None:
    values = [1.0, 3.0, 2.0, 6.0, 5.0, 5.0, 0.0, 1.0]
    found = clustered_mean(values, ["a", "a", "b", "b", "c", "c", "d", "d"])
    means = [2.0, 4.0, 5.0, 0.5]
    assert (found.low, found.high) == pytest.approx(
        stats.t.interval(0.95, 3, loc=np.mean(means), scale=stats.sem(means))
    )


def test_rows_repeated_within_their_cluster_add_no_certainty() -> None:
    once = clustered_mean([1, 4, 6], "abc")
    thrice = clustered_mean([1, 4, 6] * 3, "abc" * 3)
    assert thrice.se == pytest.approx(once.se)
    assert (thrice.n, thrice.clusters) == (9, 3)


def test_rows_and_labels_in_another_order_give_the_same() -> None:
    values, labels = [1.0, 2.0, 4.0, 5.0, 9.0], ["a", "a", "b", "b", "c"]
    assert vars(clustered_mean(values[::-1], labels[::-1])) == pytest.approx(vars(clustered_mean(values, labels)))


@pytest.mark.parametrize("estimate", [clustered_mean, clustered_share])
def test_fewer_than_two_clusters_have_a_mean_but_no_interval(estimate) -> None:
    found = estimate([1, 0, 1, 1], ["same"] * 4)
    assert found.mean == 0.75
    assert found.se is found.low is found.high is None
    assert (found.n, found.clusters) == (4, 1)


@pytest.mark.parametrize("estimate", [clustered_mean, clustered_share])
def test_nothing_has_no_mean_rather_than_zero(estimate) -> None:
    found = estimate([], [])
    assert found.mean is found.se is found.low is found.high is None
    assert (found.n, found.clusters) == (0, 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        clustered_mean([1.0, bad], ["a", "b"])


def test_labels_that_do_not_fit_the_values_are_refused() -> None:
    with pytest.raises(ValueError, match="3 values but 2 cluster labels"):
        clustered_mean([1, 2, 3], ["a", "b"])


@pytest.mark.parametrize("sizes", [[8] * 14, [2, 4, 4, 6, 6, 6, 8, 8, 8, 8, 10, 10, 12, 12]])
def test_the_interval_covers_the_true_mean_about_95_times_in_100(sizes: list[int]) -> None:
    rng = np.random.default_rng(20240314)
    labels = np.repeat(np.arange(14), sizes)
    hits, naive, repeats = 0, 0, 1500
    for _ in range(repeats):
        values = 3 + rng.normal(0, 1, 14)[labels] + rng.normal(0, 1, labels.size)
        found = clustered_mean(values.tolist(), labels.tolist())
        hits += found.low <= 3 <= found.high
        naive += abs(values.mean() - 3) <= 1.96 * stats.sem(values)
    assert 0.93 <= hits / repeats <= 0.97
    assert naive / repeats < 0.8, "rows taken as independent would be far too sure"


def test_share_is_wilsons_interval_at_the_effective_number() -> None:
    # residuals from 5/8 sum to 3/4, 3/4, -5/4 and -1/4; variance 4/3 * 2.75 / 64; effective number 0.234375 / variance
    found = clustered_share([True, True, True, True, False, False, True, False], "aabbccdd")
    variance = 4 / 3 * 2.75 / 64
    effective, quantile = 0.234375 / variance, stats.t.ppf(0.975, 3)
    assert (found.mean, found.se) == pytest.approx((0.625, math.sqrt(variance)))
    # Wilson's limits are the shares from which 0.625 is just `quantile` standard errors away.
    away = lambda p: abs(0.625 - p) - quantile * math.sqrt(p * (1 - p) / effective)  # noqa: E731
    assert found.low == pytest.approx(brentq(away, 1e-9, 0.625))
    assert found.high == pytest.approx(brentq(away, 0.625, 1 - 1e-9))


@pytest.mark.parametrize(("hit", "side"), [(True, "low"), (False, "high")])
def test_a_share_of_all_or_nothing_still_has_an_interval_that_counts_clusters_only(hit: bool, side: str) -> None:
    four, many_rows = clustered_share([hit] * 4, "abcd"), clustered_share([hit] * 40, "abcd" * 10)
    edge = 1 / (1 + stats.t.ppf(0.975, 3) ** 2 / 4)
    assert getattr(four, side) == pytest.approx(edge if hit else 1 - edge)
    assert getattr(many_rows, side) == getattr(four, side)
    assert (four.high if hit else four.low) == float(hit)


def test_a_share_that_is_the_same_in_every_cluster_counts_rows() -> None:
    found = clustered_share([True, False] * 10, [row // 2 for row in range(20)])
    expected = stats.binomtest(10, 20).proportion_ci(method="wilson")
    assert found.se == 0
    assert found.low < expected.low < expected.high < found.high  # wider by Student's t
    assert found.high - found.low < 0.5


def test_share_covers_the_truth_near_the_edge_where_a_t_interval_fails() -> None:
    rng = np.random.default_rng(7)
    labels = np.repeat(np.arange(6), 8)
    share, mean, repeats = 0, 0, 600
    for _ in range(repeats):
        hits = rng.random(48) < rng.beta(0.9 * 4, 0.1 * 4, 6)[labels]
        wilson, plain = (estimate(hits.tolist(), labels.tolist()) for estimate in (clustered_share, clustered_mean))
        share += wilson.low <= 0.9 <= wilson.high
        mean += plain.low <= 0.9 <= plain.high
    assert share / repeats >= 0.93
    assert mean / repeats < 0.9


def test_paired_difference_with_one_pair_a_cluster_is_the_paired_t_test() -> None:
    a, b = [5.0, 7.0, 6.0, 9.0, 4.0], [4.0, 7.5, 3.0, 5.0, 4.5]
    found, expected = paired_difference(a, b, range(5)), stats.ttest_rel(a, b)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_paired_difference_clusters_the_pairs() -> None:
    # differences 1, 3 | 0 | 2 with mean 1.5; residual sums 1, -1.5, 0.5; variance 3/2 * 3.5 / 16
    found = paired_difference([2, 5, 1, 4], [1, 2, 1, 2], ["a", "a", "b", "c"])
    assert found.mean == 1.5
    assert found.se == pytest.approx(math.sqrt(1.5 * 3.5 / 16))
    assert found.t == pytest.approx(1.5 / math.sqrt(1.5 * 3.5 / 16))
    assert found.p == pytest.approx(2 * stats.t.sf(found.t, 2))
    assert (found.n, found.clusters) == (4, 3)


def test_the_sign_of_a_difference_turns_with_the_order() -> None:
    there, back = paired_difference([3, 1, 4], [1, 1, 5], "abc"), paired_difference([1, 1, 5], [3, 1, 4], "abc")
    assert (there.mean, there.low, there.t) == pytest.approx((-back.mean, -back.high, -back.t))
    assert there.p == back.p


@pytest.mark.parametrize("step", [0.0, 0.1])
def test_differences_that_do_not_vary_have_no_t_and_no_p(step: float) -> None:
    found = paired_difference([0.3 + step, 0.7 + step, 1.1 + step], [0.3, 0.7, 1.1], "abc")
    assert found.mean == pytest.approx(step)
    assert (found.se, found.t, found.p) == (0.0, None, None)


def test_pairs_of_one_cluster_have_no_test() -> None:
    found = paired_difference([1, 2], [0, 3], ["a", "a"])
    assert found.mean == 0
    assert found.t is found.p is found.low is None


def test_pairs_must_be_complete() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        paired_difference([1, 2], [1], ["a", "b"])


def test_paired_by_means_is_the_paired_t_test_of_the_means_of_common_clusters() -> None:
    a, of_a = [1, 3, 5, 8, 8, 2, 9], ["x", "x", "y", "z", "z", "z", "only a"]
    b, of_b = [4, 1, 3, 1, 0], ["z", "x", "y", "y", "only b"]
    found, expected = paired_by_means(a, of_a, b, of_b), stats.ttest_rel([2, 5, 6], [1, 2, 4])
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.mean == pytest.approx(2)
    assert (found.n, found.clusters) == (3, 3)


def test_paired_by_means_weighs_clusters_alike_and_pairs_weigh_rows() -> None:
    a, b, labels = [9.0] * 8 + [1.0, 1.0], [0.0] * 10, ["big"] * 8 + ["small"] * 2
    assert paired_by_means(a, labels, b, labels).mean == pytest.approx(5.0)
    assert paired_difference(a, b, labels).mean == pytest.approx(7.4)


def test_paired_by_means_without_a_common_cluster_is_empty() -> None:
    found = paired_by_means([1.0], ["a"], [2.0], ["b"])
    assert found.mean is found.t is None
    assert found.n == 0


def test_cluster_means_keep_the_order_of_first_sight() -> None:
    assert list(cluster_means([1, 10, 3], ["late", "early", "late"]).items()) == [("late", 2.0), ("early", 10.0)]
