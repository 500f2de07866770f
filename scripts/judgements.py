"""Ask a judge the questions of the safety study about every episode of a shard."""

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
from parley.records.jsonl import write_jsonl
from parley.records.judgement import Judgement
from parley.records.task import Task, read_tasks
from parley.world.judging import check_roles, judge_episode
from parley.world.prompts import prompt


async def judge(options: Namespace, journal: Journal) -> None:
    """Judge the shard and write its judgements. Fails if not one episode could be judged."""
    stage = Stage.of("judgements", options, journal)
    experiment = stage.experiment
    check_roles(options.tasks, read_tasks(options.tasks))
    characters = read_characters(experiment.world.characters)
    templates = prompt(experiment.prompts.safety), prompt(experiment.prompts.retry)

    async def judge_one(episode: Episode, task: Task, judge: tuple[str, Speaker]) -> Judgement:
        return await judge_episode(episode, task, characters, judge, *templates, experiment.seed)

    judgements = await judged(stage, options, judge_one)
    for failed in (one for one in judgements if one.failure is not None):
        journal.line(f"not judged: {failed.task} {'+'.join(failed.cast)}: {failed.failure}")
    write_jsonl(options.out, judgements)
    check_some(options.judge, "judged", [one.failure for one in judgements])


def main() -> None:
    """Parse the arguments and judge."""
    parser = arguments(__doc__)
    arguments_of_judge(parser)
    parser.add_argument("--out", type=Path, required=True, help="output: the judgements")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(judge(options, journal))


if __name__ == "__main__":
    run_as_script(main)
