"""Rate limits: how often one visitor may ask, and how often tokens may be guessed."""

from collections import OrderedDict
from collections.abc import Callable


class Limiter:
    """A bucket for each visitor that holds `burst` tries and is filled again by `rate` a second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float], most: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, visitor: str) -> bool:
        """Take a try from a visitor's bucket; False if it is empty."""
        now = self._clock()
        left, since = self._left.pop(visitor, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, now - since) * self._rate)
        allowed = left >= 1
        self._left[visitor] = (left - 1 if allowed else left, now)
        while len(self._left) > self._most:  # who was not here for long is forgotten first
            self._left.popitem(last=False)
        return allowed

    def empty(self, visitor: str) -> bool:
        """Whether a visitor has no try left; takes none."""
        left, since = self._left.get(visitor, (float(self._burst), self._clock()))
        return left + max(0.0, self._clock() - since) * self._rate < 1
