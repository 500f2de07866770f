"""Cut one shard out of a task set and draw the casts of its tasks."""

import json
from pathlib import Path

from parley import handmade
from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.progress import Journal
from parley.records.character import read_characters, read_relationships
from parley.records.jsonl import jsonl, write_text
from parley.records.task import read_tasks
from parley.world.casting import cast


def main() -> None:
    """Parse the arguments, draw and write."""
    parser = arguments(__doc__)
    parser.add_argument("--task-set", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--tasks", type=Path, required=True, help="the whole set")
    parser.add_argument("--out", type=Path, required=True, help="output: the shard, with casts")
    parser.add_argument("--summary", type=Path, required=True, help="output: how many tasks and casts there are")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        task_set = experiment.task_sets[options.task_set]
        characters = read_characters(experiment.world.characters)
        pairs = read_relationships(experiment.world.relationships, characters)
        tasks = []
        for task in read_tasks(options.tasks):
            if task.shard(task_set.shards) != options.shard:
                continue
            tasks.append(cast(task, task_set, characters, pairs, experiment.seed, str(options.tasks)))
        remedy = f"set task_sets.{options.task_set}.file to a file of your own"
        if notice := handmade.generate(options.out, jsonl(tasks), remedy):
            journal.line(notice, aloud=True)
        counts = {"tasks": len(tasks), "casts": sum(len(task.casts) for task in tasks)}  # the last output
        write_text(options.summary, json.dumps(counts) + "\n")
        journal.line(f"{len(tasks)} tasks in shard {options.shard} of {options.task_set}")


if __name__ == "__main__":
    run_as_script(main)
