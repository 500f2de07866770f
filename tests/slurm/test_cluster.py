"""The whole workflow on a real SLURM, through the profile as it is shipped.

One cluster serves all tests of a process; two processes take turns (tests/slurm/cluster.py).
"""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.counting import counting
from tests.slurm.cluster import Absent, Cluster, cluster
from tests.slurm.shop import ClusterShop, outfit, rated, talk, talked, two_policies
from tests.workflow import kill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: The rules that are jobs of the cluster in the small experiment; all others take a second, beside Snakemake.
REMOTE = {"play", "rate", "train"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return outfit(tmp_path_factory.mktemp("outfit") / "venv")
    except Absent as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def here(python: Path) -> Iterator[Cluster]:
    try:
        with cluster() as running:
            yield running
    except Absent as reason:
        pytest.skip(str(reason))


def rule(job: dict[str, str]) -> str:
    """The rule of a SLURM job, which the executor writes into its comment."""
    found = re.match(r"rule_([a-z_]+?)(_wildcards_|$)", job["Comment"])
    assert found is not None, job
    return found[1]


def until(over: Callable[[], object], process: "subprocess.Popen[str] | None" = None, patience: float = 300) -> None:
    """Wait for something to become true, while Snakemake is at it."""
    last = time.monotonic() + patience
    while not over():
        assert process is None or process.poll() is None, process.communicate()[0][-6000:]
        assert time.monotonic() < last, "waited in vain"
        time.sleep(0.2)


def of(here: Cluster, name: str, since: int, *states: str) -> list[dict[str, str]]:
    """The SLURM jobs of a rule after the first `since` jobs, in these states if any are named."""
    found = [job for job in here.jobs() if int(job["JobId"]) > since and rule(job) == name]
    return [job for job in found if not states or job["JobState"] in states]


def last_of(here: Cluster) -> int:
    """The number of the newest SLURM job so far."""
    return max((int(job["JobId"]) for job in here.jobs()), default=0)


def test_the_experiment_runs_on_the_cluster_and_comes_out_as_on_one_machine(
    here: Cluster, python: Path, tmp_path: Path
) -> None:
    shop = ClusterShop(tmp_path / "cluster", two_policies(), python, here)
    targets = ["results/two/scores/left/all.parquet", "results/two/policies/right.json"]
    since = last_of(here)
    shop.run(*targets)
    found = [job for job in here.jobs() if int(job["JobId"]) > since]
    assert Counter(map(rule, found)) == {"play": 3, "rate": 3, "train": 2}
    assert {job["JobState"] for job in found} == {"COMPLETED"}

    # GPUs: whoever serves the base or trains has one, on a node that has some; nobody else has.
    for job in found:
        served = rule(job) == "train" or (rule(job) == "play" and "expert+expert" not in job["Comment"])
        assert (job["Partition"], job.get("TresPerJob")) == (("gpu", "gres:gpu:1") if served else ("cpu", None)), job
        assert job["NodeList"] in (("gpu1", "gpu2") if served else ("cpu1",))
    asked = {name: [job for job in found if rule(job) == name] for name in REMOTE}
    assert {job["NumCPUs"] for job in asked["train"]} == {"4"} and {job["NumCPUs"] for job in asked["rate"]} == {"1"}

    # What the scripts saw. One that a node ran has the run's purse, and a Snakemake of its own to follow.
    seen = shop.seen()
    on_nodes = [one for one in seen if one["SLURM_JOB_ID"]]
    assert Counter(one["script"] for one in on_nodes) == {"episodes.py": 3, "ratings.py": 3, "training.py": 2}
    by_id = {job["JobId"]: job for job in found}
    for one in on_nodes:
        job = by_id[one["SLURM_JOB_ID"]]
        assert one["SLURMD_NODENAME"] == job["NodeList"]
        assert bool(one["CUDA_VISIBLE_DEVICES"]) == (job["Partition"] == "gpu"), one
    assert len({one["PARLEY_PURSE"] for one in seen}) == 1
    assert len({one["PARLEY_RUN"] for one in on_nodes}) == len(on_nodes)
    assert len({one["PARLEY_RUN"] for one in seen if not one["SLURM_JOB_ID"]}) == 1

    # Two policies train side by side, though one machine would let its GPU jobs queue up.
    first, second = asked["train"]
    assert max(first["StartTime"], second["StartTime"]) < min(first["EndTime"], second["EndTime"])

    assert "Nothing to be done" in shop.run(*targets)
    alone = ClusterShop(tmp_path / "alone", two_policies(), python, None)
    alone.run(targets[0])
    for pattern, least in (("episodes/**/*.jsonl", 3), ("ratings/**/*.parquet", 3), ("scores/**/*", 1)):
        expected = alone.read(pattern)
        assert len(expected) >= least
        assert {path: shop.read(pattern)[path] for path in expected} == expected
    assert shop.read("policies/left/adapter_model*") == alone.read("policies/left/adapter_model*") != {}


def test_the_early_cut_off_and_the_lock_hold_on_a_cluster(here: Cluster, python: Path, tmp_path: Path) -> None:
    shop = ClusterShop(tmp_path / "shop", talk(), python, here)
    shop.run(*talked(), rated())
    before, since = shop.read("[er]*/**/*"), last_of(here)
    (shop.results / "episodes/small/expert+expert/00.jsonl").unlink()
    process = shop.start(*talked(), rated())
    until(lambda: of(here, "play", since), process)
    refused = shop.run(*talked(), rated(), "--forceall", status=1)
    assert "error: results/talk is in use by another run; wait for it, or stop it first" in refused
    output, _ = process.communicate()
    assert process.returncode == 0, output[-6000:]
    assert "is what it was: 1 rate" in output
    assert len(of(here, "play", since)) == 1 and not of(here, "rate", since)
    assert shop.read("[er]*/**/*") == before


def test_a_job_that_is_cancelled_or_out_of_time_comes_again_and_goes_on(
    here: Cluster, python: Path, tmp_path: Path
) -> None:
    with counting(delay=5) as tally:
        shop = ClusterShop(tmp_path / "struck", talk(tally.base_url, shards=2), python, here)
        since = last_of(here)
        # A minute for the first attempt, which SLURM counts generously; ten for the second.
        process = shop.start(*talked(2), "--set-resources", "play:runtime=1+9*(attempt-1)")
        until(lambda: len(of(here, "play", since, "RUNNING")) == 2 and shop.calls() >= 12, process)
        struck = of(here, "play", since, "RUNNING")[0]["JobId"]
        here.command("scancel", struck)
        output, _ = process.communicate()
        assert process.returncode == 0, output[-6000:]
        ends = Counter(job["JobState"] for job in of(here, "play", since))
        assert ends == {"CANCELLED": 1, "TIMEOUT": 1, "COMPLETED": 2}, ends
        assert f"SLURM-job '{struck}' failed, SLURM status is: 'CANCELLED'" in output
        assert "SLURM status is: 'TIMEOUT'" in output
        again = {job["JobId"]: job for job in of(here, "play", since, "COMPLETED")}
        assert {job["TimeLimit"] for job in again.values()} == {"00:10:00"}
        first = next(job for job in of(here, "play", since, "TIMEOUT"))
        memory = {job["MinMemoryNode"] for job in (first, *again.values())}
        assert len(memory) == 2, memory  # the second attempt gets more
        answered = tally.read()["answered"]
    with counting(delay=0) as quick:
        alone = ClusterShop(tmp_path / "alone", talk(quick.base_url, shards=2), python, None)
        alone.run(*talked(2))
    assert shop.read("episodes/**/*.jsonl") == alone.read("episodes/**/*.jsonl") != {}
    # Nothing is lost: only what was in flight at the end of a job, one call each, is asked twice.
    assert shop.calls() == alone.calls()
    assert answered <= alone.calls() + 2


def test_a_snakemake_that_is_killed_leaves_its_jobs_to_the_next_one(
    here: Cluster, python: Path, tmp_path: Path
) -> None:
    with counting(delay=0.5) as tally:
        shop = ClusterShop(tmp_path / "killed", talk(tally.base_url), python, here)
        since = last_of(here)
        process = shop.start(rated())
        until(lambda: shop.calls() >= 4, process)
        kill(process)
        (orphan,) = of(here, "play", since, "RUNNING")
        at_kill = shop.calls()
        shop.run(rated())  # its job waits for the orphan, and finds every call in the ledger
        assert [job["JobState"] for job in of(here, "play", since)] == ["COMPLETED", "COMPLETED"]
        assert of(here, "play", since)[0]["JobId"] == orphan["JobId"]
        turns = shop.calls() - 6  # and one rating for each episode
        assert at_kill < turns
        assert tally.read() == {"answered": turns, "twice": 0, "in_flight": 0}


def test_ctrl_c_takes_the_jobs_out_of_the_queue(here: Cluster, python: Path, tmp_path: Path) -> None:
    with counting(delay=1) as tally:
        shop = ClusterShop(tmp_path / "stopped", talk(tally.base_url), python, here)
        since = last_of(here)
        process = shop.start(*talked())
        until(lambda: shop.calls() >= 2, process)
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate()
        assert process.returncode != 0, output[-3000:]
        until(lambda: of(here, "play", since, "CANCELLED"))
        until(lambda: tally.read()["in_flight"] == 0)
        assert shop.calls() >= 2  # all that was paid for is kept
        assert not (shop.folder / talked()[0]).exists()


def test_a_partition_that_is_not_there_is_named(here: Cluster, python: Path, tmp_path: Path) -> None:
    shop = ClusterShop(tmp_path / "wrong", talk(), python, here)
    output = shop.run(*talked(), "--default-resources", "slurm_partition=nowhere", "--retries", "0", status=1)
    assert "invalid partition specified: nowhere" in output
