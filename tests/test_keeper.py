"""The keeper: nothing waits for the disk but who must, nothing is lost, and an error reaches everybody it concerns."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from parley.llm.keeper import Keeper


class Disk:
    """A slow disk that remembers what was written together, and by which thread."""

    def __init__(self, seconds: float = 0.05, fault: Exception | None = None) -> None:
        self.groups: list[list[int]] = []
        self.threads: set[int] = set()
        self._seconds, self._fault = seconds, fault

    def write(self, things: list[int]) -> None:
        time.sleep(self._seconds)
        self.threads.add(threading.get_ident())
        if self._fault is not None:
            raise self._fault
        self.groups.append(things)

    @property
    def written(self) -> list[int]:
        return [thing for group in self.groups for thing in group]


def test_what_is_asked_together_is_written_together_and_in_order() -> None:
    disk = Disk()
    keeper = Keeper(disk.write)

    async def work() -> None:
        await asyncio.gather(*(keeper.keep(number) for number in range(20)))
        assert disk.written == list(range(20))

    asyncio.run(work())
    keeper.close()
    assert disk.groups == [list(range(20))]


def test_what_comes_during_a_write_is_the_next_group() -> None:
    disk = Disk(0.1)
    keeper = Keeper(disk.write)

    async def late(number: int) -> None:
        await asyncio.sleep(0.02 + number / 1000)
        await keeper.keep(number)

    async def work() -> None:
        await asyncio.gather(keeper.keep(0), *(late(number) for number in range(1, 10)))

    asyncio.run(work())
    keeper.close()
    assert disk.groups[0] == [0]
    assert len(disk.groups) <= 3 and disk.written == list(range(10))


def test_nobody_returns_before_it_is_written() -> None:
    disk = Disk()
    keeper = Keeper(disk.write)

    async def work() -> None:
        for number in range(3):
            await keeper.keep(number)
            assert disk.written[-1] == number

    asyncio.run(work())
    keeper.close()


def test_the_loop_goes_on_while_the_disk_is_busy() -> None:
    disk = Disk(0.2)
    keeper = Keeper(disk.write)
    steps = 0

    async def count() -> None:
        nonlocal steps
        while not disk.groups:
            await asyncio.sleep(0)
            steps += 1

    async def work() -> None:
        await asyncio.gather(keeper.keep(1), count())

    asyncio.run(work())
    keeper.close()
    assert steps > 50
    assert threading.get_ident() not in disk.threads and len(disk.threads) == 1


def test_an_error_reaches_all_of_its_group_and_no_other() -> None:
    disk = Disk(0.02, OSError("full"))
    keeper = Keeper(disk.write)

    async def work() -> list[BaseException | None]:
        failed = await asyncio.gather(keeper.keep(1), keeper.keep(2), return_exceptions=True)
        disk._fault = None
        await keeper.keep(3)
        return failed

    failed = asyncio.run(work())
    keeper.close()
    assert [str(error) for error in failed] == ["full", "full"]
    assert disk.written == [3]


def cancelled_after(seconds: float) -> tuple[Disk, Keeper[int]]:
    """A keeper whose caller was cancelled so long after it asked, and whose loop has ended."""
    disk = Disk(0.1)
    keeper = Keeper(disk.write)

    async def work() -> None:
        waiting = asyncio.create_task(keeper.keep(1))
        await asyncio.sleep(seconds)
        waiting.cancel()

    asyncio.run(work())
    return disk, keeper


@pytest.mark.parametrize("seconds", [0.0, 0.03], ids=["before the write", "during it"])
def test_a_caller_that_is_cancelled_loses_nothing(seconds: float) -> None:
    disk, keeper = cancelled_after(seconds)
    keeper.close()
    assert disk.written == [1]


def test_closing_inside_the_loop_writes_what_waits_and_tells_who_waits() -> None:
    disk = Disk(0.05)
    keeper = Keeper(disk.write)

    async def work() -> None:
        first = asyncio.create_task(keeper.keep(1))
        await asyncio.sleep(0.02)  # it is being written
        second = asyncio.create_task(keeper.keep(2))
        await asyncio.sleep(0)
        keeper.close()
        assert disk.written == [1, 2]
        await asyncio.wait_for(asyncio.gather(first, second), 5)

    asyncio.run(work())


def test_an_error_at_the_end_that_nobody_can_be_told_is_raised() -> None:
    disk, keeper = cancelled_after(0.0)
    disk._fault = OSError("full")
    with pytest.raises(OSError, match="full"):
        keeper.close()


@pytest.mark.parametrize("use", [lambda keeper: None, lambda keeper: asyncio.run(keeper.keep(1))], ids=["new", "used"])
def test_closing_twice_is_harmless_and_a_closed_one_can_be_used_again(use: Callable[[Keeper[int]], None]) -> None:
    disk = Disk(0.0)
    keeper = Keeper(disk.write)
    use(keeper)
    keeper.close()
    keeper.close()
    asyncio.run(keeper.keep(2))
    keeper.close()
    assert disk.written[-1] == 2


def test_many_threads_of_work_lose_nothing() -> None:
    disk = Disk(0.001)
    keeper = Keeper(disk.write)

    async def one(number: int) -> None:
        for step in range(10):
            await keeper.keep(number * 10 + step)
            await asyncio.sleep(0)

    async def work() -> None:
        await asyncio.gather(*(one(number) for number in range(30)))

    asyncio.run(work())
    keeper.close()
    assert sorted(disk.written) == list(range(300))
    assert len(disk.groups) < 150
