"""Effect sizes and components of variance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from parley.evaluation.components import Components, components
from parley.evaluation.effect import correction, standardised

VALUES = st.lists(st.integers(0, 10), min_size=6, max_size=30)


def test_components_by_hand() -> None:
    # clusters (1, 3) and (5, 9): within (2 + 8) / 2 = 5; between (2 * 2.5**2 * 2 - 5) / 2 = 10
    found = components([1, 3, 5, 9], "aabb")
    assert found == Components(pytest.approx(10), pytest.approx(5))
    assert found.total == pytest.approx(15)
    assert found.of_mean(clusters=4, rows=20) == pytest.approx(10 / 4 + 5 / 20)


def test_components_of_unequal_clusters_are_right_on_average() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(14), [2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 10, 10, 20, 20])
    draws = [
        components((rng.normal(0, 2, 14)[labels] + rng.normal(0, 1.5, labels.size)).tolist(), labels.tolist())
        for _ in range(400)
    ]
    assert np.mean([draw.between for draw in draws]) == pytest.approx(4, rel=0.08)
    assert np.mean([draw.within for draw in draws]) == pytest.approx(2.25, rel=0.03)


def test_one_value_in_every_cluster_is_all_between() -> None:
    assert components([1, 2, 6], "abc") == Components(pytest.approx(7), 0)


@pytest.mark.parametrize(("values", "labels"), [([], ""), ([1.0, 2.0], "aa")])
def test_fewer_than_two_clusters_have_no_components(values: list[float], labels: str) -> None:
    assert components(values, labels) is None
    assert standardised(1.0, values, labels, values, labels) is None


def test_clusters_more_alike_than_chance_have_nothing_between() -> None:
    assert components([1, 9, 2, 8], "aabb").between == 0


@pytest.mark.parametrize("freedom", [2, 5, 13, 89])
def test_the_correction_is_hedges(freedom: int) -> None:
    # J = mean of chi / sqrt(freedom), inverted: E[1 / s] of a unit normal sample is 1 / J
    inverse = np.sqrt(freedom) * stats.chi(freedom).expect(lambda x: 1 / x, lb=0)
    assert correction(freedom) == pytest.approx(1 / inverse, rel=1e-6)
    assert correction(freedom) == pytest.approx(1 - 3 / (4 * freedom - 1), abs=0.01 if freedom > 2 else 0.02)


def test_an_effect_by_hand() -> None:
    # variances 7 and 1 in three tasks of one seat: unit 2, difference 3, J of 2 degrees of freedom
    found = standardised(3.0, [1, 2, 6], "abc", [0, 1, 2], "abc")
    assert found == pytest.approx(3 / 2 * correction(2))


def test_more_casts_of_the_same_talk_make_no_larger_effect() -> None:
    rng = np.random.default_rng(11)

    def effect(casts: int) -> float:
        labels = np.repeat(np.arange(90), casts)
        base = rng.normal(0, 1, 90)[labels] + rng.normal(0, 2, labels.size)
        better = base + 1 + rng.normal(0, 0.1, labels.size)
        found = standardised(1.0, better.tolist(), labels.tolist(), base.tolist(), labels.tolist())
        assert found is not None
        return found

    assert effect(2) == pytest.approx(effect(20), rel=0.15)
    assert effect(20) == pytest.approx(1 / 5**0.5, rel=0.1)


@given(VALUES, VALUES, st.floats(0.1, 20))
def test_the_unit_of_the_scale_changes_no_effect_and_its_sign_turns(a: list[int], b: list[int], unit: float) -> None:
    size = min(len(a), len(b))
    a, b, labels = a[:size], b[:size], [place // 2 for place in range(size)]
    found = standardised(0.7, a, labels, b, labels)
    scaled = standardised(0.7 * unit, [unit * x for x in a], labels, [unit * x for x in b], labels)
    turned = standardised(-0.7, a, labels, b, labels)
    assert (found is None) == (scaled is None) == (turned is None)
    if found is not None:
        assert (scaled, turned) == pytest.approx((found, -found))


def test_where_nothing_varies_there_is_no_effect_size() -> None:
    assert standardised(0.0, [0, 0, 0], "abc", [0, 0, 0], "abc") is None
    assert standardised(None, [0, 1, 2], "abc", [0, 1, 2], "abc") is None
