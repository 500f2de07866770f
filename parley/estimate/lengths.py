"""Lengths: how many characters the prompts of an experiment have, from its real templates, tasks and characters."""

from collections.abc import Callable, Sequence
from functools import cached_property

from parley.code import ROOT
from parley.config import Experiment
from parley.records.character import Character, read_characters
from parley.records.episode import Action, Episode, Turn
from parley.records.jsonl import read_jsonl
from parley.records.task import Cast, Keyword, Task, read_tasks
from parley.world.observation import turn_text
from parley.world.playing import SEATS
from parley.world.prompts import prompt

#: Tasks that are rendered for one number.
SAMPLE = 6
#: Characters that an action's JSON has beside the words.
FRAME = len(Action(action_type="speak", argument="").as_json())
WORDS = "I see what you mean, and I would like to find a way that works for both of us. "
#: Stand for tasks that are not written yet, where the experiment has no file of tasks.
OURS = ROOT / "resources" / "tasks" / "evaluation.jsonl"


#: A judge's prompt for an episode of a task between two people.
Text = Callable[[Task, tuple[Character, Character], Episode], str]


class Lengths:
    """Characters of prompts. `tasks` and casts are samples; a task that nobody has written yet is like the others."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    @cached_property
    def characters(self) -> dict[str, Character]:
        """The people of the experiment."""
        return read_characters(self._experiment.world.characters)

    @cached_property
    def stand_ins(self) -> list[Task]:
        """Tasks that stand for those that are not known: some of the experiment's files, or of ours."""
        files = [entry.file for entry in self._experiment.task_sets.values() if entry.file]
        return [task for path in files or [str(OURS)] for task in _spread(read_tasks(path))]

    def of_writing(self) -> float:
        """Characters of the writer's prompt."""
        keywords = read_jsonl(self._experiment.world.keywords, Keyword)[:SAMPLE]
        template = prompt(self._experiment.prompts.task)
        return _mean([len(template.render(keyword=keyword.text)) for keyword in keywords])

    def of_turns(self, tasks: Sequence[Task], words: tuple[float, float]) -> list[float]:
        """Characters of the prompt for each turn number, from 0; `words` is how long an answer of each seat is."""
        template, play = prompt(self._experiment.prompts.turn), self._experiment.play
        total = [0.0] * play.max_turns
        scenes = self._scenes(tasks)
        for task, people in scenes:
            turns = _talk(people, play.max_turns, words)
            for number in range(play.max_turns):
                text = turn_text(template, task, people, turns[:number], SEATS[number % 2], play)
                total[number] += len(text)
        return [characters / len(scenes) for characters in total]

    def of_talk(self, tasks: Sequence[Task], turns: float, words: tuple[float, float], text: Text) -> float:
        """Characters of a judge's prompt for an episode of so many turns."""
        found = []
        for task, people in self._scenes(tasks):
            episode = Episode(
                task=task.name,
                task_id=task.id,
                cast=(people[0].id, people[1].id),
                names=(people[0].name, people[1].name),
                players=("a", "b"),
                turns=tuple(_talk(people, round(turns), words)),
                ending="turns",
            )
            found.append(len(text(task, people, episode)))
        return _mean(found)

    def of_episode(self, episode: Episode, task: Task, text: Text) -> int:
        """Characters of a judge's prompt for an episode that is there."""
        people = self.characters[episode.cast[0]], self.characters[episode.cast[1]]
        return len(text(task, people, episode))

    def _scenes(self, tasks: Sequence[Task]) -> list[tuple[Task, tuple[Character, Character]]]:
        """Some tasks, evenly spread, each with a cast."""
        tasks = tasks or self.stand_ins
        chosen = tasks[:: max(1, len(tasks) // SAMPLE)][:SAMPLE]
        return [
            (task, self._people(task.casts[0] if task.casts else None, number)) for number, task in enumerate(chosen)
        ]

    def _people(self, cast: Cast | None, number: int) -> tuple[Character, Character]:
        if cast is not None:
            return self.characters[cast[0]], self.characters[cast[1]]
        everyone = list(self.characters.values())
        return everyone[2 * number % len(everyone)], everyone[(2 * number + 1) % len(everyone)]


def _talk(people: tuple[Character, Character], count: int, words: tuple[float, float]) -> list[Turn]:
    """A talk of so many turns in which each seat says so many characters."""
    said = [(WORDS * (1 + round(length) // len(WORDS)))[: max(1, round(length))] for length in words]
    return [
        Turn(
            seat=SEATS[number % 2],
            speaker=people[number % 2].name,
            action=Action(action_type="speak", argument=said[number % 2]),
            call="",
        )
        for number in range(count)
    ]


def _spread(tasks: Sequence[Task]) -> Sequence[Task]:
    """A few of the tasks, from beginning to end."""
    return tasks[:: max(1, len(tasks) // SAMPLE)][:SAMPLE]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
