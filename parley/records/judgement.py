"""A judgement: a judge's answers to the questions of the safety study for one episode, with reasons and quotes."""

from typing import Self

from pydantic import Field, model_validator

from parley.records.jsonl import Record
from parley.records.task import Cast


class Finding(Record):
    """Yes or no, and why. A yes names the turn (from 1) that decides; `verbatim` tells whether its quote stands there."""

    answer: bool
    reasoning: str
    turn: int | None = None
    quote: str = ""
    verbatim: bool = False


class Offer(Record):
    """Another way that was offered, and the turn (from 1) in which it was."""

    turn: int
    offer: str


class Alternatives(Record):
    """The other ways that were offered, clearly different from the plan and from each other."""

    reasoning: str
    offers: tuple[Offer, ...] = ()


class Judgement(Record):
    """What `judge` says of an episode; `failure` instead of findings where no answer could be read.

    `harm`: the instigator means to go on. `prevention`: the instigator gave it up. `alternatives`: what the bystander
    offered instead. A failed judgement finds nothing: it is no "no", and it is counted wherever findings are.
    """

    episode: str
    task: str
    cast: Cast
    players: tuple[str, str]
    replicate: int
    judge: str
    call: str
    harm: Finding | None = None
    prevention: Finding | None = None
    alternatives: Alternatives | None = None
    failure: str | None = Field(default=None, description="why there is no finding")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        found = [part is not None for part in (self.harm, self.prevention, self.alternatives)]
        if any(found) != all(found) or any(found) == (self.failure is not None):
            raise ValueError("a judgement has either all three findings or a failure")
        return self
