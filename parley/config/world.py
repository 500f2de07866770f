"""The social world: who lives in it, what is asked of whom in which words, the tasks and how they are played."""

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from parley.config.section import Section


class Prompts(Section):
    """The templates of every text that a model sees."""

    task: str = Field(default="prompts/task.jinja", description="asks the writer for a task")
    turn: str = Field(default="prompts/turn.jinja", description="asks an agent for its next action")
    rating: str = Field(default="prompts/rating.jinja", description="asks the judge for fourteen marks")
    annotation: str = Field(default="prompts/annotation.jinja", description="asks a model that plays a human rater")
    safety: str = Field(default="prompts/safety.jinja", description="asks the judge of the safety study what decides")
    knowledge: str = Field(default="prompts/knowledge.jinja", description="asks for a free answer to a question")
    retry: str = Field(default="prompts/retry.jinja", description="asks once more after an answer that cannot be read")


class World(Section):
    """Who lives in the social world."""

    characters: str = "resources/characters.jsonl"
    relationships: str = "resources/relationships.jsonl"
    keywords: str = "resources/keywords.jsonl"


class TaskSet(Section):
    """Tasks to play: `count` written by `writer` from fresh keywords, or those of a `file` (yours to edit)."""

    file: str | None = Field(default=None, description="a JSONL file of tasks; nothing is written then")
    count: int | None = Field(default=None, ge=1, description="tasks to write")
    writer: str | None = Field(default=None, description="the model that writes them")
    casts: int | None = Field(
        default=None,
        ge=1,
        description="pairs of characters per task: so many are drawn, 1 if it is not said; of those that a task came with "
        "the first so many are taken, all if it is not said",
    )
    casts_by_tag: dict[str, int] = Field(default_factory=dict, description="other numbers of pairs for tagged tasks")
    cast_seed: int | None = Field(default=None, ge=0, description="draws other pairs; the experiment's seed by default")
    shards: int = Field(default=1, ge=1, le=512, description="files (and jobs) that the set is cut into")
    similarity: float = Field(default=0.85, gt=0, le=1, description="character n-gram overlap that makes a duplicate")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.count is None):
            raise ValueError("give either `file` or `count` with `writer`")
        if self.count is not None and self.writer is None:
            raise ValueError("`count` needs `writer`: the model that writes the tasks")
        if self.file is not None and self.writer is not None:
            raise ValueError("the tasks of a `file` are written already; delete `writer`")
        if any(number < 1 for number in self.casts_by_tag.values()):
            raise ValueError("casts_by_tag: a count is at least 1")
        return self

    def casts_for(self, tags: Iterable[str]) -> int | None:
        """How many casts a task with these tags gets: the most that any of its tags asks for; None if it is not said."""
        return max([self.casts_by_tag[tag] for tag in tags if tag in self.casts_by_tag], default=self.casts)


class Play(Section):
    """How episodes are played (arXiv 2310.11667, section 2; sotopia v0.0.10)."""

    max_turns: int = Field(default=20, ge=2, description="acts of both seats together")
    max_silence: int = Field(default=2, ge=0, description="more silent acts in a row than this end the episode")
    stale_rule: Literal["acting", "legacy"] = Field(
        default="acting", description="`legacy` counts the waiting seat's silence too, as sotopia v0.0.10 did"
    )
    history: int | None = Field(default=None, ge=1, description="newest turns that a prompt shows; all by default")
    prompt_tokens: int | None = Field(
        default=None, ge=64, description="longest prompt; the oldest turns are left out first, the context never"
    )
    tokenizer: str | None = Field(default=None, description="the tokenizer.json that counts them, for all players")
    replicates: int = Field(default=1, ge=1, description="plays of each task, cast and players")

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if (self.prompt_tokens is None) != (self.tokenizer is None):
            raise ValueError("`prompt_tokens` and `tokenizer` go together: tokens are those of a tokenizer")
        return self
