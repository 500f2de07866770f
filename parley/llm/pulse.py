"""The pulse of an endpoint: whether it is a call that fails, or the endpoint."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from parley.errors import ParleyError
from parley.llm.faults import Fault


@dataclass(frozen=True)
class Patience:
    """How long to go on after failures, in tries and seconds."""

    tries: float = 6  # of one call; one that timed out counts twice, one that was turned away (429) half
    first_wait: float = 0.5  # doubled after each try
    longest_wait: float = 60.0
    longest_pause: float = 900.0  # the longest Retry-After that is waited for
    dead_after_tries: int = 8  # failed in a row, by any calls, with no answer in between …
    dead_after: float = 10.0  # … over at least so many seconds
    dead_after_lapse: float = 60.0  # the same of an endpoint that has answered before
    dead_after_calls: int = 24  # given up in a row while the endpoint is there, but answers none


#: With servers of others.
PATIENCE = Patience()


class Pulse:
    """What its last tries tell of the endpoint at `address`. `look` asks whether it is there, and costs nothing.

    While an endpoint answers nobody, that a call fails says nothing about the call: it is not given up, but goes on
    until the endpoint is well again or is found dead, which ends the job with everything paid for kept. A call is to
    blame itself if others are answered, or if the endpoint is there when it is looked at.
    """

    def __init__(self, address: str, patience: Patience, look: Callable[[], Awaitable[bool]], remedy: str) -> None:
        self.signs = 0  # of life: answers, and refusals of what was asked
        self._address = address
        self._patience = patience
        self._look = look
        self._remedy = remedy
        self._answered = False
        self._missed = 0  # tries that failed since the last sign of life
        self._since = 0.0  # when the first of them began
        self._last_sign = 0.0
        self._given_up = 0  # calls since the last answer
        self._gate = asyncio.Lock()
        self._looks = 0
        self._there = False

    def beat(self, answered: bool = True) -> None:
        """A sign of life: an answer, or at least a word about what was asked."""
        self.signs += 1
        self._missed = 0
        self._last_sign = time.monotonic()
        if answered:
            self._answered = True
            self._given_up = 0

    async def blames(self, fault: Fault, started: float, worn: bool, seen: int) -> bool:
        """Whether to give up a call whose try, begun at `started`, ended with a fault that may pass.

        `worn`: it has failed as often as a call may. `seen`: the signs of life when it failed the last time. Raises
        `ParleyError` if the endpoint is dead.
        """
        self._miss(fault, started)
        lasted = time.monotonic() - self._since
        limit = self._patience.dead_after_lapse if self._answered else self._patience.dead_after
        over = self._missed > 0 and lasted >= limit
        alive = self.signs > seen
        if not alive and (worn or (over and self._missed >= self._patience.dead_after_tries)):
            alive = not fault.unreached and await self._is_there()
            if over and not alive:
                raise ParleyError(self._death(fault, lasted))
        if not (worn and alive):
            return False
        self._given_up += 1
        if self._given_up >= self._patience.dead_after_calls:
            raise ParleyError(
                f"endpoint {self._address}: is there, but answered none of {self._given_up} calls in a row "
                f"({fault.reason}); {self._remedy}. Nothing is lost: the same command goes on"
            )
        return True

    def _miss(self, fault: Fault, started: float) -> None:
        if fault.status == 429:  # busy with others is not dead
            self._missed = 0
            return
        if self._missed == 0:
            self._since = max(started, self._last_sign)
        self._missed += 1

    async def _is_there(self) -> bool:
        """Look, once for all calls that ask at the same time."""
        before = self._looks
        async with self._gate:
            if self._looks == before:
                self._there = await self._look()
                self._looks += 1
        if self._there:
            self._missed = 0
        return self._there

    def _death(self, fault: Fault, lasted: float) -> str:
        tries = f"{self._missed} tries in a row over {lasted:.0f} s"
        what = f"{tries} did not reach it" if fault.unreached else f"no answer to {tries}"
        slow = "raise `timeout`, " if fault.late else ""
        return (
            f"endpoint {self._address}: {what} ({fault.reason}); {slow}{self._remedy}. "
            "Nothing is lost: the same command goes on"
        )
