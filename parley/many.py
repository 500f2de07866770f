"""Many things at once: a fixed number in flight, none waiting for another, nothing held of what is done."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def each(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], in_flight: int, done: Callable[[int, R], None]
) -> None:
    """Do `work` on every item, at most `in_flight` at a time; `done` gets an item's number and what came of it.

    Items are taken in their order, as there is room; what ends first is done first. The first error stops the rest and
    is raised in an exception group.
    """
    queue = enumerate(items)

    async def worker() -> None:
        for number, item in queue:
            done(number, await work(item))

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
