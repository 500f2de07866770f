"""A keeper: writes what comes to disk in groups, in a thread of its own, so that nothing else waits for the disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
GATHER = 0.002  # seconds in which the first things share one write; later ones share what comes while a write lasts


class Keeper(Generic[T]):
    """`await keep(thing)` returns when `write`, called with a list of things in their order, has returned."""

    def __init__(self, write: Callable[[list[T]], None]) -> None:
        self._write = write
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[T] = []
        self._kept: asyncio.Future[None] | None = None  # of those that wait
        self._busy = False

    async def keep(self, thing: T) -> None:
        """Have it written. Raises what `write` raises. Once asked for, it is written even if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        if self._kept is None:
            self._kept = loop.create_future()
            self._kept.add_done_callback(_seen)
            if not self._busy:
                loop.call_later(GATHER, self._start, loop)
        self._waiting.append(thing)
        await asyncio.shield(self._kept)

    def close(self) -> None:
        """End the write that is going on, and write what still waits."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
        things, kept = self._take()
        if kept is not None:
            error: Exception | None = None
            try:
                self._write(things)
            except Exception as fault:
                error = fault
            if kept.get_loop().is_closed():
                if error is not None:
                    raise error
            else:
                _settle(kept, error)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._busy or not self._waiting:
            return
        things, kept = self._take()
        self._busy = True
        self._thread = self._thread or ThreadPoolExecutor(1, "keeper")
        writing = loop.run_in_executor(self._thread, self._write, things)
        writing.add_done_callback(partial(self._ended, loop, kept))

    def _ended(
        self, loop: asyncio.AbstractEventLoop, kept: asyncio.Future[None] | None, writing: asyncio.Future[None]
    ) -> None:
        self._busy = False
        _settle(kept, None if writing.cancelled() else writing.exception())
        self._start(loop)

    def _take(self) -> tuple[list[T], asyncio.Future[None] | None]:
        things, kept = self._waiting, self._kept
        self._waiting, self._kept = [], None
        return things, kept


def _settle(kept: asyncio.Future[None] | None, error: BaseException | None) -> None:
    if kept is not None and not kept.done():
        kept.set_exception(error) if error is not None else kept.set_result(None)


def _seen(done: asyncio.Future[None]) -> None:
    """Nobody may wait for it any more: an error is not to be complained of then."""
    if not done.cancelled():
        done.exception()
