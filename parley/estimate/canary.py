"""The foresight of the canary: one call for each frozen episode and date."""

from dataclasses import replace
from pathlib import Path
from typing import cast

from parley.estimate.forecast import Calls, Range
from parley.estimate.paid import Missing
from parley.estimate.plan import Job
from parley.estimate.stage import Stage, at_once
from parley.llm.speaker import Speaker
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.task import read_tasks
from parley.world.prompts import prompt
from parley.world.rating import rate_episode, rating_text


def ask_canary(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rule `ask_canary`: none for a date that was asked on."""
    experiment, judge = stage.experiment, job.wildcards["judge"]
    canary = experiment.canary
    assert canary is not None
    folder = Path(canary.folder)
    tasks = {task.name: task for task in read_tasks(folder / "tasks.jsonl")}
    characters = read_characters(folder / "characters.jsonl")
    episodes = read_jsonl(folder / "episodes.jsonl", Episode)
    templates = prompt(experiment.prompts.rating), prompt(experiment.prompts.retry)
    unasked: list[Episode] = []
    with stage.paid("canary", f"{judge}.sqlite") as paid:
        replayer = stage.speaker(judge, paid)
        speaker = (judge, cast(Speaker, replayer))

        async def all_dates() -> None:
            for day in canary.dates:
                for one in episodes:
                    about = (one, tasks[one.task], characters, speaker, *templates, experiment.seed)
                    try:
                        await rate_episode(*about, replicate=day.toordinal())
                    except Missing:
                        unasked.append(one)

        at_once(all_dates())
    if not unasked:
        return [Calls(experiment.model_name(judge), paid=replayer.replayed)]
    texts = [
        rating_text(templates[0], tasks[one.task], (characters[one.cast[0]], characters[one.cast[1]]), one)
        for one in unasked
    ]
    answers = Range(len(unasked), len(unasked), len(unasked))
    mean = sum(map(len, texts)) / len(texts)
    return [replace(stage.new_calls("ratings", judge, replayer.replayed, answers, mean), batched=0.0)]
