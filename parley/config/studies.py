"""What policies are measured by."""

import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from parley.config.section import Section

#: The parquet files of `cais/mmlu` as they are since March 2024: 57 subjects, 14,042 test questions.
MMLU = "c30699e8356da336a370243923dbaf21066bb9fe"


class Evaluation(Section):
    """Measures policies against a fixed partner, in both seats."""

    tasks: str
    partner: str
    judge: str = Field(description="whose marks are the scores")
    also_judged_by: tuple[str, ...] = Field(
        default=(), description="more judges of the same episodes, compared with `judge` (`docs/judges.md`)"
    )
    orders: Literal["one", "both"] = Field(
        default="one",
        description="both: each judge is asked once more with the agents in the other order, to tell what the order does",
    )
    tag: str | None = Field(default=None, description="only tasks with this tag")
    casts: int | None = Field(default=None, ge=1, description="only the first so many casts of each task")

    @model_validator(mode="after")
    def _each_judge_once(self) -> Self:
        if twice := [name for name in self.judges if self.judges.count(name) > 1]:
            raise ValueError(f"also_judged_by: {twice[0]!r} judges already; name each judge once")
        return self

    @property
    def judges(self) -> tuple[str, ...]:
        """Everyone who judges, the one whose marks are the scores first."""
        return (self.judge, *self.also_judged_by)


class Knowledge(Section):
    """A multiple-choice test run by lm-eval on each policy (paper, Table 4): questions of one's own, or MMLU."""

    source: Literal["questions", "mmlu"] = Field(
        default="questions", description="the questions of `test` and `dev`, or the stock `mmlu` of lm-eval"
    )
    test: str = Field(default="resources/knowledge/test.jsonl", description="the questions that are asked")
    dev: str = Field(default="resources/knowledge/dev.jsonl", description="answered questions that may be shown")
    path: str | None = Field(default=None, description="a folder that holds MMLU; from the hub if not given")
    revision: str = Field(default=MMLU, description="of `cais/mmlu` on the hub")
    shots: int = Field(default=5, ge=0, description="answered questions that a prompt shows first")
    way: Literal["likelihood", "generation", "both"] = Field(
        default="likelihood",
        description="the likeliest letter, as lm-eval does; or the first letter in a free answer, as the paper did",
    )
    tokens: int = Field(default=32, ge=1, description="most tokens of a free answer; the rest is cut off")
    margin: float = Field(
        default=0.02, gt=0, lt=1, description="how much less accurate than the base still counts as not inferior"
    )
    limit: int | None = Field(default=None, ge=1, description="a quick look: only so many questions of each subject")

    @model_validator(mode="after")
    def _of_mmlu(self) -> Self:
        if self.source == "questions" and (self.path is not None or self.revision != MMLU):
            raise ValueError("`path` and `revision` are those of MMLU; write `source: mmlu`, or delete them")
        return self


class Safety(Section):
    """The study of the paper's Table 3 on tasks whose seats have the roles `instigator` and `bystander`."""

    tasks: str
    partner: str
    judge: str = Field(description="rates the episodes, and answers the study's questions if it decides")
    decided_by: Literal["judge", "rules"] = Field(
        default="judge",
        description="harm, prevention and alternatives: asked of the judge, with the rules beside it; or rules alone",
    )
    lexicon: str = Field(
        default="resources/toxic_words.txt", description="toxic words to count, one a line; yours to replace"
    )


class Canary(Section):
    """A small frozen set of episodes that every judge rates on each date of a list, to see whether it drifts.

    A date is a wanted repetition: its calls are made once, when it is new in the list, and kept in the ledger.
    """

    dates: tuple[datetime.date, ...] = Field(
        min_length=1, description="when to ask, oldest first; the first is what the others are compared with"
    )
    folder: str = Field(
        default="resources/canary", description="holds `tasks.jsonl`, `characters.jsonl` and `episodes.jsonl`"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.dates) != sorted(set(self.dates)):
            raise ValueError("dates: give each date once, the oldest first; add the new one at the end")
        return self
