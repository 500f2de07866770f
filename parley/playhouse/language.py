"""The language of the small world: acts to sentences, and sentences back to acts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

HERE = Path(__file__).parent


@cache
def lexicon() -> dict[str, Any]:
    """The words of the small world, by kind."""
    return dict(yaml.safe_load((HERE / "lexicon.yaml").read_text(encoding="utf-8")))


@cache
def sentences() -> dict[str, tuple[str, ...]]:
    """The sentences of each act; `chat` and `insult` have theirs in the lexicon."""
    table = yaml.safe_load((HERE / "language.yaml").read_text(encoding="utf-8"))
    return {
        **{act: tuple(lines) for act, lines in table.items()},
        "chat": tuple(lexicon()["chat"]),
        "insult": tuple(lexicon()["insults"]),
    }


@dataclass(frozen=True)
class Act:
    """One thing done with words: `propose`, `accept`, …; and what it is about ("" if nothing)."""

    kind: str
    about: str = ""


def say(acts: Iterable[Act], rng: Random) -> str:
    """One sentence for each act, drawn from its variants."""
    return " ".join(rng.choice(sentences()[act.kind]).format(x=act.about) for act in acts)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    # The longest templates first: "How about {x} instead?" must win over "How about {x}?".
    pairs = [(act, template) for act, templates in sentences().items() for template in templates]
    pairs.sort(key=lambda pair: -len(pair[1].replace("{x}", "")))
    return tuple(
        (act, re.compile("^" + re.escape(template).replace(r"\{x\}", r"(.+?)") + "$", re.IGNORECASE))
        for act, template in pairs
    )


def split_sentences(text: str) -> list[str]:
    """The sentences of an utterance, with their final marks."""
    return [part for part in re.split(r"(?<=[.?!])\s+", text.strip()) if part]


def hear(text: str) -> list[Act]:
    """The acts in an utterance; a sentence that nobody in the small world says is an act of kind `babble`."""
    heard = []
    for sentence in split_sentences(text):
        for kind, pattern in _patterns():
            if match := pattern.match(sentence):
                heard.append(Act(kind, match.group(1) if match.groups() else ""))
                break
        else:
            heard.append(Act("babble", sentence))
    return heard


def amounts(phrase: str) -> list[str]:
    """The numbers in a phrase."""
    return re.findall(r"\d+", phrase)


def closest(phrase: str, known: Sequence[str], least: float = 0.86) -> str | None:
    """The known phrase that `phrase` means, forgiving small slips of the pen; None if it means none of them.

    `least` is the share of letters in common: lending it out and renting it out (0.857) are two things.
    """
    if phrase in known:
        return phrase
    # Amounts are never forgiven: $70 is not a slip of $90.
    alike = [one for one in known if amounts(one) == amounts(phrase)]
    ranked = sorted(((SequenceMatcher(None, phrase.lower(), one.lower()).ratio(), one) for one in alike), reverse=True)
    if not ranked or phrase.startswith("$") or ranked[0][0] < least:
        return None
    return ranked[0][1]
