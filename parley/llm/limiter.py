"""How many calls may be in flight at one endpoint: additive increase, multiplicative decrease."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Limiter:
    """Admits at most `width` calls at once, first come first served, and adapts `width` to what the endpoint bears.

    Each success widens it by `1 / width` up to `most`; a call that was turned away (429, 503) halves it, once for all
    calls that were in flight together. A pause (Retry-After) holds every call that has not started yet.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError("a limiter admits at least one call")
        self.most = most
        self.width = float(most)
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._started = 0  # calls admitted so far
        self._last_cut = 0  # calls admitted when the width was last cut

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Hold a place for one try. Gives the try's number, which `turned_away` wants back."""
        await self._enter()
        self._started += 1
        try:
            yield self._started
        finally:
            self.in_flight -= 1
            self._admit()

    def succeeded(self) -> None:
        """The endpoint answered: it may bear a little more."""
        self.width = min(float(self.most), self.width + 1 / self.width)
        self._admit()

    def turned_away(self, number: int, pause: float = 0.0) -> None:
        """Try `number` was refused for lack of room; start no new one for `pause` seconds."""
        if number > self._last_cut:
            self.width = max(1.0, self.width / 2)
            self._last_cut = self._started
        loop = asyncio.get_running_loop()
        self._paused_until = max(self._paused_until, loop.time() + pause)

    async def _enter(self) -> None:
        if not self._waiting and self._room():
            self.in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.in_flight -= 1  # admitted and cancelled at once: the place goes to the next
            else:
                self._waiting.remove(place)
            self._admit()
            raise

    def _room(self) -> bool:
        return self.in_flight < int(self.width) and asyncio.get_running_loop().time() >= self._paused_until

    def _admit(self) -> None:
        while self._waiting and self._room():
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
        self._wake_later()

    def _wake_later(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and loop.time() < self._paused_until:
            self._timer = loop.call_at(self._paused_until, self._admit)
