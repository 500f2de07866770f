"""The foresight of rating: one call for each episode, paid for where the episode and the judge are as they were."""

from parley.estimate.forecast import Calls
from parley.estimate.plan import Job
from parley.estimate.single import foresee_single
from parley.estimate.stage import Stage
from parley.llm.speaker import Speaker
from parley.records.episode import Episode
from parley.records.rating import Rating, ratings_frame
from parley.records.task import Task
from parley.world.prompts import prompt
from parley.world.rating import rate_episode, rating_text


def rate(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rules `rate` and `rate_swapped`; the ratings become known if they are all paid for."""
    experiment, swapped = stage.experiment, job.rule == "rate_swapped"
    templates = prompt(experiment.prompts.rating), prompt(experiment.prompts.retry)

    async def ask(episode: Episode, task: Task, judge: tuple[str, Speaker]) -> list[Rating]:
        return await rate_episode(episode, task, stage.lengths.characters, judge, *templates, experiment.seed, swapped)

    made, calls = foresee_single(
        job, stage, "ratings", ask, lambda task, people, episode: rating_text(templates[0], task, people, episode)
    )
    ratings = None if made is None else ratings_frame([rating for both in made for rating in both])
    stage.known.put_ratings(job.outputs[0], ratings)
    return calls
