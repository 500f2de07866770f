"""The foresight of task writing and casting."""

from pathlib import Path
from typing import cast as as_type

from parley import handmade
from parley.estimate.forecast import Calls, Range
from parley.estimate.known import Tasks
from parley.estimate.paid import Missing, Replayer
from parley.estimate.plan import Job
from parley.estimate.stage import Stage, at_once
from parley.llm.speaker import Speaker
from parley.records.character import read_relationships
from parley.records.jsonl import read_jsonl
from parley.records.task import Keyword, Task, read_tasks
from parley.world import casting
from parley.world.keywords import share_of
from parley.world.prompts import prompt
from parley.world.writing import write_one, write_tasks


def write(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rule `write`; what it will write becomes known."""
    name = job.wildcards["task_set"]
    task_set, path = stage.experiment.task_sets[name], stage.known.layout.source(name)
    writer, count = str(task_set.writer), task_set.count or 0
    with stage.paid("tasks", f"{name}.sqlite") as paid:
        replayer = stage.speaker(writer, paid)
        tasks, is_open = _written(name, replayer, stage)
    missing = max(0, count - len(tasks)) if is_open else 0
    if Path(path).exists() and handmade.edited(Path(path)):
        stage.known.put_tasks(path, Tasks(read_tasks(path)))
    else:
        stage.known.put_tasks(path, Tasks(tasks, missing))
    if not missing:
        return [Calls(stage.experiment.model_name(writer), paid=replayer.replayed)]
    kept = stage.priors.kept().value
    answers = Range(missing / kept.high, missing / kept.likely, missing / kept.low)
    return [stage.new_calls("tasks", writer, replayer.replayed, answers, stage.lengths.of_writing())]


def _written(name: str, replayer: Replayer, stage: Stage) -> tuple[list[Task], bool]:
    """The tasks that are paid for, and whether calls are missing."""
    experiment = stage.experiment
    task_set = experiment.task_sets[name]
    keywords = share_of(experiment, name, read_jsonl(experiment.world.keywords, Keyword))
    known = [task for entry in experiment.task_sets.values() if entry.file for task in read_tasks(entry.file)]
    template, retry = prompt(experiment.prompts.task), prompt(experiment.prompts.retry)
    writer, count = as_type(Speaker, replayer), task_set.count or 0
    try:
        written = at_once(
            write_tasks(writer, template, retry, keywords, count, known, task_set.similarity, experiment.seed)
        )
        return written.tasks, False
    except Missing:
        replayer.replayed = 0
    tasks: list[Task] = []
    for keyword in keywords[:count]:
        try:
            answer = at_once(write_one(writer, template, retry, keyword, experiment.seed))
        except Missing:
            continue
        tasks += [answer] if isinstance(answer, Task) else []
    return tasks, True


def cast(job: Job, stage: Stage) -> list[Calls]:
    """Rule `cast` makes no call; the shard that it will cut becomes known."""
    name, path = job.wildcards["task_set"], Path(job.outputs[0])
    task_set, shard = stage.experiment.task_sets[name], int(job.wildcards["shard"])
    if path.exists() and handmade.edited(path):
        stage.known.put_tasks(str(path), Tasks(read_tasks(path)))
        return []
    source = stage.known.tasks(stage.known.layout.source(name))
    characters = stage.lengths.characters
    pairs = read_relationships(stage.experiment.world.relationships, characters)
    came_from = stage.known.layout.source(name)
    tasks = [
        casting.cast(task, task_set, characters, pairs, stage.experiment.seed, came_from)
        for task in source.tasks
        if task.shard(task_set.shards) == shard
    ]
    stage.known.put_tasks(str(path), Tasks(tasks, source.unknown / task_set.shards, task_set.casts or 1))
    return []
