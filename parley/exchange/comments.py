"""Comments: the one text in which SOTOPIA's logs keep why an episode ended and all that the judge said of both agents.

Environment comments: terminated: The conversation is too long;
Agent 1 comments:
believability: …
relationship: …
Agent 2 comments:
believability: …
"""

import re
from collections.abc import Mapping, Sequence

from parley.records.episode import Ending

_ENVIRONMENT = "Environment comments: terminated: "
_TOO_LONG = "The conversation is too long; "
_STALE = "The conversation stales for too long; "
#: The third is the wording of sotopia 0.1.
_LEFT = ("Agent 1 is leaving; ", "Agent 2 is leaving; ", "Too few active agents; ")
#: What stands for each seat.
_HEADS = ("Agent 1 comments:\n", "Agent 2 comments:\n")

#: The reasons for one seat by dimension, in the order of the text; None if the seat is not rated.
Reasons = Mapping[str, str] | None


def as_comments(ending: Ending, leaver: int, reasons: Sequence[Reasons]) -> str:
    """The text for an episode with its ending, the seat of the last turn, and the reasons of both seats."""
    why = {"left": _LEFT[leaver], "turns": _TOO_LONG, "silence": _STALE, "failed": ""}[ending]
    parts = [f"{_ENVIRONMENT}{why}\n"] if why else []
    for head, given in zip(_HEADS, reasons, strict=True):
        if given is not None:
            parts.append(head + "\n".join(f"{key}: {reason}" for key, reason in given.items()) + "\n")
    return "".join(parts)


def ending_in(comments: str) -> Ending | None:
    """How the episode ended, if the text says so. Leaving goes before the limit, and that before silence, as at play."""
    first = comments.split("\n", 1)[0] + " "  # the last space is lost where a text was stripped
    if not first.startswith("Environment comments:"):
        return None
    if any(why in first for why in _LEFT):
        return "left"
    return "turns" if _TOO_LONG in first else "silence" if _STALE in first else None


def comments_on(comments: str, seat: int) -> str:
    """What is said of one seat. A text that is not divided by agents is said of both."""
    start = _head(comments, 0, 0)
    other = _head(comments, 1, start.end() if start else 0)
    if start is None and other is None:
        whole = comments.split("\n", 1) if comments.startswith("Environment comments:") else ["", comments]
        return whole[1] if len(whole) == 2 else ""
    if seat == 1:
        return comments[other.end() :].removesuffix("\n") if other else ""
    return comments[start.end() : other.start() if other else None].removesuffix("\n") if start else ""


def reasons_in(comments: str, keys: Sequence[str]) -> tuple[dict[str, str], str]:
    """The reason for each dimension that stands at the start of a line, and the text before the first of them.

    `keys` are the dimensions in the order in which they were rated. The order tells a dimension from the same word at the
    start of a line of another's reason, in all but the strangest texts.
    """
    places: list[tuple[str, int, int]] = []
    at = 0
    for key in keys:
        if found := re.compile(rf"^{re.escape(key)}: ?", re.MULTILINE).search(comments, at):
            places.append((key, found.start(), found.end()))
            at = found.end()
    if not places:
        return {}, comments
    ends = [start - 1 for _, start, _ in places[1:]] + [len(comments)]  # a newline stands before the next
    reasons = {key: comments[end:until] for (key, _, end), until in zip(places, ends, strict=True)}
    return reasons, comments[: places[0][1]]


def _head(comments: str, seat: int, start: int) -> re.Match[str] | None:
    return re.compile(f"^{_HEADS[seat]}", re.MULTILINE).search(comments, start)
