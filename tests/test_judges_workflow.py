"""Judges in the real workflow: more of them, and the other order, cost ratings alone; nothing is played again."""

import json
from pathlib import Path

import pytest

from tests.workflow import Workshop, ran, talk_only

pytestmark = pytest.mark.slow


def test_a_judge_is_added_and_changed_without_playing(tmp_path: Path) -> None:
    config = talk_only()
    config["task_sets"] = {"small": {"count": 2, "writer": "writer", "casts": 1}}
    config["play"] = {"max_turns": 2}
    workshop = Workshop(tmp_path / "judges", config)
    workshop.run("scores", cores=1)
    played, scored = workshop.read("episodes/**/*.jsonl"), workshop.read("scores/**/*.parquet")
    rated, calls = workshop.read("ratings/**/*.parquet"), workshop.calls()
    episodes = sum(text.count(b"\n") for text in played.values())
    assert episodes == 4 and len(rated) == 2

    config["models"]["second"] = {"engine": "playhouse", "name": "judge", "temperature": 0.5}
    config["evaluations"]["all"] |= {"also_judged_by": ["second"], "orders": "both"}
    workshop.configure(config)
    output = workshop.run("scores", cores=1)
    assert ran(output) == {"rate": 2, "rate_swapped": 4, "compare_judges": 1, "scores": 1}
    assert workshop.calls() == calls + 3 * episodes  # the second judge, and both again in the other order
    assert workshop.read("episodes/**/*.jsonl") == played and workshop.read("scores/**/*.parquet") == scored
    assert workshop.read("ratings/**/*.parquet").items() >= rated.items()
    found = json.loads((workshop.results / "judges/all.json").read_text(encoding="utf-8"))
    assert found["judges"] == ["judge", "second"] and found["taught"] == {"judge": [], "second": []}
    assert {row["n"] for row in found["position"]} == {2 * episodes}
    assert {row["n"] for row in found["agreement"]} == {episodes}

    config["models"]["second"]["revision"] = "b"
    workshop.configure(config)
    assert ran(workshop.run("scores", cores=1)) == {"rate": 2, "rate_swapped": 2, "compare_judges": 1, "scores": 1}
    assert workshop.calls() == calls + 5 * episodes
    assert ran(workshop.run("scores", cores=1)) in ({}, {"scores": 1})
