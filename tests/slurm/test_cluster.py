"""The whole workflow on a real SLURM, through the profile as it is shipped.

One cluster serves all tests of a process; two processes take turns (tests/slurm/cluster.py). A job costs two starts of
Snakemake, so that tests share a run where they can, and what they wait for is held up and let go, not slowed down.
"""

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parley.watch.efficiency import used
from tests.counting import counting
from tests.slurm.cluster import ACCOUNT, Absent, Cluster, cluster
from tests.slurm.shop import WITH, WITHOUT, ClusterShop, one_a_shard, outfit, talk, talked, two_policies
from tests.workflow import kill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: A policy that has played, and another that was trained beside it.
TARGETS = ("results/two/episodes/test/left+partner/00.jsonl", "results/two/policies/right.json")
EFFICIENCY = ("--slurm-efficiency-report", "--slurm-efficiency-report-path", "efficiency")

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


def of(shop: ClusterShop, name: str = "", *states: str) -> list[dict[str, str]]:
    """The SLURM jobs of a shop, of one rule and in these states if any are named."""
    assert shop.cluster is not None
    found = [job for job in shop.cluster.jobs() if job["WorkDir"] == str(shop.folder)]
    return [job for job in found if name in ("", rule(job)) and (not states or job["JobState"] in states)]


@pytest.fixture(scope="module")
def shop(here: Cluster, python: Path, tmp_path_factory: pytest.TempPathFactory) -> ClusterShop:
    """A shop in which two policies were trained on the cluster and one of them has played; with accounting if there is."""
    found = ClusterShop(tmp_path_factory.mktemp("run") / "cluster", two_policies(), python, here)
    found.how = [*WITH, *EFFICIENCY] if here.accounting else found.how
    alone = ClusterShop(found.folder.parent / "alone", two_policies(), python, None)
    beside = alone.start(*TARGETS[:1], cores=1)  # a cluster's jobs wait more than they work
    found.run(*TARGETS)
    output, _ = beside.communicate()
    assert beside.returncode == 0, output[-6000:]
    return found


def test_the_experiment_runs_on_the_cluster_and_comes_out_as_on_one_machine(shop: ClusterShop) -> None:
    found = of(shop)
    assert Counter(map(rule, found)) == {"play": 2, "rate": 1, "train": 2}
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
    assert Counter(one["script"] for one in on_nodes) == {"episodes.py": 2, "ratings.py": 1, "training.py": 2}
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

    alone = shop.results.parents[2] / "alone" / "results" / "two"
    files = [path for path in alone.glob("[erd]*/**/*") if path.suffix in (".jsonl", ".parquet")]
    files += list(alone.glob("policies/left/adapter_model*"))
    assert {path.relative_to(alone).parts[0] for path in files} == {"episodes", "ratings", "datasets", "policies"}
    for path in files:
        assert (shop.results / path.relative_to(alone)).read_bytes() == path.read_bytes(), path


def test_the_early_cut_off_and_the_lock_hold_on_a_cluster(shop: ClusterShop) -> None:
    talks = [
        f"results/two/{path}"
        for path in ("episodes/round/expert+expert/00.jsonl", "ratings/round/expert+expert/judge/00.parquet")
    ]
    before, first = shop.read("[er]*/**/*"), len(of(shop))
    (shop.folder / talks[0]).unlink()
    process = shop.start(*talks)
    until(lambda: len(of(shop)) > first, process)
    refused = shop.run(*talks, "--forceall", status=1)
    assert "error: results/two is in use by another run; wait for it, or stop it first" in refused
    output, _ = process.communicate()
    assert process.returncode == 0, output[-6000:]
    assert "is what it was: 1 rate" in output, output[-3000:]
    assert [rule(job) for job in of(shop)[first:]] == ["play"]
    assert shop.read("[er]*/**/*") == before


def shard_of(job: dict[str, str]) -> str:
    """The shard that a job of rule play is at, by the comment that the executor writes."""
    return job["Comment"].rpartition("_")[2]


