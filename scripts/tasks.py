"""Write the tasks of a task set from its share of the keywords."""

import json
from argparse import Namespace
from pathlib import Path

from parley import handmade
from parley.arguments import arguments
from parley.errors import run_as_script
from parley.job import Stage, run
from parley.progress import Journal, Progress
from parley.records.jsonl import jsonl, read_jsonl, write_text
from parley.records.task import Keyword, read_tasks
from parley.world.keywords import share_of
from parley.world.prompts import prompt
from parley.world.writing import write_tasks


async def write(options: Namespace, journal: Journal) -> None:
    """Write the tasks, and how many keywords were dropped and why."""
    stage = Stage.of("tasks", options, journal)
    experiment = stage.experiment
    task_set = experiment.task_sets[options.task_set]
    writer, count = str(task_set.writer), task_set.count or 0
    keywords = share_of(experiment, options.task_set, read_jsonl(experiment.world.keywords, Keyword))
    known = [task for entry in experiment.task_sets.values() if entry.file for task in read_tasks(entry.file)]
    progress = Progress(journal, f"tasks of {options.task_set}", count)
    async with stage.speakers([writer]) as speakers:
        written = await write_tasks(
            speakers[writer],
            prompt(experiment.prompts.task),
            prompt(experiment.prompts.retry),
            keywords,
            count,
            known,
            task_set.similarity,
            experiment.seed,
            progress.at,
        )
    for keyword, outcome in written.used(keywords):
        journal.line(f"used {keyword.name} ({keyword.source}: {keyword.text}): {outcome}")
    text = jsonl(written.tasks)
    if notice := handmade.generate(options.out, text, f"set task_sets.{options.task_set}.file to a copy of it"):
        journal.line(notice, aloud=True)
    write_text(options.funnel, json.dumps(written.funnel()) + "\n")


def main() -> None:
    """Parse the arguments and write."""
    parser = arguments(__doc__)
    Stage.arguments(parser)
    parser.add_argument("--task-set", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the tasks, without casts")
    parser.add_argument("--funnel", type=Path, required=True, help="output: how many keywords ended how")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(write(options, journal))


if __name__ == "__main__":
    run_as_script(main)
