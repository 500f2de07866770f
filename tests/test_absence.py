"""Absence: never wrong about what is absent, seldom about what may be there, and of one size."""

from hypothesis import given
from hypothesis import strategies as st

from parley.canonical import digest
from parley.llm.absence import Absence


@given(st.sets(st.integers(0, 10**6), max_size=50))
def test_what_was_seen_is_never_absent(numbers: set[int]) -> None:
    absent = Absence()
    for number in numbers:
        absent.seen(digest(number))
    assert not any(digest(number) in absent for number in numbers)


def test_nothing_was_seen_at_first() -> None:
    assert all(digest(number) in Absence() for number in range(10))


def test_what_was_not_seen_is_nearly_always_absent() -> None:
    absent = Absence()
    for number in range(20_000):
        absent.seen(digest(number))
    taken_for_seen = sum(digest(["other", number]) not in absent for number in range(20_000))
    assert taken_for_seen < 5
    assert len(absent._bits) == 1 << 20


def test_every_digit_of_a_place_counts() -> None:
    absent = Absence()
    absent.seen("0" * 64)
    for digit in range(23):
        assert "0" * digit + "1" + "0" * (63 - digit) in absent