def test_jobs_that_are_cancelled_out_of_time_or_memory_or_lose_their_node_come_again_and_lose_nothing(
    here: Cluster, python: Path, tmp_path: Path
) -> None:
    """Shard 00 is cancelled, 01 runs out of time, 02 out of memory, and the node of 03 is set down."""
    first = "attempt == 1 and '/{}.jsonl' in str(input)".format
    fates = [
        *("--set-resources", f"play:mem_mb=60 if {first('02')} else 2000 * attempt"),
        f"play:slurm_partition='spare' if {first('03')} else 'cpu'",
    ]
    with counting(delay=600) as tally, counting(delay=0) as quick:
        shop = ClusterShop(tmp_path / "struck", talk(tally.base_url, shards=4), python, here)
        alone = ClusterShop(tmp_path / "alone", talk(quick.base_url, shards=4), python, None)
        for each in (shop, alone):
            (each.folder / "round.jsonl").write_text("".join(line + "\n" for line in one_a_shard(4)), encoding="utf-8")
        process = shop.start(*talked(4), *fates)
        ledgers = [shop.folder / f"ledger/episodes/small/expert+expert/{shard}.sqlite" for shard in ("00", "01", "03")]
        until(lambda: all(ledger.exists() for ledger in ledgers) and tally.read()["in_flight"] >= 3, process)
        tally.answer_after(0.4)
        until(lambda: all(answers(ledger) >= 2 for ledger in ledgers), process)
        tally.answer_after(600)
        running = {shard_of(job): job["JobId"] for job in of(shop, "play", "RUNNING")}
        here.command("scancel", running["00"])
        here.command("scontrol", "update", f"jobid={running['01']}", "endtime=now")
        here.lose("spare1")
        alone.run(*talked(4))
        until(lambda: of(shop, "play", "TIMEOUT"), process)
        here.command(
            "scontrol", "update", f"jobid={running['03']}", "starttime=now"
        )  # SLURM lets it wait for two minutes
        tally.answer_after(0)
        output, _ = process.communicate()
        assert process.returncode == 0, output[-6000:]
        until(lambda: tally.read()["in_flight"] == 0)
        asked = tally.read()
    ends = Counter((shard_of(job), job["JobState"]) for job in of(shop, "play"))
    lost = next(state for shard, state in ends if shard == "02" and state != "COMPLETED")
    assert lost in ("FAILED", "OUT_OF_MEMORY")
    again = {(shard, "COMPLETED"): 1 for shard in ("00", "01", "02", "03")}
    assert ends == {**again, ("00", "CANCELLED"): 1, ("01", "TIMEOUT"): 1, ("02", lost): 1}, ends
    (requeued,) = [job for job in of(shop, "play") if shard_of(job) == "03"]
    assert requeued["Restarts"] == "1"  # by SLURM itself, under the same number

    # What happened is said, …
    assert f"SLURM-job '{running['00']}' failed, SLURM status is: 'CANCELLED'" in output
    assert f"SLURM-job '{running['01']}' failed, SLURM status is: 'TIMEOUT'" in output
    logs = re.findall(r"\S+/slurm_logs/rule_play/small_expert\+expert_02/\d+\.log", output)
    assert logs and "exceeded memory limit" in Path(logs[0]).read_text(encoding="utf-8")
    # … the next attempt gets more of everything, …
    times = {job["JobState"]: job["TimeLimit"] for job in of(shop, "play") if shard_of(job) == "00"}
    assert times["COMPLETED"] == "01:00:00", times
    # … and nothing is lost: only what was in flight at the end of a job, one call each, is asked twice.
    assert shop.read("episodes/**/*.jsonl") == alone.read("episodes/**/*.jsonl") != {}
    assert shop.calls() == alone.calls()
    assert asked["twice"] <= 3


