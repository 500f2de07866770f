"""The small world for tests: tasks as the writer drafts them, talks between scripted speakers, and their marks."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from parley.canonical import seed_from
from parley.config import Play
from parley.playhouse.families import DRAFTERS
from parley.playhouse.server import speak
from parley.records.character import Character
from parley.records.episode import Action, Episode, Turn
from parley.records.task import Goal, Task
from parley.world.observation import turn_text
from parley.world.playing import ending, fault_in, settled
from parley.world.prompts import prompt
from parley.world.rating import rating_text
from tests.builders import ANN, BEN, PROMPTS

#: The rules of the default experiment.
RULES = Play(max_turns=12, history=4)
TEMPLATES = ("turn", "turn_short")
People = tuple[Character, Character]


def drafted(family: str, seed: int) -> Task:
    """A task of a family."""
    draft = DRAFTERS[family](Random(seed_from(family, seed)))
    return small_task(draft.scenario, *draft.goals)


def small_task(scenario: str, *goals: dict[str, Any] | str) -> Task:
    """A task between friends; a goal may be its text alone."""
    first, second = (Goal(text=goal) if isinstance(goal, str) else Goal(**goal) for goal in goals)
    return Task.model_validate({"name": "t", "scenario": scenario, "goals": (first, second), "relationship": "friend"})


def asked(
    task: Task,
    turns: Sequence[Turn],
    seat: int,
    template: str = "turn_short",
    people: People = (ANN, BEN),
    rules: Play = RULES,
) -> str:
    """The prompt that `seat` gets after `turns`."""
    return turn_text(prompt(str(PROMPTS / f"{template}.jinja")), task, people, turns, seat, rules)


def answer(model: str, text: str, seed: int | None = 0) -> str:
    """What a speaker answers to a prompt."""
    return speak(model, [{"role": "user", "content": text}], seed)


def played(
    task: Task,
    players: tuple[str, str],
    seed: int = 0,
    template: str = "turn_short",
    people: People = (ANN, BEN),
    rules: Play = RULES,
) -> Episode:
    """A whole play by two speakers; every answer has to be an action without fault."""
    turns: list[Turn] = []
    over = None
    while over is None:
        seat: Any = len(turns) % 2
        text = answer(players[seat], asked(task, turns, seat, template, people, rules), seed_from(seed, len(turns)))
        action = Action.model_validate_json(text)
        assert fault_in(action) is None
        turns.append(Turn(seat=seat, speaker=people[seat].name, action=settled(action), call=""))
        over = ending(turns, rules)
    return Episode(
        task=task.name,
        task_id=task.id,
        cast=(people[0].id, people[1].id),
        names=(people[0].name, people[1].name),
        players=players,
        turns=tuple(turns),
        ending=over,
    )


def judged(task: Task, episode: Episode, people: People = (ANN, BEN), seed: int = 0) -> list[dict[str, Any]]:
    """The judge's entries for the two seats."""
    text = rating_text(prompt(str(PROMPTS / "rating.jinja")), task, people, episode)
    entries: list[dict[str, Any]] = json.loads(answer("judge", text, seed))["ratings"]
    return entries


def goals_of(task: Task, episode: Episode, people: People = (ANN, BEN)) -> tuple[int, int]:
    """The scores for goal completion, in seat order."""
    first, second = (entry["goal"]["score"] for entry in judged(task, episode, people))
    return first, second
