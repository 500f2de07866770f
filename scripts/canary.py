"""Have a judge rate the frozen episodes on every date of the config, and tell how its marks have moved."""

import json
from argparse import Namespace
from datetime import date
from pathlib import Path

import polars as pl

from parley.arguments import arguments
from parley.errors import run_as_script
from parley.evaluation.drift import drift
from parley.job import Stage, asked_at_once, run
from parley.judged import check_some
from parley.many import each
from parley.progress import Journal
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.frames import write_parquet
from parley.records.jsonl import read_jsonl, write_text
from parley.records.rating import Rating, ratings_frame
from parley.records.task import read_tasks
from parley.world.prompts import prompt
from parley.world.rating import rate_episode


async def ask(options: Namespace, journal: Journal) -> None:
    """Ask on every date. What was asked on an earlier one is in the ledger; a date that is new is asked now."""
    stage = Stage.of("canary", options, journal)
    experiment, canary = stage.experiment, stage.experiment.canary
    assert canary is not None, "the experiment has no canary"
    folder = Path(canary.folder)
    tasks = {task.name: task for task in read_tasks(folder / "tasks.jsonl")}
    characters = read_characters(folder / "characters.jsonl")
    episodes = read_jsonl(folder / "episodes.jsonl", Episode)
    templates = prompt(experiment.prompts.rating), prompt(experiment.prompts.retry)
    made: dict[int, list[Rating]] = {}
    async with stage.speakers([options.judge]) as speakers:
        judge = (options.judge, speakers[options.judge])

        async def rate(asked: tuple[date, Episode]) -> list[Rating]:
            day, one = asked
            people = tasks[one.task], characters, judge
            return await rate_episode(one, *people, *templates, experiment.seed, replicate=day.toordinal())

        wanted = [(day, episode) for day in canary.dates for episode in episodes]
        await each(wanted, rate, asked_at_once(experiment, options.judge), made.__setitem__)
    marks = {}
    for number, day in enumerate(canary.dates):
        rated = [made[number * len(episodes) + place] for place in range(len(episodes))]
        check_some(options.judge, "rated", [both[0].failure for both in rated])
        marks[day] = ratings_frame([rating for both in rated for rating in both])
    write_parquet(options.marks, pl.concat([rows.with_columns(date=pl.lit(day)) for day, rows in marks.items()]))
    write_text(options.out, json.dumps(drift(options.judge, marks), indent=1) + "\n")


def main() -> None:
    """Parse the arguments and ask."""
    parser = arguments(__doc__)
    Stage.arguments(parser)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--marks", type=Path, required=True, help="output: all ratings, with the date")
    parser.add_argument("--out", type=Path, required=True, help="output: how they have moved, as JSON")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(ask(options, journal))


if __name__ == "__main__":
    run_as_script(main)
