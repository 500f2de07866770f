"""The foresight of judging: one call for each episode of the safety study."""

from parley.estimate.forecast import Calls
from parley.estimate.plan import Job
from parley.estimate.single import foresee_single
from parley.estimate.stage import Stage
from parley.llm.speaker import Speaker
from parley.records.episode import Episode
from parley.records.judgement import Judgement
from parley.records.task import Task
from parley.world.judging import judge_episode, judging_text
from parley.world.prompts import prompt


def judge(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rule `judge`."""
    experiment = stage.experiment
    templates = prompt(experiment.prompts.safety), prompt(experiment.prompts.retry)

    async def ask(episode: Episode, task: Task, speaker: tuple[str, Speaker]) -> Judgement:
        return await judge_episode(
            episode, _seated(task), stage.lengths.characters, speaker, *templates, experiment.seed
        )

    _, calls = foresee_single(
        job,
        stage,
        "judgements",
        ask,
        lambda task, people, episode: judging_text(templates[0], _seated(task), people, episode),
    )
    return calls


def _seated(task: Task) -> Task:
    """A task that stands for others, or that the run will refuse, may have no roles; here it gets them."""
    return task if task.roles else task.model_copy(update={"roles": ("instigator", "bystander")})
