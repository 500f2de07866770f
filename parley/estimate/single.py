"""The foresight of a stage that makes one call for each episode: ratings and judgements."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from parley.config import Seats
from parley.estimate.forecast import Calls, Range
from parley.estimate.lengths import Text
from parley.estimate.paid import Missing
from parley.estimate.plan import Job
from parley.estimate.playing import words_of
from parley.estimate.stage import Stage, at_once
from parley.llm.speaker import Speaker
from parley.records.episode import Episode
from parley.records.task import Task

T = TypeVar("T")
#: Asks a judge about an episode of a task.
Ask = Callable[[Episode, Task, tuple[str, Speaker]], Awaitable[T]]


def foresee_single(job: Job, stage: Stage, name: str, ask: Ask[T], text: Text) -> tuple[list[T] | None, list[Calls]]:
    """What a job of the stage `name` will write, None if that cannot be told; and its calls. `text` is their prompt."""
    wildcards, results = job.wildcards, stage.known.layout.results
    task_set, shard, judge = wildcards["task_set"], wildcards["shard"], wildcards["judge"]
    tasks = {task.name: task for task in stage.known.tasks(stage.known.layout.shard(task_set, shard)).tasks}
    played = stage.known.episodes(f"{results}/episodes/{task_set}/{wildcards['players']}/{shard}.jsonl")
    made: list[T] = []
    unasked: list[Episode] = []
    order = "swapped/" if job.rule == "rate_swapped" else ""
    with stage.paid(name, f"{task_set}/{wildcards['players']}/{judge}/{order}{shard}.sqlite") as paid:
        replayer = stage.speaker(judge, paid)

        async def all_episodes() -> None:
            for episode in played.episodes:
                try:
                    made.append(await ask(episode, tasks[episode.task], (judge, cast(Speaker, replayer))))
                except Missing:
                    unasked.append(episode)

        at_once(all_episodes())
    if not unasked and not played.unknown:
        return made, [Calls(stage.experiment.model_name(judge), paid=replayer.replayed)]
    new = len(unasked) + played.unknown
    characters = float(sum(stage.lengths.of_episode(episode, tasks[episode.task], text) for episode in unasked))
    if played.unknown:
        players = _seats(wildcards["players"])
        turns = stage.priors.turns(players).mean
        characters += played.unknown * stage.lengths.of_talk(
            list(tasks.values()), turns, words_of(players, stage), text
        )
    answers = Range(len(unasked) + played.unknown_at_least, new, new)
    return None, [stage.new_calls(name, judge, replayer.replayed, answers, characters / new)]


def _seats(players: str) -> Seats:
    first, _, second = players.partition("+")
    return first, second
