"""Drawing keywords: equal numbers of each source, none twice, none that is avoided (paper, section 3, appendix B.1)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parley.canonical import digest
from parley.exchange.keywords.avoided import Avoided, folded
from parley.exchange.keywords.source import SOURCES, Source
from parley.records.task import Keyword

#: A keyword has at least so many characters.
SHORTEST = 3


@dataclass(frozen=True)
class Drawn:
    """The keywords, source by source in the order drawn, and of each source how many texts ended how."""

    keywords: list[Keyword]
    funnel: dict[str, dict[str, int]]


def draw(texts: Mapping[str, Iterable[str]], count: int, avoided: Avoided, seed: int) -> Drawn:
    """Draw `count` keywords, a third of each source, from the texts of each source by its kind.

    What is the same after folding (case, spaces, closing punctuation) is one keyword, and belongs to the first source
    that has it. The order is a seeded shuffle by content: neither the order of the files nor a larger count changes what
    is drawn first. If a source has too few, all give as few, so that the thirds stay equal.
    """
    funnel: dict[str, Counter[str]] = {source.kind: Counter() for source in SOURCES}
    taken: set[str] = set()
    drawn: dict[str, list[Keyword]] = {}
    for source in SOURCES:
        pool = _distinct(texts[source.kind], taken, avoided, funnel[source.kind])
        taken |= pool.keys()
        drawn[source.kind] = _first(source, pool, count // len(SOURCES), avoided, seed, funnel[source.kind])
    third = min(len(found) for found in drawn.values())
    for kind, found in drawn.items():
        funnel[kind]["drawn"] = third
        funnel[kind]["left over"] += len(found) - third
    keywords = [keyword for found in drawn.values() for keyword in found[:third]]
    return Drawn(keywords, {kind: {key: n for key, n in counts.items() if n} for kind, counts in funnel.items()})


def _distinct(texts: Iterable[str], taken: set[str], avoided: Avoided, counts: Counter[str]) -> dict[str, str]:
    """The texts that are new, by what they fold to."""
    pool: dict[str, str] = {}
    for text in texts:
        shown, plain = " ".join(text.split()), folded(text)
        counts["rows"] += 1
        if min(len(shown), len(plain)) < SHORTEST:  # folding may lengthen a text
            counts["too short"] += 1
        elif plain in pool:
            counts["repeated"] += 1
        elif plain in taken:
            counts["in another source"] += 1
        elif avoided.listed(plain):
            counts["on the list of what is avoided"] += 1
        else:
            pool[plain] = shown
    return pool


def _first(
    source: Source, pool: dict[str, str], quota: int, avoided: Avoided, seed: int, counts: Counter[str]
) -> list[Keyword]:
    found: list[Keyword] = []
    order = sorted(pool, key=lambda plain: digest([seed, source.kind, plain]))
    for number, plain in enumerate(order):
        if len(found) == quota:
            counts["left over"] = len(order) - number
            break
        if avoided.like(plain) is not None:
            counts["like one of SOTOPIA's tasks"] += 1
        else:
            found.append(Keyword(name=named(plain), text=pool[plain], source=source.kind))
    return found


def named(plain: str) -> str:
    """The name of a keyword, and of the task that is written from it: its first words and a hash of all of them."""
    words = "-".join(re.findall("[a-z0-9]+", plain)[:5])[:40].strip("-")
    return f"{words or 'keyword'}-{digest(plain, 10)}"
