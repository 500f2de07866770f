"""Export episodes and their ratings in SOTOPIA's format, and as a table for `datasets.load_dataset`."""

import argparse
from pathlib import Path

import polars as pl

from parley.errors import ParleyError, run_as_script
from parley.exchange.episodes import World
from parley.exchange.publication import export_episodes
from parley.exchange.released import read_ids
from parley.exchange.typed import typed_frame, write_typed
from parley.progress import Journal
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import ratings_of, read_ratings
from parley.records.task import read_tasks


def main() -> None:
    """Parse the arguments and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="where progress is written; stderr if not given")
    parser.add_argument("--episodes", type=Path, nargs="+", required=True)
    parser.add_argument("--ratings", type=Path, nargs="*", default=[])
    parser.add_argument("--judge", help="whose ratings, if several judges rated")
    parser.add_argument("--tasks", type=Path, nargs="+", required=True, help="the tasks that were played")
    parser.add_argument("--characters", type=Path, required=True)
    parser.add_argument(
        "--ids", type=Path, help="ids that differ: leftovers.jsonl of the profiles, or a JSON object, theirs to ours"
    )
    parser.add_argument("--tag", default="parley", help="the experiment's name in the released format")
    parser.add_argument("--released", type=Path, help="output: JSONL that sotopia reads")
    parser.add_argument("--typed", type=Path, help="output: .parquet or .jsonl that datasets reads")
    options = parser.parse_args()
    if not (options.released or options.typed):
        raise ParleyError("nothing to write; give --released, --typed or both")
    world = World(
        tasks={task.name: task for path in options.tasks for task in read_tasks(path)},
        characters=read_characters(options.characters),
        ids=read_ids(options.ids) if options.ids else {},
    )
    episodes = [episode for path in options.episodes for episode in read_jsonl(path, Episode)]
    table = read_ratings(options.ratings)
    if options.judge:
        table = table.filter(pl.col("judge") == options.judge)
    ratings = ratings_of(table)
    with Journal(options.log) as journal:
        if options.released:
            count = export_episodes(options.released, episodes, ratings, world, options.tag)
            journal.line(f"{count} episodes in {options.released}")
        if options.typed:
            write_typed(options.typed, typed_frame(episodes, ratings, world))
            journal.line(f"{len(episodes)} episodes in {options.typed}")


if __name__ == "__main__":
    run_as_script(main)
