"""Writing tasks: keywords → writer → tasks, with what was dropped and why."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from parley.canonical import seed_from
from parley.errors import ParleyError
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from parley.llm.structured import Unreadable, ask
from parley.records.character import Relationship
from parley.records.message import Message
from parley.records.task import AgeRange, Goal, Keyword, Task
from parley.world.duplicates import Duplicates
from parley.world.prompts import Prompt


class WrittenGoal(BaseModel):
    """A goal as the writer answers it."""

    model_config = ConfigDict(extra="forbid")

    text: str
    extra_info: str | None
    clarification_hint: str | None
    strategy_hint: str | None


class WrittenTask(BaseModel):
    """A task as the writer answers it."""

    model_config = ConfigDict(extra="forbid")

    scenario: str = Field(min_length=10)
    goals: list[WrittenGoal] = Field(min_length=2, max_length=2)
    relationship: str
    ages: list[list[int]] = Field(min_length=2, max_length=2)
    occupations: list[list[str]] = Field(min_length=2, max_length=2)


@dataclass
class Written:
    """The tasks of a set before casting, and the funnel: how many keywords ended how."""

    tasks: list[Task] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)  # keyword name, reason

    def funnel(self) -> dict[str, int]:
        """Counts: kept, and dropped by the first words of the reason."""
        reasons = Counter(reason.split(":", 1)[0] for _, reason in self.dropped)
        return {"kept": len(self.tasks), **dict(sorted(reasons.items()))}

    def used(self, keywords: Sequence[Keyword]) -> list[tuple[Keyword, str]]:
        """Those of `keywords` that the writer was asked about, in their order, and what became of each."""
        outcomes = dict(self.dropped) | {task.name: "kept" for task in self.tasks}
        return [(keyword, outcomes[keyword.name]) for keyword in keywords if keyword.name in outcomes]


def fault_in(written: WrittenTask) -> str | None:
    """What is wrong with an answer that has the right form; None if nothing."""
    if written.relationship not in Relationship.__members__:
        return f"relationship is {written.relationship!r}, not one of {', '.join(Relationship.__members__)}"
    for ages in written.ages:
        if len(ages) != 2 or not 18 <= ages[0] <= ages[1] <= 70:
            return f"ages {ages} are not a range within 18 to 70"
    if len(" ".join(written.scenario.split())) < 10:
        return "the scenario is empty or too short"
    if any(len(goal.text.strip()) < 3 for goal in written.goals):
        return "the text of a goal is empty or too short"
    if written.goals[0].text.strip() == written.goals[1].text.strip():
        return "both goals are the same"
    return None


def as_task(written: WrittenTask, keyword: Keyword) -> Task:
    """The record of an answer without fault."""
    first, second = (Goal.model_validate(goal.model_dump()) for goal in written.goals)
    ages: tuple[AgeRange, AgeRange] = (
        (written.ages[0][0], written.ages[0][1]),
        (written.ages[1][0], written.ages[1][1]),
    )
    return Task(
        name=keyword.name,
        scenario=" ".join(written.scenario.split()),
        goals=(first, second),
        relationship=Relationship[written.relationship],
        ages=ages,
        occupations=(tuple(written.occupations[0]), tuple(written.occupations[1])),
        keyword=keyword,
    )


async def write_one(writer: Speaker, template: Prompt, retry: Prompt, keyword: Keyword, seed: int) -> Task | str:
    """The task for one keyword, or the reason why there is none."""
    messages: list[Message] = [{"role": "user", "content": template.render(keyword=keyword.text)}]
    try:
        answer = await ask(
            writer,
            messages,
            WrittenTask,
            retry=lambda _, fault: retry.render(fault=fault),
            seed=seed_from(seed, keyword.name),
            check=fault_in,
        )
    except Unreadable as failure:
        return f"invalid: {failure.reason}"
    except CallFailed as failure:
        return f"call failed: {failure.reason}"
    return as_task(answer.value, keyword)


async def write_tasks(
    writer: Speaker,
    template: Prompt,
    retry: Prompt,
    keywords: Sequence[Keyword],
    count: int,
    known: Sequence[Task],
    threshold: float,
    seed: int,
    on_task: Callable[[int], None] = lambda done: None,
) -> Written:
    """Write until `count` tasks stand. The outcome depends on the order of `keywords`, not on who answers first.

    `known` are tasks that must not be repeated (the evaluation's). Raises `ParleyError` if the keywords run out.
    """
    written, duplicates = Written(), Duplicates(known, threshold)
    rest = list(keywords)
    while len(written.tasks) < count:
        missing = count - len(written.tasks)
        if not rest:
            raise ParleyError(
                f"only {len(written.tasks)} of {count} tasks came of {len(keywords)} keywords"
                f" ({written.funnel()}); add keywords to world.keywords or lower `count`"
            )
        batch, rest = rest[:missing], rest[missing:]
        answers = await asyncio.gather(*(write_one(writer, template, retry, keyword, seed) for keyword in batch))
        for keyword, answer in zip(batch, answers, strict=True):
            if isinstance(answer, str):
                written.dropped.append((keyword.name, answer))
            elif (reason := duplicates.of(answer)) is not None:
                written.dropped.append((keyword.name, f"duplicate: {reason}"))
            else:
                written.tasks.append(answer)
        on_task(len(written.tasks))
    return written
