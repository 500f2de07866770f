"""The sotopia package itself reads what is exported. Needs a Python that has it: `PARLEY_SOTOPIA_PYTHON=…/bin/python`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parley.exchange.episodes import export_episodes
from tests.builders import LEAVES, SILENT, WORDS, episode
from tests.released import WORLD, A, B
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


def test_sotopia_reads_what_is_exported(tmp_path: Path) -> None:
    rated = episode(WORDS, ("action", "lifts it"), SILENT, ("speak", 'A "fine"\nlamp, 🪔'), LEAVES, ending="left")
    failed = episode(WORDS, ending="failed", failure="seat 1, turn 2: cut off")
    ratings = [rating(rated, 0), rating(rated, 1), rating(failed, 0, marks=None, failure="episode failed: cut off")]
    export_episodes(tmp_path / "ours.jsonl", [rated, failed], ratings, WORLD, tag="round1")
    people = json.dumps([(who.id, who.first_name, who.last_name) for who in (WORLD.characters or {}).values()])
    done = subprocess.run(
        [PYTHON or "", "-c", READER, str(tmp_path / "ours.jsonl"), people],
        env={**os.environ, "HOME": str(tmp_path), "SOTOPIA_STORAGE_BACKEND": "local", "PYTHONPATH": ""},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    read: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"log"')]
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
