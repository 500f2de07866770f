"""A policy that learns from episodes and ratings that lie in files: nothing is played for it, and it learns the same."""

import copy
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl, write_jsonl
from tests.workflow import Workshop, jobs, learning, ran

pytestmark = pytest.mark.slow


def put_together(workshop: Workshop, pattern: str, out: Path) -> None:
    """All files of a pattern below the results as one file."""
    paths = sorted(workshop.results.glob(pattern))
    assert paths
    if out.suffix == ".parquet":
        pl.concat([pl.read_parquet(path) for path in paths]).write_parquet(out)
    else:
        out.write_text("".join(path.read_text(encoding="utf-8") for path in paths), encoding="utf-8")


def borrowed() -> dict[str, Any]:
    """The same policy `bc`, of files: who played and who judged is nobody that this experiment can ask."""
    config = copy.deepcopy(learning())
    config |= {"experiment": "borrowed", "prompts": {"turn": "prompts/turn_short.jinja"}}
    config["policies"].pop("sr")
    config["policies"]["bc"]["learns_from"] |= {
        "judge": "somebody",
        "episodes": "given/episodes.jsonl",
        "ratings": "given/ratings.parquet",
    }
    config["task_sets"] = {
        "round1": {"file": "given/tasks.jsonl"},
        "test": {"file": "resources/tasks/evaluation.jsonl", "casts": 1},
    }
    config["models"] = {name: config["models"][name] for name in ("agent", "partner", "judge")}
    return config


def test_what_was_played_elsewhere_is_learned_from_without_a_call(tmp_path: Path) -> None:
    first = learning() | {"prompts": {"turn": "prompts/turn_short.jinja"}}
    first["task_sets"]["test"]["file"] = "resources/tasks/evaluation.jsonl"
    workshop = Workshop(tmp_path / "here", first)
    workshop.run("results/small/policies/bc")
    given = workshop.folder / "given"
    given.mkdir()
    put_together(workshop, "tasks/round1/0?.jsonl", given / "tasks.jsonl")
    put_together(workshop, "episodes/round1/expert+expert/*.jsonl", given / "episodes.jsonl")
    put_together(workshop, "ratings/round1/expert+expert/judge/*.parquet", given / "ratings.parquet")
    played, calls = workshop.results, workshop.calls()

    workshop.configure(borrowed())
    target = "results/borrowed/policies/bc"
    assert set(jobs(workshop.run("-n", target))) == {"base_policy", "cast", "select", "collect", "train"}
    workshop.run(target)
    assert workshop.calls() == calls
    manifests = [
        json.loads((folder / "datasets/bc/manifest.json").read_text()) for folder in (played, workshop.results)
    ]
    assert manifests[0] == manifests[1] and manifests[0]["rows"] > 0
    assert (workshop.results / "policies/bc.json").read_bytes() == (played / "policies/bc.json").read_bytes()
    card = (workshop.results / "datasets/bc/README.md").read_text(encoding="utf-8")
    assert "given/episodes.jsonl" in card and "stand-ins" not in card

    selection = pl.read_parquet(workshop.results / "selections/bc.parquet")
    episodes = read_jsonl(given / "episodes.jsonl", Episode)
    kept = set(selection.filter("kept")["episode"])
    write_jsonl(given / "episodes.jsonl", [one for one in episodes if one.id in kept])
    assert ran(workshop.run(target)) == {"collect": 1}  # the same is learned: nothing is trained
    write_jsonl(given / "episodes.jsonl", [one for one in episodes if one.id not in kept])
    said = workshop.run(target, status=1)  # their ratings are still there, and the selection names them
    assert "which is not among the episodes; build the selection again" in said
