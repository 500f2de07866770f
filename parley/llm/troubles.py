"""Troubles: what went wrong with a speaker's calls in a job, and how often which kind of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Where a reason stands in the record: before it, what it was the end of.
_BEFORE = re.compile(r"^(?:(?:episode failed|rating failed|invalid|call failed): )?(?:seat \d, turn \d+: )?")
#: A reason is one line with names and numbers in it; its kind is what many of them have in common.
_KINDS: tuple[tuple[str, str], ...] = (
    (r"(HTTP \d+)", r"\1"),
    (r"no answer within", "no answer in time"),
    (r"(connection broken|no connection)", r"\1"),
    (r"unreadable answer", "no chat completion"),
    (r"the model refused", "refused by the model"),
    (r"the answer is empty", "empty"),
    (r"the answer was cut off", "cut off by the token limit"),
    (r"the answer has no JSON", "no JSON"),
    (r"the entries are for", "other names"),
    (r".* is -?\d+, outside ", "a score out of range"),
)


def kind_of(reason: str) -> str:
    """The kind of a reason, in a few words: `HTTP 429`, `cut off by the token limit`, `not of the form asked for`."""
    bare = _BEFORE.sub("", reason)
    for pattern, kind in _KINDS:
        if found := re.match(pattern, bare):
            return found.expand(kind)
    return "not of the form asked for"


@dataclass
class Troubles:
    """Counts of one speaker in one job. `reasons` are of failed tries and of answers that could not be used, by kind.

    What could be read is the same after a replay; calls that failed for good are made again and count again.
    """

    retried: int = 0  # calls that were answered after failed tries
    answers: int = 0  # asked for in some form, whether one came or not
    repaired: int = 0  # … of these, mended by rule
    asked_again: int = 0  # … asked for a second time
    unreadable: int = 0  # … and not of that form then either
    reasons: dict[str, int] = field(default_factory=dict)

    def tried(self, failures: Iterable[str]) -> None:
        """A call ended; its tries failed for these reasons, in order."""
        for reason in failures:
            self.count(reason)

    def count(self, reason: str) -> None:
        """Count one reason."""
        kind = kind_of(reason)
        self.reasons[kind] = self.reasons.get(kind, 0) + 1
