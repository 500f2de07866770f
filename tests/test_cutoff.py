"""Early cut-off in real Snakemake runs over stand-in scripts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.standins.world import World
from tests.workflow import jobs, ran

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A built world of stand-ins."""
    made = World(tmp_path / "world")
    run(made)
    return made


def run(world: World, *arguments: str, status: int = 0) -> str:
    """What Snakemake prints."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(command, cwd=world.folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


def counts(output: str) -> dict[str, int]:
    return {rule: number for rule, number in ran(output).items() if rule != "all"}


def reorder(world: World) -> None:
    world.lines("round1.jsonl", world.records("round1.jsonl")[::-1])


def test_steps_behind_the_same_bytes_leave_the_plan_and_the_run_says_so(world: World) -> None:
    reorder(world)
    output = run(world)
    # The set is cut again and written tasks are compared with it; nothing comes out otherwise.
    assert counts(output) == {"cast": 3, "write": 1}
    known = "results/small/tasks/round1/00.casts.json and results/small/tasks/round1/00.jsonl are what they were: "
    assert known in output and "are not needed." in output
    assert "Nothing to be done" in run(world)


def test_the_plan_shows_the_most_that_may_run(world: World) -> None:
    reorder(world)
    assert {"cast", "play", "rate", "train", "page"} <= set(jobs(run(world, "-n")))


def test_what_is_behind_other_bytes_runs_and_only_that(world: World) -> None:
    tasks = world.records("test.jsonl")
    tasks[0]["text"] = "other"
    world.lines("test.jsonl", tasks)
    done = counts(run(world))
    assert done["play"] == done["rate"] == 6 and done["page"] == 1
    assert not {"train", "select", "collect", "knowledge", "base_policy"} & set(done)


def test_a_forced_step_runs_and_what_it_leaves_as_it_was_does_not_spread(world: World) -> None:
    assert counts(run(world, "-R", "rate")) == {"rate": 17}


def test_a_deleted_result_is_made_again_alone(world: World) -> None:
    for path in (
        "episodes/round2/bc+bc/00.jsonl",
        "datasets/bc/README.md",
        "usage/ratings/test/base+partner/judge/00.json",
    ):
        (world.results / path).unlink()
    assert counts(run(world)) == {"play": 1, "collect": 1, "rate": 1}


def test_a_failed_step_is_not_tried_again_by_a_new_planning(world: World) -> None:
    reorder(world)
    world.salts["knowledge"] = "b"
    world.save()
    script = world.folder / "scripts/knowledge.py"
    script.write_text(script.read_text() + "raise SystemExit(1)\n")
    output = run(world, "--keep-going", status=1)
    assert output.count("Error in rule knowledge") == 3  # one a policy, each once
    assert "are what they were: " in output


def test_a_result_older_than_a_touched_input_stays(world: World) -> None:
    for path in world.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    assert "Nothing to be done" in run(world)
