"""The letter in a free answer: the first option letter found counts, else a guess (paper, section 6.3 and Table 4)."""

import re
from random import Random

from parley.canonical import seed_from
from parley.evaluation.item import LETTERS, Item

#: A capital letter from A to D that stands alone: "B", "(B)", "B.", "**B**"; not "Because", "a", "B's".
_LETTER = re.compile(r"(?<![\w'\u2019])[ABCD](?![\w'\u2019])")


def first_letter(reply: str) -> str | None:
    """The first option letter in a reply; None if there is none.

    Taken at its word, as in the paper: "A cell divides" answers A. The replies are kept, so that this can be looked at.
    """
    found = _LETTER.search(reply)
    return found[0] if found else None


def guess(item: Item, seed: int) -> str:
    """A random letter for a question.

    `seed` is another for each policy: with the same guesses, two that know nothing would agree on every question.
    """
    return Random(seed_from(seed, "guess", item.id)).choice(LETTERS)
