"""Flags: what is doubtful about an annotation. A flagged item goes to one more rater; nothing is thrown away for it.

The checks of the paper (appendix C): empty reasons, and raters who lie more than 5 points apart on GOAL. Besides: who
was too fast to have read the talk, and who gave both seats the same marks throughout.
"""

from collections.abc import Sequence

from parley.records.annotation import Annotation, Marks

NO_REASON = "no_reason"
APART = "apart"
TOO_FAST = "too_fast"
ALIKE = "seats_alike"
#: What each flag means, for people who read it.
MEANINGS = {
    NO_REASON: "a reason is missing",
    APART: "more than 5 points from another rater on GOAL",
    TOO_FAST: "faster than the talk can be read",
    ALIKE: "both participants got the same seven marks, on every item of this rater",
}

#: Points between two raters on GOAL that still pass as a difference of opinion.
MOST_APART = 5
#: Words a second: three times what people read at rest (some 240 words a minute).
READING = 12.0
#: Seconds that fourteen marks take at the very least.
MARKING = 15.0
#: Items of a rater from which on giving both seats the same marks looks like a habit.
HABIT = 3


def least_seconds(words: int) -> float:
    """The fewest seconds in which a talk of so many words can be read and marked."""
    return words / READING + MARKING


def own_flags(marks: tuple[Marks, Marks], seconds: float | None, words: int) -> list[str]:
    """The flags that an annotation earns by itself."""
    found = []
    if any(not mark.reasoning.strip() for seat in marks for mark in seat.values()):
        found.append(NO_REASON)
    if seconds is not None and seconds < least_seconds(words):
        found.append(TOO_FAST)
    return found


def alike(marks: tuple[Marks, Marks]) -> bool:
    """True if both seats got the same seven marks."""
    return all(marks[0][key].score == marks[1][key].score for key in marks[0])


def apart(one: tuple[Marks, Marks], other: tuple[Marks, Marks]) -> bool:
    """True if two raters of an item lie too far apart on GOAL, in either seat."""
    return any(abs(one[seat]["goal"].score - other[seat]["goal"].score) > MOST_APART for seat in (0, 1))


def flagged(annotations: Sequence[Annotation], words: dict[str, int]) -> list[Annotation]:
    """The annotations with all their flags: own ones, and those that show only beside other annotations.

    `words` is how many words each item's talk has.
    """
    of_item: dict[str, list[Annotation]] = {}
    of_rater: dict[str, list[Annotation]] = {}
    for one in annotations:
        of_item.setdefault(one.item, []).append(one)
        of_rater.setdefault(one.rater, []).append(one)
    habits = {
        rater for rater, given in of_rater.items() if len(given) >= HABIT and all(alike(one.marks) for one in given)
    }
    found = []
    for one in annotations:
        flags = own_flags(one.marks, one.seconds, words.get(one.item, 0))
        if any(apart(one.marks, other.marks) for other in of_item[one.item] if other.rater != one.rater):
            flags.append(APART)
        if one.rater in habits:
            flags.append(ALIKE)
        found.append(one.model_copy(update={"flags": tuple(flags)}))
    return found
