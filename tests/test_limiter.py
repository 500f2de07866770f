"""The limiter: how many calls are in flight, and what they do when they are turned away."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from parley.llm.limiter import Limiter


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 5))


async def hold(limiter: Limiter, order: list[int], number: int, seconds: float = 0.005) -> None:
    async with limiter.slot():
        order.append(number)
        await asyncio.sleep(seconds)


def test_never_admits_more_than_the_width() -> None:
    async def work() -> None:
        limiter, peak = Limiter(3), 0

        async def call() -> None:
            nonlocal peak
            async with limiter.slot():
                peak = max(peak, limiter.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(call() for _ in range(20)))
        assert peak == 3
        assert limiter.in_flight == 0

    run(work())


def test_admits_in_the_order_of_asking() -> None:
    async def work() -> None:
        limiter, order = Limiter(2), list[int]()
        await asyncio.gather(*(hold(limiter, order, number) for number in range(9)))
        assert order == list(range(9))

    run(work())


def test_a_burst_of_refusals_halves_the_width_once() -> None:
    async def work() -> None:
        limiter = Limiter(16)
        ready = asyncio.Barrier(16)

        async def refused() -> None:
            async with limiter.slot() as number:
                await ready.wait()
                limiter.turned_away(number)

        await asyncio.gather(*(refused() for _ in range(16)))
        assert limiter.width == 8
        async with limiter.slot() as number:  # one that started after the cut was felt
            limiter.turned_away(number)
        assert limiter.width == 4

    run(work())


def test_width_stays_between_one_and_the_most() -> None:
    async def work() -> None:
        limiter = Limiter(2)
        for _ in range(5):
            async with limiter.slot() as number:
                limiter.turned_away(number)
        assert limiter.width == 1
        limiter.succeeded()
        assert limiter.width == 2  # 1 + 1/1
        limiter.succeeded()
        assert limiter.width == 2

    run(work())


def test_success_adds_one_for_each_width_of_calls() -> None:
    async def work() -> None:
        limiter = Limiter(10)
        async with limiter.slot() as number:
            limiter.turned_away(number)
        assert limiter.width == 5
        for _ in range(5):
            limiter.succeeded()
        assert 5.9 < limiter.width < 6

    run(work())


def test_a_pause_holds_new_calls_and_then_lets_them_go() -> None:
    async def work() -> None:
        limiter, loop = Limiter(4), asyncio.get_running_loop()
        async with limiter.slot() as number:
            limiter.turned_away(number, pause=0.1)
        started = loop.time()
        order: list[int] = []
        await asyncio.gather(*(hold(limiter, order, number) for number in range(3)))
        assert 0.09 < loop.time() - started < 0.5
        assert order == [0, 1, 2]

    run(work())


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def work() -> None:
        limiter, loop = Limiter(4), asyncio.get_running_loop()
        async with limiter.slot() as number:
            limiter.turned_away(number, pause=0.1)
            limiter.turned_away(number, pause=0.0)
        started = loop.time()
        await hold(limiter, [], 0)
        assert loop.time() - started > 0.09

    run(work())


def test_a_cancelled_call_gives_its_place_back() -> None:
    async def work() -> None:
        limiter, order = Limiter(1), list[int]()
        first = asyncio.create_task(hold(limiter, order, 0, 0.02))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(hold(limiter, order, number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        assert order == [0, 2, 3]
        assert limiter.in_flight == 0

    run(work())


def test_a_call_cancelled_while_it_is_admitted_gives_its_place_back() -> None:
    async def work() -> None:
        limiter, order = Limiter(1), list[int]()
        async with limiter.slot():
            waiting = asyncio.create_task(hold(limiter, order, 1))
            await asyncio.sleep(0)
        waiting.cancel()  # its future is done, it has not run yet
        await asyncio.gather(waiting, return_exceptions=True)
        assert limiter.in_flight == 0
        await hold(limiter, order, 2)
        assert order == [2]

    run(work())


def test_a_limiter_for_no_calls_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Limiter(0)
