"""A small world of our own in the form of SOTOPIA's files, quirks and all; and where the real one lies, if it is here."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.exchange.sotopia.files import AGENTS, COMBOS, ENVIRONMENTS, NAMES, RELATIONSHIPS, SETS, read_files
from parley.exchange.sotopia.profiles import Profiles, take
from tests.builders import ROOT

#: Where the authors' files lie: $PARLEY_SOTOPIA, or a folder `shared` beside the checkout.
REAL = Path(os.environ.get("PARLEY_SOTOPIA") or ROOT.parent / "shared/data/sotopia")
needs_the_real_files = pytest.mark.skipif(
    not (REAL / ENVIRONMENTS).exists(), reason="SOTOPIA's files are not here: set PARLEY_SOTOPIA to their folder"
)

Lines = dict[str, list[dict[str, Any]]]


def agent(own_id: str, first: str, last: str, **changes: Any) -> dict[str, Any]:
    return {
        "agent_id": own_id,
        "first_name": first,
        "last_name": last,
        "age": 40,
        "occupation": "Baker",
        "gender": "Woman",
        "gender_pronoun": "She/her",
        "public_info": f"{first} bakes. ",
        "big_five": "Openness - High",
        "moral_values": ["Care", " Fairness"],
        "schwartz_personal_values": ["Power"],
        "personality_and_values": "Calm.",
        "decision_making_style": "Slow",
        "secret": f"{first} hates bread",
        "mbti": "INFJ",
        **changes,
    }


def environment(own_id: str, codename: str, **changes: Any) -> dict[str, Any]:
    return {
        "env_id": own_id,
        "codename": codename,
        "source": "bakery",
        "scenario": f"Two meet over {codename}.",
        "agent_goals": [
            "Sell the oven (<extra_info>Extra information: it leaks "
            "<strategy_hint>Hint: smile</strategy_hint></extra_info>)",
            "Buy the oven.\n<extra_info> You know it. </extra_info>",
        ],
        "relationship": "3",
        "age_constraint": "[(18, 70), (21, 60)]",
        "occupation_constraint": "nan",
        "agent_constraint": "none",
        **changes,
    }


def sample() -> Lines:
    """Three agents, three relationships, four environments (two of one codename, one of them hard), five casts."""
    return {
        AGENTS: [agent("A1", "Ann", "Ash"), agent("A2", "Ben", "Birch", age=22), agent("A3", "Nan", "nan", mbti="nan")],
        RELATIONSHIPS: [
            bond("R1", "A1", "A2", "3", background_story="They share an oven. "),
            bond("R2", "A2", "A3", "0"),
            bond("R3", "A3", "A1", "5", background_story="nan"),
        ],
        ENVIRONMENTS: [
            environment("01AAAAAAAAOVEN01", "oven"),
            environment("01AAAAAAAAFLOUR1", "flour", relationship=0, occupation_constraint="[baker, cook]"),
            environment("01AAAAAAAAOVEN02", "oven", age_constraint="nan", agent_goals=["Stay calm.", "Stay loud."]),
            environment("01AAAAAAAASALT01", "salt & pepper", occupation_constraint="[['a', 'b'], []]"),
        ],
        COMBOS: [
            combo("C1", "01AAAAAAAAOVEN02", "A1", "A2"),
            combo("C2", "01AAAAAAAAOVEN01", "A2", "A1"),
            combo("C3", "01AAAAAAAAFLOUR1", "A3", "A2"),
            combo("C4", "01AAAAAAAAOVEN01", "A1", "A2"),
            combo("C5", "01AAAAAAAASALT01", "A1", "A3"),
        ],
    }


def bond(own_id: str, one: str, other: str, number: Any, **changes: Any) -> dict[str, Any]:
    ends = {"relationship_id": own_id, "agent1_id": one, "agent2_id": other}
    return {**ends, "relationship": number, "background_story": "They met.", **changes}


def combo(own_id: str, env: str, one: str, other: str) -> dict[str, Any]:
    return {"combo_id": own_id, "env_id": env, "agent_ids": [one, other]}


#: The lists that the sample's environments are on.
LISTS = {
    "sotopia_env": ["01AAAAAAAAOVEN01", "01AAAAAAAAFLOUR1", "01AAAAAAAAOVEN02", "01AAAAAAAASALT01"],
    "sotopia_hard_env": ["01AAAAAAAAOVEN02"],
    "mine": ["01AAAAAAAAFLOUR1", "01AAAAAAAAOVEN02"],
}


def written(folder: Path, lines: Lines | None = None, lists: dict[str, list[str]] | None = None) -> Path:
    """The folder with these files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in (lines or sample()).items():
        (folder / name).write_text("".join(json.dumps(one) + "\n" for one in values))
    if lists is not None:
        (folder / SETS).write_text(json.dumps(lists))
    return folder


def taken(folder: Path, change: Callable[[Lines], Any] = lambda _: None, uncast: bool = False) -> Profiles:
    """The records of the sample after a change of its lines."""
    lines = sample()
    change(lines)
    return take(read_files(written(folder, lines), uncast), uncast)


def lines_in(folder: Path) -> Lines:
    """The lines of a folder's files."""
    return {name: [json.loads(line) for line in (folder / name).read_text().splitlines()] for name in NAMES}
