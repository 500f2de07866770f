"""A task: a scenario, two private goals and who may play it; and a keyword: what a task was written from."""

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from parley.canonical import digest
from parley.errors import ParleyError
from parley.records.character import RelationshipName
from parley.records.jsonl import Record, iterate_jsonl

#: A cast: the ids of the two characters in seat order.
Cast = tuple[str, str]
AgeRange = tuple[int, int]
#: A keyword gives its name to the task that is written from it.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Keyword(Record):
    """A short phrase that a task is written from, and the kind of source it comes from (paper, section 3)."""

    name: str = Field(pattern=NAME)
    text: str = Field(min_length=3)
    source: Literal["norms", "situations", "morals"]


class Goal(Record):
    """What one seat wants. The hints are seen by that seat and by the judge, never by the other seat."""

    text: str = Field(min_length=3)
    extra_info: str | None = None
    strategy_hint: str | None = None
    clarification_hint: str | None = None

    def spoken(self) -> str:
        """The goal as prompts show it: the text, then each hint that there is as a sentence of its own.

        The hints stand in brackets behind a text that is no sentence, as SOTOPIA shows them.
        """
        hints = " ".join(filter(None, (self.extra_info, self.clarification_hint, self.strategy_hint)))
        if not hints:
            return self.text
        return f"{self.text} {hints}" if self.text.endswith((".", "!", "?")) else f"{self.text} ({hints})"


class Task(Record):
    """A social task. `name` is stable and decides the shard; `id` is a content hash and decides what is stale."""

    name: str = Field(pattern=NAME)
    scenario: str = Field(min_length=10)
    goals: tuple[Goal, Goal]
    relationship: RelationshipName
    ages: tuple[AgeRange, AgeRange] = ((18, 70), (18, 70))
    occupations: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    tags: tuple[str, ...] = ()
    roles: tuple[str, str] | None = None
    keyword: Keyword | None = None
    casts: tuple[Cast, ...] = ()

    @field_validator("ages")
    @classmethod
    def _ordered(cls, ages: tuple[AgeRange, AgeRange]) -> tuple[AgeRange, AgeRange]:
        if any(low > high for low, high in ages):
            raise ValueError("an age range runs from the lower to the higher age")
        return ages

    @property
    def id(self) -> str:
        """Sixteen hex digits over everything that an episode of the task depends on, casts left out."""
        return digest(self.model_dump(mode="json", include={"scenario", "goals", "relationship"}), 16)

    def shard(self, shards: int) -> int:
        """The shard that holds the task: a hash of its name, so that adding a task moves no other."""
        return int(digest(self.name, 8), 16) % shards


def read_tasks(path: str | Path) -> list[Task]:
    """The tasks of a file. Raises `ParleyError` with file and line for a broken line or a name used twice."""
    tasks: list[Task] = []
    lines: Counter[str] = Counter()
    for number, task in iterate_jsonl(path, Task):
        lines[task.name] += 1
        if lines[task.name] > 1:
            raise ParleyError(f"{path}:{number}: the task name {task.name!r} is used twice; rename one of them")
        tasks.append(task)
    return tasks
