"""What policies are measured by."""

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
    judge: str
    lexicon: str = "resources/toxic_words.txt"
