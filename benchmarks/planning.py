"""What Snakemake itself costs: planning and no-ops on the paper's grid, and with a hundred times its episodes.

    python -m benchmarks.planning            a few minutes

The rules, paths and staleness are the real ones; the scripts are quick stand-ins (`tests/standins`), so that what is
measured is the graph and not the work. Episodes grow inside shards: the number of jobs must not change.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from tests.standins.world import World

#: SOTOPIA-π: a round has 100 tasks of 10 casts; 90 tasks are played for the evaluation, with 5 casts.
ROUND, CASTS, TESTS, TEST_CASTS = 100, 10, 90, 5


def paper(replicates: int) -> dict[str, Any]:
    """The paper's grid: base, BC, SR and BC+SR, the expert beside them, three views of the evaluation, knowledge."""
    models = {
        "agent": {"engine": "llamacpp", "name": "pocket", "path": "resources/pocket"},
        **{name: {"engine": "playhouse", "name": name} for name in ("expert", "partner", "writer", "judge")},
    }
    bc = {"judge": "judge", "tasks": "round1", "selection": "bc"}
    sr = {"judge": "judge", "tasks": "round2", "selection": "sr"}
    view = {"tasks": "test", "partner": "partner", "judge": "judge"}
    written = {"count": ROUND, "writer": "writer", "casts": CASTS, "shards": 16}
    return {
        "experiment": "paper",
        "models": models,
        "task_sets": {
            "round1": written,
            "round2": written,
            "test": {"file": "test.jsonl", "casts": TEST_CASTS, "shards": 8},
        },
        "play": {"replicates": replicates},
        "policies": {
            "base": {"model": "agent"},
            "bc": {"parent": "base", "learns_from": {"players": ["expert", "expert"], **bc}},
            "sr": {"parent": "base", "learns_from": {"players": ["base", "base"], **sr}},
            "bc_sr": {"parent": "bc", "learns_from": {"players": ["bc", "bc"], **sr}},
        },
        "references": ["expert"],
        "evaluations": {"all": view, "hard": {**view, "tag": "hard"}, "some": {**view, "casts": 1}},
        "knowledge": {"test": "resources/questions.jsonl", "dev": "resources/questions.jsonl"},
    }


@dataclass
class Taken:
    """What a command took. Seconds of the wall and of the processor, MiB at most, and what it printed."""

    wall: float
    cpu: float
    memory: float
    output: str


def take(folder: Path, *arguments: str) -> Taken:
    """Run Snakemake in `folder` as a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output[-3000:]
    return Taken(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)


def jobs(plan: str) -> int:
    """The number of jobs in a plan."""
    return next(int(line.split()[1]) for line in plan.splitlines() if line.startswith("total "))


def grid(folder: Path, replicates: int) -> World:
    """A world with the paper's grid, nothing run yet."""
    world = World(folder, paper(replicates))
    world.lines("resources/characters.jsonl", [{"id": f"c{i}", "secret": "a"} for i in range(40)])
    world.lines("resources/keywords.jsonl", [{"name": f"k{i}", "text": "a"} for i in range(ROUND)])
    world.lines("test.jsonl", [{"name": f"e{i}", "text": "a"} for i in range(TESTS)])
    return world


def measure(replicates: int, folder: Path) -> None:
    """Print a row for each of: the first plan, the first run, a no-op, everything touched, one task edited."""
    world = grid(folder, replicates)
    plan = take(world.folder, "-n", "--quiet", "rules")
    first = take(world.folder)
    nothing = take(world.folder)
    assert "Nothing to be done" in nothing.output
    for path in world.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    touched = take(world.folder)
    assert "Nothing to be done" in touched.output
    tasks = world.records("test.jsonl")
    tasks[0]["text"] = "b"
    world.lines("test.jsonl", tasks)
    edited = take(world.folder)
    episodes = sum(path.read_bytes().count(b"\n") for path in world.results.rglob("episodes/**/*.jsonl"))
    number, ran = jobs(plan.output), edited.output.count("Finished jobid")
    print(f"\n{episodes:,} episodes, {number} jobs")
    for name, taken in (
        ("plan on a fresh clone", plan),
        (f"first run ({(first.wall - nothing.wall) / number * 1000:.0f} ms a job)", first),
        ("nothing changed", nothing),
        ("every file touched", touched),
        (f"one task edited ({ran} jobs)", edited),
    ):
        print(f"  {name:34} {taken.wall:7.1f} s  {taken.cpu:7.1f} s CPU  {taken.memory:5.0f} MiB")


def main() -> None:
    """Measure both sizes."""
    print(machine(["snakemake"]))
    folder = Path(tempfile.mkdtemp(prefix="parley-planning-"))
    for replicates in (1, 100):
        measure(replicates, folder / str(replicates))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