def answers(ledger: Path) -> int:
    """The calls in a ledger so far."""
    try:
        with sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True, timeout=30) as connection:
            return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def test_with_accounting_the_default_way_of_looking_works_and_tells_the_efficiency(shop: ClusterShop) -> None:
    here = shop.cluster
    assert here is not None
    if not here.accounting:
        pytest.skip("slurmdbd and mariadb-server are not installed and cannot be")
    job = of(shop, "play")[0]
    told = here.command("sacct", "-X", "-n", "-P", "-j", job["JobId"], "--format=State,Account,ReqTRES").strip()
    assert told.startswith(f"COMPLETED|{ACCOUNT}|") and "cpu=1" in told
    reports = [path.read_text() for path in (shop.folder / "efficiency").glob("*.csv")]
    assert any("MaxRSS" in report and job["JobId"] in report for report in reports)
    # What the job had asked for stands in its timing, with which `status` compares what it used.
    (found,) = used(shop.results / "timings/episodes/round/expert+expert/00.tsv")
    assert found.asked_memory == int(job["MinMemoryNode"].removesuffix("M"))


def test_a_snakemake_that_is_killed_leaves_its_jobs_to_the_next_one(
    here: Cluster, python: Path, tmp_path: Path
) -> None:
    with counting(delay=0.3) as tally:
        shop = ClusterShop(tmp_path / "killed", talk(tally.base_url), python, here)
        process = shop.start(*talked())
        until(lambda: shop.calls() >= 2, process)
        tally.answer_after(600)
        kill(process)
        (orphan,) = of(shop, "play", "RUNNING")
        at_kill = shop.calls()
        process = shop.start(*talked())
        until(lambda: len([one for one in shop.seen() if one["script"] == "episodes.py"]) == 2, process)
        tally.answer_after(0)
        output, _ = process.communicate()  # its job has waited for the orphan, and finds every call in the ledger
        assert process.returncode == 0, output[-6000:]
        assert [job["JobState"] for job in of(shop, "play")] == ["COMPLETED", "COMPLETED"]
        assert of(shop, "play")[0]["JobId"] == orphan["JobId"]
        assert at_kill < shop.calls()
        assert tally.read() == {"answered": shop.calls(), "twice": 0, "in_flight": 0}


def test_ctrl_c_takes_the_jobs_out_of_the_queue(here: Cluster, python: Path, tmp_path: Path) -> None:
    with counting(delay=0.3) as tally:
        shop = ClusterShop(tmp_path / "stopped", talk(tally.base_url), python, here)
        process = shop.start(*talked())
        until(lambda: shop.calls() >= 2, process)
        tally.answer_after(600)
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate()
        assert process.returncode != 0, output[-3000:]
        until(lambda: not of(shop, "play", "RUNNING", "COMPLETING"), patience=60)
        assert {job["JobState"] for job in of(shop, "play")} == {"CANCELLED"}, output[-3000:]
        tally.answer_after(0)
        until(lambda: tally.read()["in_flight"] == 0)
        assert shop.calls() >= 2  # all that was paid for is kept
        assert not (shop.folder / talked()[0]).exists()


def test_what_the_cluster_does_not_have_is_named(here: Cluster, python: Path, tmp_path: Path) -> None:
    wrong = {
        "invalid partition specified: nowhere": [*WITHOUT, "--default-resources", "slurm_partition=nowhere"],
        "Requested node configuration is not available": [
            *(*WITHOUT, "--default-resources", "slurm_partition=cpu"),
            *("--set-resources", "play:gpu=1"),
        ],
    }
    if here.accounting:
        said = f"The given account nobody appears to be invalid. Available accounts:\n{ACCOUNT}"
        wrong[said] = ["--default-resources", "slurm_account=nobody"]
    shops = [
        ClusterShop(tmp_path / str(number), talk(), python, here, how) for number, how in enumerate(wrong.values())
    ]
    runs = [shop.start(*talked(), "--retries", "0") for shop in shops]
    for run, said in zip(runs, wrong, strict=True):
        output, _ = run.communicate()
        assert run.returncode == 1 and all(line in output for line in said.splitlines()), output[-3000:]
