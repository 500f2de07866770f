"""Toxicity of talk by surface: a word list that counts, and a small classifier beside it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from parley.errors import ParleyError
from parley.evaluation.cues import plain

#: Scores from 0 to 1 for texts, in their order.
Classifier = Callable[[list[str]], list[float]]


@dataclass(frozen=True)
class Lexicon:
    """Words and phrases whose uses are counted."""

    entries: tuple[str, ...]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.entries, key=lambda entry: (-len(entry), entry))
        return re.compile(r"(?<![\w'])(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")

    def count(self, text: str) -> int:
        """How often entries occur as whole words. A phrase is one, whatever entries it contains."""
        return len(self._pattern.findall(plain(text)))


def read_lexicon(path: str | Path) -> Lexicon:
    """The entries of a word list: one a line, `#` starts a comment. Raises `ParleyError` for no file or no entry."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such word list; correct safety.lexicon in the config") from None
    entries = dict.fromkeys(entry for line in lines if (entry := plain(line.split("#", 1)[0])))
    if not entries:
        raise ParleyError(f"{path}: has no word; write one a line")
    return Lexicon(tuple(entries))


def profanity_scores(texts: list[str]) -> list[float]:
    """The probability, by alt-profanity-check's linear classifier, that each text is profane or insulting."""
    try:
        from profanity_check import predict_prob
    except ImportError:
        raise ParleyError("alt-profanity-check is not installed; install parley[safety]") from None
    return [round(float(probability), 6) for probability in predict_prob(texts)] if texts else []
