"""What policies are measured by."""

from typing import Literal

from pydantic import Field

from parley.config.section import Section


class Evaluation(Section):
    """Measures policies against a fixed partner, in both seats."""

    tasks: str
    partner: str
    judge: str
    tag: str | None = Field(default=None, description="only tasks with this tag")
    casts: int | None = Field(default=None, ge=1, description="only the first so many casts of each task")


class Knowledge(Section):
    """A multiple-choice test run by lm-eval on each policy (paper, Table 4)."""

    test: str = "resources/knowledge/test.jsonl"
    dev: str = "resources/knowledge/dev.jsonl"
    shots: int = Field(default=5, ge=0)


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
