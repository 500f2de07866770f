"""Intervals and tests, against hand calculation and scipy; `test_coverage` looks at how often they hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from parley.evaluation.statistics import (
    FEWEST,
    cluster_means,
    clustered_mean,
    clustered_score,
    clustered_share,
    clustered_test,
    difference_interval,
    freedom,
    paired_by_means,
    paired_difference,
    tailed_freedom,
)


def test_clustered_mean_equals_a_calculation_by_hand() -> None:
    # residuals from 4.2 sum to -5.4, 0.6 and 4.8 in the clusters, which hold 2/5, 2/5 and 1/5 of the rows
    variance = (29.16 / 0.6 + 0.36 / 0.6 + 23.04 / 0.8) / 25
    # the three weights 4/0.6, 4/0.6 and 1/0.8 give 25 / (9 + 2 * (44.4444 + 8.3333 + 8.3333) / 25)
    degrees = 25 / (9 + 2 * (400 / 9 + 2 * 25 / 3) / 25)
    found = clustered_mean([1, 2, 4, 5, 9], ["a", "a", "b", "b", "c"])
    assert found.mean == pytest.approx(4.2)
    assert found.se == pytest.approx(math.sqrt(variance))
    assert freedom(["a", "a", "b", "b", "c"]) == pytest.approx(degrees)
    assert found.high == pytest.approx(4.2 + stats.t.ppf(0.975, degrees) * math.sqrt(variance))
    assert found.low == pytest.approx(4.2 - stats.t.ppf(0.975, degrees) * math.sqrt(variance))
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


@given(st.integers(2, 40), st.integers(1, 5))
def test_clusters_of_one_size_have_as_many_degrees_of_freedom_as_clusters_less_one(groups: int, size: int) -> None:
    assert freedom([label for label in range(groups) for _ in range(size)]) == pytest.approx(groups - 1)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=20))
def test_unequal_clusters_are_worth_fewer_degrees_of_freedom(sizes: list[int]) -> None:
    degrees = freedom([label for label, size in enumerate(sizes) for _ in range(size)])
    assert 0.9 < degrees <= len(sizes) - 1 + 1e-9


def test_fewer_than_two_clusters_have_no_degree_of_freedom() -> None:
    assert freedom([]) == freedom(["a", "a"]) == 0


# -- long tails --------------------------------------------------------------------------------------------------------

MEANS = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=30)


def test_degrees_of_freedom_fall_with_the_kurtosis_of_the_clusters_by_the_formula() -> None:
    means = [0.0, 0, 0, 1, 1, 2, 2, 3, 7, 0, 0, 1, 0, 2]
    excess = stats.kurtosis(means, bias=False)
    assert excess > 1
    assert tailed_freedom(13, means) == pytest.approx(2 / (2 / 13 + excess / 14))


def test_one_cluster_that_alone_differs_leaves_the_fewest() -> None:
    assert tailed_freedom(13, [0.0] * 13 + [-4.0]) == FEWEST
    few = clustered_score([0.0] * 26 + [-4.0, -4.0], [row // 2 for row in range(28)], -10, 0)
    scale, reach = few.se / 10, stats.t.ppf(0.975, FEWEST)
    effective = 0.4 / 14 * (1 - 0.4 / 14) / scale**2
    away = lambda p: abs(0.4 / 14 - p) - reach * math.sqrt(p * (1 - p) / effective)  # noqa: E731
    assert few.low == pytest.approx(-10 * brentq(away, 0.4 / 14, 1 - 1e-9))


@pytest.mark.parametrize("means", [[], [1.0], [5.0] * 9, [0.1 + 0.2, 0.3, 0.3, 0.3], [0, 0, 9]])
def test_nothing_is_taken_where_a_kurtosis_cannot_be_had(means: list[float]) -> None:
    assert tailed_freedom(2.5, means) == 2.5


@given(MEANS, st.floats(0.5, 40))
def test_long_tails_take_degrees_of_freedom_and_never_give_any(means: list[float], degrees: float) -> None:
    assert min(FEWEST, degrees) <= tailed_freedom(degrees, means) <= degrees + 1e-9


@given(MEANS, st.floats(0.1, 9), st.floats(-50, 50))
def test_the_unit_and_the_zero_of_a_scale_change_no_degrees_of_freedom(means, unit: float, zero: float) -> None:
    assert tailed_freedom(13, [zero + unit * mean for mean in means]) == pytest.approx(tailed_freedom(13, means))


# -- scores in a range -------------------------------------------------------------------------------------------------

SCORES = st.lists(st.integers(0, 10), min_size=4, max_size=40)


@given(SCORES)
def test_the_interval_of_a_score_holds_its_mean_and_stays_in_the_range(values: list[int]) -> None:
    found = clustered_score(values, [place // 2 for place in range(len(values))], 0, 10)
    assert 0 <= found.low <= found.mean <= found.high <= 10
    assert found.high - found.low > 0, "no study of some tasks is certain"


@given(SCORES)
def test_a_scale_turned_round_turns_the_interval_round(values: list[int]) -> None:
    labels = [place // 2 for place in range(len(values))]
    there = clustered_score(values, labels, 0, 10)
    back = clustered_score([-value for value in values], labels, -10, 0)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)


@given(SCORES, st.floats(0.1, 9), st.floats(-50, 50))
def test_the_interval_moves_with_the_unit_and_the_zero(values: list[int], unit: float, zero: float) -> None:
    labels = [place // 2 for place in range(len(values))]
    found = clustered_score(values, labels, 0, 10)
    moved = clustered_score([zero + unit * value for value in values], labels, zero, zero + unit * 10, unit)
    assert (moved.low, moved.high) == pytest.approx((zero + unit * found.low, zero + unit * found.high), abs=1e-6)


def test_a_score_of_nought_and_one_has_wilsons_interval_of_a_share() -> None:
    hits = [True, True, True, True, False, False, True, False]
    share, score = clustered_share(hits, "aabbccdd"), clustered_score(hits, "aabbccdd", 0, 1)
    assert vars(score) == pytest.approx(vars(share))


def test_in_the_middle_of_a_range_with_many_tasks_it_is_the_t_interval() -> None:
    rng = np.random.default_rng(3)
    values, labels = np.clip(np.round(rng.normal(5, 1, 900)), 0, 10).tolist(), np.repeat(np.arange(90), 10).tolist()
    mean, score = clustered_mean(values, labels), clustered_score(values, labels, 0, 10)
    assert (score.low, score.high) == pytest.approx((mean.low, mean.high), abs=0.002)


def test_scores_all_alike_are_as_uncertain_as_if_one_task_had_differed_by_two_steps() -> None:
    many, few = (clustered_score([0.0] * 2 * n, [i // 2 for i in range(2 * n)], -10, 0) for n in (90, 14))
    assert (many.mean, many.se, many.high) == (0, 0, 0)
    square = stats.t.ppf(0.975, 13) ** 2
    effective = 5 * 14 - 1  # p (1 - p) / p² of a share p of two steps in 14 tasks of ten steps
    assert few.low == pytest.approx(-10 * square / (effective + square))
    assert few.low < many.low < 0


@pytest.mark.parametrize("labels", [[], ["same"] * 3])
def test_scores_of_fewer_than_two_tasks_have_no_interval(labels: list[str]) -> None:
    found = clustered_score([4.0] * len(labels), labels, 0, 10)
    assert found.mean == (4 if labels else None)
    assert found.se is found.low is found.high is None


# -- shares ------------------------------------------------------------------------------------------------------------


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


def test_paired_difference_with_one_pair_a_cluster_is_the_paired_t_test() -> None:
    a, b = [5.0, 7.0, 6.0, 9.0, 4.0], [4.0, 7.5, 3.0, 5.0, 4.5]
    found, expected = paired_difference(a, b, range(5)), stats.ttest_rel(a, b)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high)), "no pair is alike"


def test_paired_difference_clusters_the_pairs() -> None:
    # differences 1, 3 | 0 | 2 with mean 1.5; residual sums 1, -1.5, 0.5 in clusters of 1/2, 1/4 and 1/4 of the rows
    se = math.sqrt((1 / 0.5 + 2.25 / 0.75 + 0.25 / 0.75) / 16)
    found = paired_difference([2, 5, 1, 4], [1, 2, 1, 2], ["a", "a", "b", "c"])
    assert found.mean == 1.5
    assert found.se == pytest.approx(se)
    assert found.t == pytest.approx(1.5 / se)
    assert found.p == pytest.approx(2 * stats.t.sf(found.t, freedom(["a", "a", "b", "c"])))
    assert (found.n, found.clusters) == (4, 3)


def test_the_sign_of_a_difference_turns_with_the_order() -> None:
    there, back = paired_difference([3, 1, 4], [1, 1, 5], "abc"), paired_difference([1, 1, 5], [3, 1, 4], "abc")
    assert (there.mean, there.low, there.t) == pytest.approx((-back.mean, -back.high, -back.t))
    assert there.p == back.p


def test_pairs_that_are_all_alike_have_no_test_and_are_no_proof_that_nothing_differs() -> None:
    found = paired_difference([0.3 + 0.6, 0.7, 1.1], [0.9, 0.7, 1.1], "abc")
    assert (found.mean, found.se, found.t, found.p) == (0, 0, None, None)
    # as if one of three tasks had been two points off: both the error and the size are 2/3, and every pair is alike
    reach = stats.t.ppf(0.975, 2) * 2 / 3
    assert found.high == pytest.approx(math.hypot(reach, reach**2 / (2 / 3)))
    assert found.low == pytest.approx(-found.high)
    many = paired_difference([0.0] * 180, [0.0] * 180, [row // 2 for row in range(180)])
    assert 0 < many.high < found.high / 20


@pytest.mark.parametrize("step", [0.1, 1.0])
def test_differences_that_are_all_the_same_are_as_sure_as_if_one_task_had_been_two_steps_off(step: float) -> None:
    found = paired_difference([0.3 + step, 0.7 + step, 1.1 + step], [0.3, 0.7, 1.1], "abc", step)
    assert (found.mean, found.se) == (pytest.approx(step), 0)
    assert found.t == pytest.approx(1.5)  # 1 / (2 / 3) steps
    assert found.p == pytest.approx(2 * stats.t.sf(1.5, 2)) and found.low < 0 < found.high
    assert (found.low + found.high) / 2 == pytest.approx(step), "no pair is alike: a t interval"
    sure = paired_difference([step] * 28, [0.0] * 28, [row // 2 for row in range(28)], step)
    assert sure.p is not None and sure.p < 0.001 and sure.low > 0


def test_no_difference_is_larger_than_it_can_be() -> None:
    free, held = (paired_difference([9, 9, 0, 0], [0, 0, 8, 0], "aabb", 1.0, span) for span in (math.inf, 10.0))
    assert free.low < -10 < 10 < free.high
    assert (held.low, held.high, held.p) == (-10, 10, free.p)


PAIRS = st.lists(st.tuples(*[st.sampled_from([0, 0, 0, 0, -1, -2, -5])] * 2), min_size=4, max_size=40)


@given(PAIRS, st.integers(1, 3))
def test_an_interval_leaves_zero_out_just_where_its_test_finds_a_difference(pairs, size: int) -> None:
    a, b = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
    of = [row // size for row in range(len(pairs))]
    for found in (paired_difference(a, b, of), paired_by_means(a, of, b, of)):
        if found.low is not None:
            assert found.low <= found.mean <= found.high and found.low < found.high
            assert (found.p is not None and found.p < 0.05) == (not found.low <= 0 <= found.high)


@given(
    st.floats(-1, 1), st.floats(0.05, 2), st.lists(st.sampled_from([0.0, 0.0, 1.0, -1.0, 3.0]), min_size=3, max_size=30)
)
def test_the_limits_are_where_the_difference_is_just_t_of_the_errors_it_would_have_away(mean, se: float, apart) -> None:
    low, high = difference_interval(mean, se, 13, apart, least=0.5)
    size, alike = max(np.abs(apart).mean(), abs(mean), 0.5), apart.count(0.0) / len(apart)
    for end in (low, high):
        factor = (1 + math.sqrt(1 + 4 * alike * end * (end - mean) / size**2)) / 2
        assert abs(end - mean) == pytest.approx(stats.t.ppf(0.975, 13) * se * math.sqrt(factor), rel=1e-6)


def test_two_counts_fitted_to_a_difference_have_that_variance() -> None:
    """The likelihood of two Poisson rates with a given difference is maximised by search here, in closed form there."""
    gained, lost = 0.7, 0.2
    for d in (-1.0, -0.1, 0.0, 0.3, 0.5, 2.0):

        def unlikely(rate: float, d: float = d) -> float:
            return 2 * rate + d - gained * math.log(rate + d) - lost * math.log(rate)

        found = minimize_scalar(unlikely, bounds=(max(0, -d) + 1e-9, 5), method="bounded", options={"xatol": 1e-12}).x
        size, mean = gained + lost, gained - lost
        assert 2 * found + d == pytest.approx(size * (1 + math.sqrt(1 + 4 * d * (d - mean) / size**2)) / 2, rel=1e-5)


def test_more_is_reckoned_with_on_the_side_where_more_is_lost() -> None:
    lost = [-3.0 if row in (1, 2, 9, 20) else 0.0 for row in range(28)]
    found = paired_difference(lost, [0.0] * 28, [row // 2 for row in range(28)])
    assert found.mean - found.low > 1.5 * (found.high - found.mean)
    back = paired_difference([0.0] * 28, lost, [row // 2 for row in range(28)])
    assert (back.low, back.high, back.p) == pytest.approx((-found.high, -found.low, found.p))


def test_one_task_that_alone_differs_takes_degrees_of_freedom_but_not_of_the_papers_test() -> None:
    a, b, of = [0.0] * 26 + [-4.0, -4.0], [0.0] * 28, [row // 2 for row in range(28)]
    ours, papers = paired_difference(a, b, of), paired_by_means(a, of, b, of)
    assert ours.t == pytest.approx(papers.t)
    assert (ours.p, papers.p) == pytest.approx([2 * stats.t.sf(1, freedom) for freedom in (FEWEST, 13)])
    assert ours.low < papers.low < papers.high < ours.high


def test_a_slope_has_a_t_test_whatever_its_size() -> None:
    values = [0.0, 0.0, 0.0, 3.0, 0.0, -1.0]
    found, expected = clustered_test(values, range(6)), stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval()
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert clustered_test([2.0, 2.0], "ab").p is None


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
