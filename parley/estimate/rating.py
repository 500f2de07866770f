"""The foresight of rating: one call for each episode, paid for where the episode and the judge are as they were."""

from typing import cast

from parley.estimate.forecast import Calls, Range
from parley.estimate.paid import Missing
from parley.estimate.plan import Job
from parley.estimate.playing import words_of
from parley.estimate.stage import Stage, at_once
from parley.llm.speaker import Speaker
from parley.records.episode import Episode
from parley.records.rating import Rating, ratings_frame
from parley.world.prompts import prompt
from parley.world.rating import rate_episode


def rate(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rule `rate`; the ratings become known if they are all paid for."""
    wildcards, results = job.wildcards, stage.known.layout.results
    task_set, shard, judge = wildcards["task_set"], wildcards["shard"], wildcards["judge"]
    tasks = {task.name: task for task in stage.known.tasks(stage.known.layout.shard(task_set, shard)).tasks}
    played = stage.known.episodes(f"{results}/episodes/{task_set}/{wildcards['players']}/{shard}.jsonl")
    templates = prompt(stage.experiment.prompts.rating), prompt(stage.experiment.prompts.retry)
    made: list[Rating] = []
    unrated: list[Episode] = []
    with stage.paid("ratings", f"{task_set}/{wildcards['players']}/{judge}/{shard}.sqlite") as paid:
        replayer = stage.speaker(judge, paid)

        async def all_episodes() -> None:
            for episode in played.episodes:
                people = stage.lengths.characters
                speaker = (judge, cast(Speaker, replayer))
                try:
                    made.extend(
                        await rate_episode(
                            episode, tasks[episode.task], people, speaker, *templates, stage.experiment.seed
                        )
                    )
                except Missing:
                    unrated.append(episode)

        at_once(all_episodes())
    is_whole = not unrated and not played.unknown
    stage.known.put_ratings(job.outputs[0], ratings_frame(made) if is_whole else None)
    if is_whole:
        return [Calls(stage.experiment.model_name(judge), paid=replayer.replayed)]
    new = len(unrated) + played.unknown
    characters = float(sum(stage.lengths.of_episode(episode, tasks[episode.task]) for episode in unrated))
    if played.unknown:
        first, _, second = wildcards["players"].partition("+")
        turns = stage.priors.turns((first, second)).mean
        characters += played.unknown * stage.lengths.of_rating(
            list(tasks.values()), turns, words_of((first, second), stage)
        )
    answers = Range(len(unrated) + played.unknown_at_least, new, new)
    return [stage.new_calls("ratings", judge, replayer.replayed, answers, characters / new)]
