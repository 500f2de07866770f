"""Forms: what a rater's browser sends, read into scores and reasons."""

import re
from collections.abc import Mapping

from parley.annotate.work import Entries
from parley.canonical import whole
from parley.records.annotation import Marks
from parley.records.rating import DIMENSIONS, KEYS, Mark

#: Characters of a reason; what is longer is cut off.
LONGEST = 2000
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class BadForm(ValueError):
    """A form that no page of ours sends."""


def field(seat: int, key: str) -> str:
    """The name of the field of a score; the reason's has `-why` behind it."""
    return f"s{seat}-{key}"


def read_entries(sent: Mapping[str, str]) -> Entries:
    """Scores and reasons of a form; what is not in it is left out. Raises `BadForm` for a score outside its range."""
    found: dict[tuple[int, str], tuple[int | None, str]] = {}
    for seat in (0, 1):
        for dimension in DIMENSIONS:
            name = field(seat, dimension.key)
            text = sent.get(name, "")
            if text and not re.fullmatch(r"-?[0-9]{1,2}", text):
                raise BadForm(f"{name} is no whole number")
            score = int(text) if text else None
            if score is not None and not dimension.low <= score <= dimension.high:
                raise BadForm(f"{name} is outside {dimension.low} to {dimension.high}")
            found[seat, dimension.key] = (score, clean(sent.get(f"{name}-why", "")))
    return found


def clean(text: str) -> str:
    """A reason as it is kept: without what cannot be printed, and not too long."""
    return _UNPRINTABLE.sub("", whole(text).replace("\r\n", "\n")).strip()[:LONGEST]


def missing_scores(entries: Entries) -> list[tuple[int, str]]:
    """The seats and dimensions without a score."""
    return [(seat, key) for seat in (0, 1) for key in KEYS if entries.get((seat, key), (None, ""))[0] is None]


def missing_reasons(entries: Entries) -> list[tuple[int, str]]:
    """The seats and dimensions without a reason."""
    return [(seat, key) for seat in (0, 1) for key in KEYS if not entries.get((seat, key), (None, ""))[1]]


def form_of(marks: tuple[Marks, Marks]) -> dict[str, str]:
    """The fields that a browser would send for these marks."""
    sent: dict[str, str] = {}
    for seat, side in enumerate(marks):
        for key, mark in side.items():
            sent[field(seat, key)] = str(mark.score)
            sent[f"{field(seat, key)}-why"] = mark.reasoning
    return sent


def marks_of(entries: Entries) -> tuple[Marks, Marks]:
    """Entries that are complete, as marks. Raises `BadForm` if a score is missing."""
    if missing_scores(entries):
        raise BadForm("a score is missing")
    sides = [
        {key: Mark(score=entries[seat, key][0] or 0, reasoning=entries[seat, key][1]) for key in KEYS}
        for seat in (0, 1)
    ]
    return sides[0], sides[1]
