"""Many at once: how many are in flight, what order they come in, and what an error does."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.many import each


def run(steps: list[int], in_flight: int) -> tuple[list[tuple[int, int]], int]:
    """Works of so many steps of the loop each: (number, steps) as they end, and how many flew at most."""
    ended: list[tuple[int, int]] = []
    flying = most = 0

    async def work(count: int) -> int:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        for _ in range(count):
            await asyncio.sleep(0)
        flying -= 1
        return count

    asyncio.run(each(steps, work, in_flight, lambda number, count: ended.append((number, count))))
    return ended, most


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 30))
def test_each_item_is_done_once_under_its_number_and_never_too_many(steps: list[int], in_flight: int) -> None:
    ended, most = run(steps, in_flight)
    assert sorted(ended) == list(enumerate(steps))
    assert most <= in_flight


def test_as_many_fly_as_may() -> None:
    assert run([5] * 10, 3)[1] == 3
    assert run([5] * 2, 3)[1] == 2


def test_what_is_slow_holds_up_nothing() -> None:
    assert [number for number, _ in run([50, 1, 1, 1, 1], 2)[0]] == [1, 2, 3, 4, 0]


def test_items_are_taken_when_there_is_room_and_not_before() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            taken.append(number)
            yield number

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        assert len(taken) <= number + 2

    asyncio.run(each(items(), work, 2, lambda number, result: None))
    assert taken == list(range(6))


def test_an_error_stops_the_rest() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(each(range(100), work, 2, lambda number, result: None))
    assert raised.group_contains(ValueError, match="one")
    assert len(begun) < 6
