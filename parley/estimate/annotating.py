"""The foresight of simulated raters: a call for each rater that an item wants, and one more where there may be doubt."""

from dataclasses import replace
from pathlib import Path
from typing import cast

from parley.estimate.forecast import Calls, Range
from parley.estimate.paid import Missing
from parley.estimate.plan import Job
from parley.estimate.playing import words_of
from parley.estimate.stage import Stage, at_once
from parley.llm.speaker import Speaker
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.item import Item, item_of
from parley.records.jsonl import read_jsonl
from parley.records.task import Task
from parley.world.annotating import annotate as annotate_item
from parley.world.annotating import annotation_text
from parley.world.prompts import prompt

#: Annotations for each that an item wants at first; about so many are doubtful and ask for one more (docs/people.md).
DOUBTS = 1.05


def annotate(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rule `annotate`. Who gets which item is not known before: what any rater was asked for counts."""
    experiment, study, layout = stage.experiment, stage.experiment.human, stage.known.layout
    assert study is not None and study.simulated_by is not None
    templates = prompt(experiment.prompts.annotation), prompt(experiment.prompts.retry)
    path = Path(layout.human("items.jsonl"))
    items = read_jsonl(path, Item) if path.exists() else []
    count = len(items) or study.per_policy * len(layout.human_players())
    wanted = Range(count * study.raters, DOUBTS * count * study.raters, count * (study.raters + 1))
    with stage.paid("human", "ratings.sqlite") as paid:
        replayer = stage.speaker(study.simulated_by, paid)
        speaker = cast(Speaker, replayer)

        async def all_raters() -> None:
            for item in items:
                for number in range(1, 1 + _raters(count * study.raters)):
                    try:
                        await annotate_item(item, f"r{number:03d}", speaker, *templates, experiment.seed)
                    except Missing:
                        continue

        at_once(all_raters())
    known = replayer.replayed
    new = Range(*(max(0.0, value - known) for value in (wanted.low, wanted.likely, wanted.high)))
    if known >= wanted.low:  # a study that was held: as many as it took then
        return [Calls(experiment.model_name(study.simulated_by), paid=known)]
    characters = [len(annotation_text(templates[0], item, "r001")) for item in items]
    mean = sum(characters) / len(characters) if characters else _of_talk(stage)
    # They are answered as a judge answers, and never in a batch.
    return [replace(stage.new_calls("ratings", study.simulated_by, known, new, mean), batched=0.0)]


def _raters(annotations: int) -> int:
    """How many raters may have come for so many annotations, ten each, with those that came for doubts."""
    return annotations // 10 + 24


def _of_talk(stage: Stage) -> float:
    """Characters of a rater's prompt about an episode that is not played yet."""
    study = stage.known.layout.human_evaluation()
    assert study is not None
    template = prompt(stage.experiment.prompts.annotation)
    players = (stage.known.layout.human_players()[0], study.partner)

    def text(task: Task, people: tuple[Character, Character], episode: Episode) -> str:
        return annotation_text(template, item_of("item", episode, task, people), "r001")

    return stage.lengths.of_talk([], stage.priors.turns(players).mean, words_of(players, stage), text)
