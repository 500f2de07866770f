"""The sotopia package itself reads what is exported and writes what is imported.

Needs a Python that has it: `PARLEY_SOTOPIA_PYTHON=…/bin/python`.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parley.exchange.episodes import import_episodes
from parley.exchange.publication import export_episodes
from tests.builders import LEAVES, SILENT, WORDS, episode
from tests.released import SCORES, WORLD, A, B
from tests.test_released_export import rating

PYTHON = os.environ.get("PARLEY_SOTOPIA_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="PARLEY_SOTOPIA_PYTHON names no Python with sotopia==0.1.5")

#: Reads a file as sotopia does, and prints the logs and what its own writer would say of them.
READER = """
import json, sys
from sotopia.database import AgentProfile, EpisodeLog
from sotopia.database.serialization import (
    TwoAgentEpisodeWithScenarioBackgroundGoals, get_social_interactions_from_episode, jsonl_to_episodes
)
for id_, first, last in json.loads(sys.argv[2]):
    AgentProfile(pk=id_, first_name=first, last_name=last).save()
logs = jsonl_to_episodes(sys.argv[1])
lines = [json.loads(line) for line in open(sys.argv[1])]
for log, line in zip(logs, lines, strict=True):
    assert isinstance(log, EpisodeLog)
    if all(isinstance(reward, list) for reward in line["rewards"]):
        TwoAgentEpisodeWithScenarioBackgroundGoals(**line)
    print(json.dumps({"log": log.model_dump(), "interactions": get_social_interactions_from_episode(log)}))
"""


def sotopia(folder: Path, code: str, *options: str) -> str:
    """What code says that runs where sotopia is, with a store of its own."""
    done = subprocess.run(
        [PYTHON or "", "-c", code, *options],
        env={**os.environ, "HOME": str(folder), "SOTOPIA_STORAGE_BACKEND": "local", "PYTHONPATH": ""},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sotopia_reads_what_is_exported(tmp_path: Path) -> None:
    rated = episode(WORDS, ("action", "lifts it"), SILENT, ("speak", 'A "fine"\nlamp, 🪔'), LEAVES, ending="left")
    failed = episode(WORDS, ending="failed", failure="seat 1, turn 2: cut off")
    ratings = [rating(rated, 0), rating(rated, 1), rating(failed, 0, marks=None, failure="episode failed: cut off")]
    export_episodes(tmp_path / "ours.jsonl", [rated, failed], ratings, WORLD, tag="round1")
    people = json.dumps([(who.id, who.first_name, who.last_name) for who in (WORLD.characters or {}).values()])
    said = sotopia(tmp_path, READER, str(tmp_path / "ours.jsonl"), people)
    read: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.startswith('{"log"')]
    rows = [json.loads(line) for line in (tmp_path / "ours.jsonl").read_text().splitlines()]
    assert len(read) == len(rows) == 2
    for given, row in zip(read, rows, strict=True):
        log = given["log"]
        assert (log["pk"], log["environment"], log["agents"]) == (row["episode_id"], "sale", ["ann", "ben"])
        assert (log["tag"], log["models"]) == ("round1", row["experiment_model_name_pairs"])
        assert (log["messages"], log["rewards"]) == (row["raw_messages"], row["raw_rewards"])
        assert log["reasoning"] == row["reasoning"]
    # What sotopia's own writer makes of the messages is what ours wrote beside them.
    assert read[0]["interactions"] == rows[0]["social_interactions"]
    assert read[0]["interactions"].startswith(f'{A} said: "Well."\n\n{B}: [action] lifts it\n\n\n\n{B} said: "A "fine"')
    assert read[1]["log"]["rewards"] == [0.0, 0.0]


#: Builds an episode of sotopia's own messages and comments, and writes it with sotopia's own writer.
WRITER = """
import json, sys
from sotopia.database import AgentProfile, EnvironmentProfile, EpisodeLog
from sotopia.database.serialization import episodes_to_jsonl
from sotopia.envs.evaluators import unweighted_aggregate_evaluate
from sotopia.messages import AgentAction, Observation

agents, acts, scores = json.loads(sys.argv[2])
for id_, first, last in agents:
    AgentProfile(pk=id_, first_name=first, last_name=last, gender="Woman", occupation="Baker").save()
EnvironmentProfile(pk="sale", codename="sale", scenario="A lamp.", agent_goals=["sell", "buy"]).save()
names = [f"{first} {last}" for _, first, last in agents]
waits = AgentAction(action_type="none", argument="")
messages, shown = [], "the context"
for number, (kind, argument) in enumerate([*acts, (None, None)]):
    seen = Observation(last_turn=shown, turn_number=number, available_actions=["none"])
    group = [("Environment", name, seen) for name in names]
    if kind is not None:
        does = AgentAction(action_type=kind, argument=argument)
        group += [(name, "Environment", does if number % 2 == seat else waits) for seat, name in enumerate(names)]
        shown = "" if kind == "none" else f"{names[number % 2]} {does.to_natural_language()}"
    messages.append([(sender, receiver, text.to_natural_language()) for sender, receiver, text in group])
said = [("environment", (("terminated", True), "The conversation is too long; "))]
for seat, given in enumerate(scores):
    said += [(f"agent_{seat + 1}", ((key, score), f"Seat {seat},\\nand {key}.")) for key, score in given.items()]
verdict = unweighted_aggregate_evaluate(said)
log = EpisodeLog(
    pk="01THEIRS", environment="sale", agents=[id_ for id_, _, _ in agents], tag="t", models=["j", "m", "n"],
    messages=messages, reasoning=verdict.comments, rewards=[verdict.p1_rate, verdict.p2_rate], rewards_prompt="",
)
log.save()
episodes_to_jsonl([log], sys.argv[1])
"""


def test_what_sotopia_writes_comes_in(tmp_path: Path) -> None:
    people = [(who.id, who.first_name, who.last_name) for who in (WORLD.characters or {}).values()]
    acts = [
        ("speak", 'A "fine"\nlamp, 🪔'),
        ("none", ""),
        ("action", "lifts [action] it"),
        ("non-verbal communication", "nods"),
    ]
    scores = [{**SCORES, "goal": 8.0}, {**SCORES, "goal": 3.0}]
    sotopia(tmp_path, WRITER, str(tmp_path / "theirs.jsonl"), json.dumps([people, acts, scores]))
    found = import_episodes(tmp_path / "theirs.jsonl", WORLD)
    (one,) = found.episodes
    assert [(turn.action.action_type, turn.action.argument) for turn in one.turns] == acts
    assert [turn.seat for turn in one.turns] == [0, 1, 0, 1]
    assert (one.ending, one.names, one.players) == ("turns", (A, B), ("m", "n"))
    for seat, given in enumerate(found.ratings):
        assert given.marks is not None
        assert {key: mark.score for key, mark in given.marks.items()} == scores[seat]
        assert {mark.reasoning for mark in given.marks.values()} == {f"Seat {seat},\nand {key}." for key in SCORES}
    assert [*found.notes] == ["experiment_tag, which has no place here"]
