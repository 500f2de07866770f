"""Random changes against clean builds (`tests/fuzz.py`), and proof that faults of staleness are found."""

import json
import subprocess
import sys

import pytest

from tests.workflow import ROOT

pytestmark = pytest.mark.slow


def fuzz(*options: str) -> tuple[int, str]:
    """Run the fuzz test in a process of its own: it forks, which wants a process without threads."""
    command = [sys.executable, "-m", "tests.fuzz", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kills", [[], ["--kills"]])
def test_random_changes_give_what_a_clean_build_gives_and_run_nothing_in_vain(kills: list[str]) -> None:
    status, output = fuzz("--seconds", "35", "--seed", "7", *kills)
    assert status == 0, output


#: A fault put into the code, a change that shows it, and what is to be found.
FAULTS = {
    "no cut-off at all": (
        ("parley/cutoff.py", "dag.finish = watcher.finish", "pass"),
        "reorder_tasks",
        "NEEDLESS episodes",
    ),
    "reasons that outlive their planning": (
        ("parley/cutoff.py", "self._dag.reason(job).clear()", "pass"),
        "reorder_tasks",
        "NEEDLESS episodes",
    ),
    "an input that a rule does not name": (
        ("rules/episodes.smk", "policies=lambda wildcards: paths.manifests(seats(wildcards)),", ""),
        "learning_rate",
        "STALE episodes/round2/bc+bc",
    ),
    "a setting that is not among a rule's": (
        ("parley/staleness.py", '"selection": _dump(source.selection)', '"selection": None'),
        "share",
        "STALE selections/bc.parquet",
    ),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_of_staleness_is_found(name: str) -> None:
    fault, change, finding = FAULTS[name]
    status, output = fuzz("--seed", "1", "--steps", f"nothing,{change}", "--break", json.dumps(fault))
    assert status == 1 and finding in output, output
