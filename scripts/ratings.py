"""Have a judge rate every episode of a shard, both seats in one call."""

from argparse import Namespace
from pathlib import Path

from parley.arguments import arguments
from parley.errors import run_as_script
from parley.job import Stage, run
from parley.judged import arguments_of_judge, check_some, judged
from parley.llm.speaker import Speaker
from parley.progress import Journal
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.frames import write_parquet
from parley.records.rating import Rating, ratings_frame
from parley.records.task import Task
from parley.world.prompts import prompt
from parley.world.rating import rate_episode


async def rate(options: Namespace, journal: Journal) -> None:
    """Rate the shard and write its ratings. Fails if not one episode could be rated."""
    stage = Stage.of("ratings", options, journal)
    experiment = stage.experiment
    characters = read_characters(experiment.world.characters)
    templates = prompt(experiment.prompts.rating), prompt(experiment.prompts.retry)

    async def rate_one(episode: Episode, task: Task, judge: tuple[str, Speaker]) -> list[Rating]:
        return await rate_episode(episode, task, characters, judge, *templates, experiment.seed, options.swapped)

    made = await judged(stage, options, rate_one)
    for first in (both[0] for both in made if both[0].failure is not None):
        journal.line(f"not rated: {first.task} {'+'.join(first.cast)}: {first.failure}")
    write_parquet(options.out, ratings_frame([rating for both in made for rating in both]))
    check_some(options.judge, "rated", [both[0].failure for both in made])


def main() -> None:
    """Parse the arguments and rate."""
    parser = arguments(__doc__)
    arguments_of_judge(parser)
    parser.add_argument("--swapped", action="store_true", help="show the judge the second agent first")
    parser.add_argument("--out", type=Path, required=True, help="output: the ratings")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(rate(options, journal))


if __name__ == "__main__":
    run_as_script(main)
