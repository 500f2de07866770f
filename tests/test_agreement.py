"""Agreement of two who decide the same things, against figures worked out by hand and by another library."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parley.evaluation.agreement import agreement

ANSWERS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


def test_cohen_s_own_kind_of_table() -> None:
    # 20 both yes, 15 both no, 5 and 10 apart: 70 % where chance gives 50 %.
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = agreement(first, second)
    assert (found.n, found.share, found.kappa) == (50, 0.7, pytest.approx(0.4))


def test_nothing_and_one_answer_to_everything() -> None:
    assert agreement([], []) == agreement((), ())
    assert (agreement([], []).share, agreement([], []).kappa) == (None, None)
    always = agreement([True] * 4, [True] * 4)
    assert (always.share, always.kappa) == (1.0, None), "chance alone would make them agree"
    assert agreement([True] * 4, [False] * 4).kappa == 0.0


def test_two_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        agreement([1], [1, 2])


@given(ANSWERS)
def test_it_is_the_kappa_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = (list(side) for side in zip(*pairs, strict=True))
    found = agreement(first, second)
    assume(found.kappa is not None)
    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(first, second), abs=1e-9)
    assert agreement(second, first) == found
