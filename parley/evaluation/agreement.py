"""Agreement: how often two who decide the same things say the same, and how far that goes beyond chance."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """The `share` of `n` things on which both say the same; None of nothing.

    `kappa` is Cohen's: 1 is always, 0 is as often as by chance. None where chance alone would make them always agree,
    as when both say the same of everything.
    """

    n: int
    share: float | None
    kappa: float | None


def agreement(first: Sequence[Hashable], second: Sequence[Hashable]) -> Agreement:
    """How far two sequences of answers, in the same order, agree (Cohen 1960)."""
    n = len(first)
    share = sum(a == b for a, b in zip(first, second, strict=True)) / n if n else None
    if share is None:
        return Agreement(0, None, None)
    one, other = Counter(first), Counter(second)
    chance = sum(one[answer] * other[answer] for answer in one) / n**2
    return Agreement(n, share, None if chance == 1 else (share - chance) / (1 - chance))
