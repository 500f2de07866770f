"""Have a judge rate every episode of a shard, both seats in one call."""

from argparse import Namespace
from pathlib import Path

from parley.arguments import arguments
from parley.errors import ParleyError, run_as_script
from parley.job import Stage, asked_at_once, run
from parley.many import each
from parley.progress import Journal, Progress
from parley.records.character import read_characters
from parley.records.episode import Episode, check_complete
from parley.records.frames import write_parquet
from parley.records.jsonl import read_jsonl
from parley.records.rating import Rating, ratings_frame
from parley.records.task import read_tasks
from parley.world.prompts import prompt
from parley.world.rating import rate_episode


async def rate(options: Namespace, journal: Journal) -> None:
    """Rate the shard and write its ratings. Fails if not one episode could be rated."""
    stage = Stage.of("ratings", options, journal)
    experiment = stage.experiment
    tasks = {task.name: task for task in read_tasks(options.tasks)}
    characters = read_characters(experiment.world.characters)
    episodes = read_jsonl(options.episodes, Episode)
    check_complete(options.episodes, episodes, tasks.values(), experiment.play.replicates)
    progress = Progress(journal, f"ratings {options.episodes.parent.name} {options.episodes.stem}", len(episodes))
    made: list[list[Rating]] = [[]] * len(episodes)
    async with stage.speakers([options.judge]) as speakers:
        judge = (options.judge, speakers[options.judge])
        templates = prompt(experiment.prompts.rating), prompt(experiment.prompts.retry)

        async def rate_one(episode: Episode) -> list[Rating]:
            return await rate_episode(episode, tasks[episode.task], characters, judge, *templates, experiment.seed)

        def rated(number: int, ratings: list[Rating]) -> None:
            made[number] = ratings
            progress.step()

        await each(episodes, rate_one, asked_at_once(experiment, options.judge), rated)
    ratings = [rating for both in made for rating in both]
    failures = [rating for rating in ratings if rating.failure is not None]
    for rating in failures[::2]:
        journal.line(f"not rated: {rating.task} {'+'.join(rating.cast)}: {rating.failure}")
    write_parquet(options.out, ratings_frame(ratings))
    judged = [rating for rating in ratings if not (rating.failure or "").startswith("episode failed")]
    if judged and all(rating.failure for rating in judged):
        raise ParleyError(
            f"{options.judge} rated none of {len(judged) // 2} episodes ({judged[0].failure}); "
            "check the judge in the config and its prompt. The answers are in the ledger; nothing is lost"
        )


def main() -> None:
    """Parse the arguments and rate."""
    parser = arguments(__doc__)
    Stage.arguments(parser)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--episodes", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the ratings")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(rate(options, journal))


if __name__ == "__main__":
    run_as_script(main)
