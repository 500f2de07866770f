"""Multiplicity: what p values are worth when several hypotheses are tested at once."""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values adjusted by Holm's step-down method ("A Simple Sequentially Rejective Multiple Test Procedure", 1979).

    Those below 0.05 can be claimed together with at most 5 % risk that any claim is wrong, however the tests depend on
    each other. One that is None (nothing varied, so nothing was tested) stays None and still counts as one of the family.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, (len(p_values) - rank) * p))
        adjusted[place] = least
    return adjusted
