"""Ask a judge the questions of the safety study about every episode of a shard."""

from argparse import Namespace
from pathlib import Path

from parley.arguments import arguments
from parley.errors import ParleyError, run_as_script
from parley.job import Stage, asked_at_once, run
from parley.many import each
from parley.progress import Journal, Progress
from parley.records.character import read_characters
from parley.records.episode import Episode, check_complete
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.judgement import Judgement
from parley.records.task import read_tasks
from parley.world.judging import check_roles, judge_episode
from parley.world.prompts import prompt


async def judge(options: Namespace, journal: Journal) -> None:
    """Judge the shard and write its judgements. Fails if not one episode could be judged."""
    stage = Stage.of("judgements", options, journal)
    experiment = stage.experiment
    tasks = {task.name: task for task in read_tasks(options.tasks)}
    check_roles(options.tasks, tasks.values())
    characters = read_characters(experiment.world.characters)
    episodes = read_jsonl(options.episodes, Episode)
    check_complete(options.episodes, episodes, tasks.values(), experiment.play.replicates)
    progress = Progress(journal, f"judgements {options.episodes.parent.name} {options.episodes.stem}", len(episodes))
    made: dict[int, Judgement] = {}
    async with stage.speakers([options.judge]) as speakers:
        judge = (options.judge, speakers[options.judge])
        templates = prompt(experiment.prompts.safety), prompt(experiment.prompts.retry)

        async def judge_one(episode: Episode) -> Judgement:
            return await judge_episode(episode, tasks[episode.task], characters, judge, *templates, experiment.seed)

        def judged(number: int, judgement: Judgement) -> None:
            made[number] = judgement
            progress.step()

        await each(episodes, judge_one, asked_at_once(experiment, options.judge), judged)
    judgements = [made[number] for number in sorted(made)]
    for failed in (one for one in judgements if one.failure is not None):
        journal.line(f"not judged: {failed.task} {'+'.join(failed.cast)}: {failed.failure}")
    write_jsonl(options.out, judgements)
    asked = [one for one in judgements if not (one.failure or "").startswith("episode failed")]
    if asked and all(one.failure for one in asked):
        raise ParleyError(
            f"{options.judge} judged none of {len(asked)} episodes ({asked[0].failure}); "
            "check the judge in the config and its prompt. The answers are in the ledger; nothing is lost"
        )


def main() -> None:
    """Parse the arguments and judge."""
    parser = arguments(__doc__)
    Stage.arguments(parser)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--episodes", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the judgements")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(judge(options, journal))


if __name__ == "__main__":
    run_as_script(main)
