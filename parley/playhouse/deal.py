"""What was settled in a talk, as anyone can read it from the words: used by the speakers and by the judge."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.playhouse.language import amounts, closest
from parley.playhouse.reading import Line

_OFFERS = ("propose", "open", "instead")


def offers(line: Line, terms: Sequence[str]) -> list[str]:
    """The terms offered in a line; one that is not among `terms` is given as it was said."""
    return [closest(act.about, terms) or act.about for act in line.acts if act.kind in _OFFERS]


def last_offer(lines: Sequence[Line], terms: Sequence[str]) -> str | None:
    """The newest term offered in `lines`."""
    for line in reversed(lines):
        if found := offers(line, terms):
            return found[-1]
    return None


@dataclass(frozen=True)
class Deal:
    """A term that one offered and the other accepted, and who accepted it."""

    term: str
    accepted_by: str


def settle(talk: Sequence[Line], terms: Sequence[str]) -> Deal | None:
    """The newest deal of a talk, or None.

    An acceptance counts if the other had offered that very term; one that names neither a known term nor an amount
    takes the other's newest offer. Accepting what nobody offered settles nothing.
    """
    deal: Deal | None = None
    offered: dict[str, list[str]] = {}
    for line in talk:
        theirs = [term for who, made in offered.items() if who != line.who for term in made]
        for act in line.acts:
            if act.kind == "accept" and theirs:
                named = closest(act.about, [*terms, *theirs])
                if named in theirs or (named is None and not amounts(act.about)):
                    deal = Deal(named or theirs[-1], line.who)
        offered.setdefault(line.who, []).extend(offers(line, terms))
    return deal


def did(lines: Sequence[Line], *kinds: str) -> list[str]:
    """What the acts of these kinds were about, oldest first: its truth says whether, its length how often."""
    return [act.about for line in lines for act in line.acts if act.kind in kinds]


def promised(lines: Sequence[Line], promise: str) -> bool:
    """True if `promise` was made in the lines, slips of the pen forgiven."""
    return any(closest(about, [promise]) for about in did(lines, "promise"))
