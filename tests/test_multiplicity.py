"""Holm's correction: by hand, and what holds for any p values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.evaluation.multiplicity import holm

P = st.one_of(st.none(), st.floats(0, 1))


def test_each_p_is_multiplied_by_the_hypotheses_that_are_left() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.04, 0.005, 0.012, 0.3]) == pytest.approx([0.08, 0.02, 0.036, 0.3])


def test_what_was_not_tested_stays_so_and_counts() -> None:
    assert holm([0.01, None, None]) == [pytest.approx(0.03), None, None]
    assert holm([None] * 7) == [None] * 7
    assert holm([]) == []


def test_the_papers_test_of_its_last_policy_over_the_base_loses_one_of_its_stars() -> None:
    # Table 6: BEL .019 and SOC .004 and REL .000 are below .05 alone; SEC was not tested
    found = holm([0.019, 0.0003, 0.568, None, 0.004, 0.703, 0.059])
    assert [p is not None and p < 0.05 for p in found] == [False, True, False, False, True, False, False]


@given(st.lists(P, min_size=1, max_size=9))
def test_no_p_falls_none_leaves_its_range_and_their_order_stays(values: list[float | None]) -> None:
    found = holm(values)
    known = sorted((before, after) for before, after in zip(values, found, strict=True) if before is not None)
    assert all(before <= after <= 1 for before, after in known)
    assert [after for _, after in known] == sorted(after for _, after in known)
    assert [p is None for p in found] == [p is None for p in values]


@given(st.lists(P, min_size=1, max_size=9), st.randoms())
def test_the_order_in_which_they_come_changes_nothing(values: list[float | None], random) -> None:
    places = list(range(len(values)))
    random.shuffle(places)
    assert holm([values[place] for place in places]) == [holm(values)[place] for place in places]
