"""A shard as a judge goes through it: every episode is asked about, several at once, and the order is the file's."""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from parley.errors import ParleyError
from parley.job import Stage, asked_at_once
from parley.llm.speaker import Speaker
from parley.many import each
from parley.progress import Progress
from parley.records.episode import Episode, check_complete
from parley.records.jsonl import read_jsonl
from parley.records.task import Task, read_tasks

T = TypeVar("T")
#: Asks a judge, by name and speaker, about an episode of a task.
Ask = Callable[[Episode, Task, tuple[str, Speaker]], Awaitable[T]]


def arguments_of_judge(parser: ArgumentParser) -> None:
    """Add the options of a job in which a judge goes through a shard."""
    Stage.arguments(parser)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--episodes", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)


async def judged(stage: Stage, options: Namespace, ask: Ask[T]) -> list[T]:
    """What comes of every episode of the shard. Raises `ParleyError` if the shard lacks one that its tasks ask for."""
    experiment = stage.experiment
    tasks = {task.name: task for task in read_tasks(options.tasks)}
    episodes = read_jsonl(options.episodes, Episode)
    check_complete(options.episodes, episodes, tasks.values(), experiment.play.replicates)
    name = f"{stage.name} {options.episodes.parent.name} {options.episodes.stem}"
    progress = Progress(stage.journal, name, len(episodes))
    made: dict[int, T] = {}
    async with stage.speakers([options.judge]) as speakers:
        judge = (options.judge, speakers[options.judge])

        def done(number: int, result: T) -> None:
            made[number] = result
            progress.step()

        await each(
            episodes,
            lambda episode: ask(episode, tasks[episode.task], judge),
            asked_at_once(experiment, options.judge),
            done,
        )
    return [made[number] for number in sorted(made)]


def check_some(judge: str, did: str, failures: Iterable[str | None]) -> None:
    """Raise `ParleyError` if a judge that `did` (rated, judged) nothing was asked at all.

    `failures` has an entry for each episode, None where it went well.
    """
    asked = [failure for failure in failures if not (failure or "").startswith("episode failed")]
    if asked and all(asked):
        raise ParleyError(
            f"{judge} {did} none of {len(asked)} episodes ({asked[0]}); "
            "check the judge in the config and its prompt. The answers are in the ledger; nothing is lost"
        )
