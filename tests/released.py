"""Published episodes of our own making, in the format of the released file."""

import json
from pathlib import Path
from typing import Any

from parley.exchange.episodes import World
from parley.records.rating import DIMENSIONS
from tests.builders import ANN, BEN, PEOPLE, task

A, B = ANN.name, BEN.name
WORLD = World(tasks={"sale": task()}, characters=PEOPLE)
SCORES = {dimension.key: float(min(1, dimension.high)) for dimension in DIMENSIONS}


def group(number: int, first: str = "did nothing", second: str = "did nothing", before: str = "") -> list[list[str]]:
    """A turn of four messages: what both are shown, and what both do."""
    shown = f"Turn #{number - 1}: {before}\n" if number else "\nA lamp is for sale.\nConversation Starts:\n"
    return [["Environment", A, shown], ["Environment", B, shown], [A, "Environment", first], [B, "Environment", second]]


def talk(*acts: str) -> list[list[list[str]]]:
    """Messages of agents that take turns, the first agent first, and the closing turn of two messages."""
    before = ["", *("" if act == "did nothing" else f"{(A, B)[n % 2]} {act}" for n, act in enumerate(acts))]
    turns = [group(n, *((act, "did nothing")[:: 1 - n % 2 * 2]), before=before[n]) for n, act in enumerate(acts)]
    return [*turns, group(len(acts), before=before[-1])[:2]]


def comments(why: str = "The conversation is too long; ") -> str:
    """What the judge said, in the form of the released file."""
    said = "".join(
        f"Agent {number} comments:\n" + "".join(f"{key}: {name} and {key}.\n" for key in SCORES)
        for number, name in ((1, A), (2, B))
    )
    return f"Environment comments: terminated: {why}\n{said}"


def reward(**scores: float) -> list[Any]:
    """An agent's scores: 1 where the range has it, 0 elsewhere, but for those given."""
    given = {**SCORES, **scores}
    mean = sum(given.values()) / len(given)
    return [mean, {**given, "overall_score": mean}]


def line(*acts: str, **changes: Any) -> dict[str, Any]:
    """A published episode of `task()`: Ann and Ben greet each other unless other acts are given."""
    rewards = [reward(goal=8.0), reward(goal=3.0)]
    fields = {
        "episode_id": "01EPISODE",
        "environment_id": "sale",
        "agent_ids": ["ann", "ben"],
        "experiment_tag": "round one",
        "experiment_model_name_pairs": ["gpt-4", "gpt-4", "gpt-3.5-turbo"],
        "raw_messages": talk(*(acts or ('said: "Good day."', 'said: "And to you."'))),
        "raw_rewards": rewards,
        "raw_rewards_prompt": "",
        "scenario": task().scenario,
        "codename": "sale",
        "agents_background": {A: "sells lamps", B: "buys lamps"},
        "social_goals": {A: "sell", B: "buy"},
        "social_interactions": "",
        "reasoning": comments(),
        "rewards": rewards,
    }
    return {**fields, **changes}


def file(path: Path, *rows: dict[str, Any] | str) -> Path:
    """A file of lines; a string is written as it is."""
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path
