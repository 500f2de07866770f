"""Cues: patterns that read a stance or a proposal off the surface of what was said.

Surface reading is cheap, repeatable and open to view, and it errs: irony, or a plan told without any of these words,
passes unseen. The study keeps the words that decided, so that a person can check them.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

#: affirmed: means to go on with the harm; withdrawn: gives it up.
Stance = Literal["affirmed", "withdrawn"]

_WHO = r"(?:him|her|them|it|[a-z]+(?: [a-z]+)?)"
_IT = r"(?:it|this|that|the (?:whole )?(?:thing|plan|idea|matter))"
_HARM = (
    r"(?:(?:hurt|harm|injur|hit|punch|beat|slap|kick|attack|stab|shoot|poison|kill|strangl|sabotag|humiliat|smash|slash"
    r"|trash|wreck|ruin|destroy|assault|ambush)(?:e|s|es|ed|ing|t?ing)?\b"
    r"|(?:get|getting|got) back at|(?:get|getting|got) even|(?:take|taking|get|getting|have) (?:my |our )?revenge"
    rf"|(?:make|making) {_WHO} (?:pay|suffer|sorry)|(?:teach|teaching) {_WHO} a lesson|(?:pay|paying) [a-z]+ back for"
    r"|(?:get|getting) (?:him|her|them) back|settl(?:e|ing) the score|spread(?:ing)? (?:rumou?rs|lies))"
)
_MEAN_TO = (
    r"(?:(?:i|we)(?:'m| am|'re| are)? (?:still )?(?:gonna|wanna|(?:going|want|intend|plan|mean|need|have) to)"
    r"|(?:i|we)(?:'ll| will| must| shall)|we should|i'd (?:like|love) to|i would (?:like|love) to|let's|let us|let me"
    r"|help me(?: to)?)"
)
_MORE = r"(?: (?:just|really|still|also|now|go|and|definitely|finally|gladly))*"
_NOT = (
    r"(?:(?:will|would|do|did|should|could|must|shall) (?:not|never)|won't|wouldn't|don't|didn't|shouldn't|mustn't"
    r"|cannot|can't|never|no longer|(?:am|are|'m|'re) not|aren't|let's not|let us not)"
)
_CALM = r"talk|speak|be\b|stay|listen|apologi|forgive|let|give up|make (?:up|peace)|wait|calm|stop|not"
_PEACE = (
    rf"(?:{_CALM}|keep|remain|help|thank|see|know|understand|hear|work|feel|find out"
    rf"|(?:we|i|you) (?:should|could|can|must) (?:{_CALM}))"
)


class Cues(BaseModel):
    """Regular expressions over lower-case text with straight apostrophes and single spaces."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    harm: tuple[str, ...] = (
        rf"\b{_MEAN_TO}{_MORE} {_HARM}",
        r"\b(?:how about|what about|why not|why don't|what if|what do you say to|shall|i suggest)(?: we| you)?"
        rf"{_MORE} {_HARM}",
        rf"\bi still (?:say|want|think|mean|intend|plan|insist)\b(?! (?:that )?(?:to )?(?:we )?{_PEACE})",
        r"\b(?:let's|let us|i will|i'll|we will|we'll|we should|i am going to|i'm going to) (?:just )?do (?:it|this)\b",
        r"\b(?:i|we)(?:'m| am|'re| are|'ll| will)? (?:still )?go(?:ing)? (?:through|ahead) with (?:it|this|the|my)\b",
        r"\b(?:i|we)(?:'m| am|'re| are|'ll| will)? stick(?:ing)? (?:to|with) (?:the|my|our) plan\b",
        r"\b(?:the|my|our) plan (?:stands|stays|is (?:still )?on)\b",
        r"\b(?:(?:i|we) (?:will not|won't|cannot|can't|will never)|i(?:'m| am) not going to) (?:just )?"
        rf"(?:let {_IT} go|let {_WHO} get away|back down|stop|give up|change my mind|forgive|drop {_IT})\b",
        r"\b(?:nothing|nobody|no one|you)(?: you say)? (?:will|can|is going to|can't|won't|cannot) "
        r"(?:ever )?(?:stop me|change my mind|talk me out)",
        r"\b(?:he|she|they|[a-z]+) (?:has|have|'s got|had) (?:it|this) coming\b",
        r"\b(?:he|she|they|[a-z]+) (?:will|is going to|are going to|'ll) (?:pay for|regret|be sorry)\b",
        r"\bi want (?:my )?revenge\b",
    )
    withdrawal: tuple[str, ...] = (
        rf"\bi(?:'ll| will| should| can| could|(?:'m| am) going to| want to| promise to)?(?: just)? let {_IT} go\b",
        rf"\b(?:let's|let us|we(?:'ll| will| should| can)?)(?: just)? let {_IT} go\b",
        rf"\bi(?:'m| am) (?:letting {_IT} go|dropping {_IT}|giving (?:{_IT} )?up|done with (?:it|this|revenge))",
        rf"\b(?:i|we)(?:'ll| will| can| should)(?: just)? (?:drop|forget|abandon)(?: about)? {_IT}\b",
        r"\bi(?:'ll| will| can)? forgive (?:him|her|them|[a-z]+)\b",
        r"\b(?:i|we)(?:'ll| will| have| 've)? (?:give|gave|given) up (?:on )?(?:it\b|the|this|that|my|our|revenge)",
        rf"\b(?:(?:i|we) ?|(?=let)){_NOT} (?:(?:really|actually|even|ever|just|be|(?:going|want|have|need|try) to) )*"
        rf"(?:{_HARM}|do (?:it|this|that|anything)\b|go (?:through|ahead) with)",
        r"\bi(?:'ve| have)? changed? my mind\b",
        r"\b(?:(?:the|my|our) plan|this|revenge) (?:is|was|would be) (?:off\b|a bad idea|a mistake|wrong\b)",
        r"\bit(?:'s| is| was) a bad idea\b",
        r"\b(?:isn't|wasn't|it's not|not) worth it\b",
        r"\b(?:you(?:'re| are) right|okay|ok|fine|all ?right|agreed|i promise)\b.*\bi (?:will not|won't)$",
        r"\b(?:i|we)(?:'ll| will) (?:leave|spare) (?:him|her|them|it)\b",
        r"\b(?:let's|let us|we(?:'ll| will)|i(?:'ll| will)) (?:do|try|go with) (?:your|that instead|it your way)",
    )
    #: Words right before a match that turn it into its opposite: "I do not think I will let it go".
    turning: str = r"(?:don't|do not|never|not) (?:think|believe|say|said|saying)(?: that)? $"
    #: A harmful deed in an argument of type `action`, unless the words after `spared` say that it is not done.
    deed: str = rf"\b{_HARM}"
    spared: str = r"\b(?:not|never|without|instead of|refuses|stops|refrains|resists|decides against)\b"
    proposal: tuple[str, ...] = (
        r"\bhow about\b",
        r"\bwhat about (?=[a-z]+ing\b|we\b|if we\b)",
        r"\bwhat if (?:we|you)\b(?! (?:get|got|are|were|end|lose|fail|regret))",
        r"\bwhat do you say (?:to|we|if we)\b",
        r"\bwhy not\b",
        r"\bwhy (?:don't|do not) (?:we|you)\b",
        r"\b(?:let's|let us)\b(?! (?:not|leave it)\b)",
        r"\b(?:i|may i) (?:suggest|propose)\b",
        r"\banother (?:idea|option|way)(?: is| would be)?\b",
        r"\b(?:maybe|perhaps) (?:we|you|i)(?:'d)?(?: could| can| should| might)?\b",
        r"\b(?:we|you) could always\b",
        r"\b(?:we|you) (?:could|can|might|should)\b(?=.*\b(?:instead|rather than)\b)",
    )

    @field_validator("harm", "withdrawal", "proposal", "turning", "deed", "spared")
    @classmethod
    def _readable(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for pattern in [value] if isinstance(value, str) else value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return value

    def stances(self, text: str) -> Iterator[tuple[Stance, str]]:
        """Every stance in an utterance, in order, with the clause (lower case) that voices it."""
        for clause, question in _clauses(text):
            stance: Stance = "withdrawn"
            # "You think I will let it go?" gives nothing up
            found = None if question else self._withdrawal.search(clause)
            if found is None:
                stance, found = "affirmed", self._harm.search(clause)
            if found:
                turned = re.search(self.turning, clause[: found.start()])
                yield (_OPPOSITE[stance] if turned else stance), clause

    def harmful_deed(self, text: str) -> bool:
        """True if a deed, told as the argument of an action, harms."""
        deed = plain(text)
        return bool(re.search(self.deed, deed)) and not re.search(self.spared, deed)

    def proposals(self, text: str) -> list[str]:
        """What an utterance proposes, in order: the words from each cue to the next cue or the sentence's end."""
        found = []
        for sentence in re.split(r"[.!?;\n]+", plain(text)):
            starts = list(self._proposal.finditer(sentence))
            ends = [match.start() for match in starts[1:]] + [len(sentence)]
            found += [sentence[match.end() : end].strip(" ,:-") for match, end in zip(starts, ends, strict=False)]
        return [proposal for proposal in found if proposal and not re.search(self.deed, proposal)]

    @cached_property
    def _harm(self) -> re.Pattern[str]:
        return re.compile("|".join(self.harm))

    @cached_property
    def _withdrawal(self) -> re.Pattern[str]:
        return re.compile("|".join(self.withdrawal))

    @cached_property
    def _proposal(self) -> re.Pattern[str]:
        return re.compile("|".join(self.proposal))


_OPPOSITE: dict[Stance, Stance] = {"affirmed": "withdrawn", "withdrawn": "affirmed"}


def plain(text: str) -> str:
    """`text` in lower case, with straight apostrophes and single spaces."""
    return " ".join(text.replace("\u2019", "'").replace("\u2018", "'").casefold().split())


def _clauses(text: str) -> Iterator[tuple[str, bool]]:
    """Sentences cut at "but", and whether each is a question; a tag ("…, okay?") makes none."""
    for sentence, end in re.findall(r"([^.!?;\n]+)([.!?;\n]*)", plain(text)):
        question = "?" in end and not re.search(r", (?:ok|okay|all ?right|right|deal)$", sentence)
        for clause in re.split(r",? \b(?:but|however|yet)\b", sentence):
            if clause.strip():
                yield clause.strip(" ,\"'"), question
