"""How far an experiment is, from its files and ledgers alone."""

import asyncio
import fcntl
import os
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parley.layout import Layout
from parley.llm.ledger import Ledger
from parley.lock import Holder, holder_of
from parley.status import status
from parley.watch.calls import calls, model_of
from parley.watch.efficiency import efficiencies, used
from parley.watch.jobs import Job, jobs
from tests.builders import ROOT, experiment
from tests.calls import reply, request
from tests.workflow import Workshop, talk_only

HEADER = (
    "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\tjobid\trule_name\twildcards\tparams"
    "\tthreads\tcpu_usage\tresources\tinput_size_mb\n"
)
ASKED = "{'tmpdir': '/tmp', 'mem_mb': 1600, 'disk_mb': 1000, 'runtime': 30, 'gpu': 0}"
EPISODES = "episodes/round2/bc+base/00"


class Place:
    """The results of an experiment, in which tests put files of a given age."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(experiment(), str(folder / "results"))
        self.now = time.time()

    def put(self, path: str, text: str = "x", age: float = 0.0) -> Path:
        file = Path(self.layout.results, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (self.now - age, self.now - age))
        return file

    def log(self, name: str, *lines: str, age: float = 0.0) -> None:
        self.put(f"logs/{name}.log", "".join(f"12:00:00 {line}\n" for line in lines), age)

    def timing(self, name: str, age: float = 0.0, rows: str = "") -> Path:
        params = "{'cfg': '{\"a\":1}'}"
        row = f"8.66\t0:00:08\t97.88\t1\t1\t1\t0\t0\t15\t4.33\t4\tplay\t{{}}\t{params}\t1\t1\t{ASKED}\t{{}}\n"
        return self.put(f"timings/{name}.tsv", HEADER + (rows or row), age)

    def job(self, name: str, holder: Holder | None = None) -> Job:
        return next(job for job in jobs(self.layout, holder) if job.name == name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def run(place: Place) -> Holder:
    """A run that began a minute ago."""
    return Holder("process 1 on here", place.now - 60)


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_before_anything_was_done_all_jobs_wait(place: Place) -> None:
    found = list(jobs(place.layout, None))
    assert {job.state for job in found} == {"waiting"}
    assert len(found) == len(place.layout.all_timings()) + 1  # and the page
    assert len({job.name for job in found}) == len(found)


def test_a_job_with_a_timing_is_done_and_one_that_writes_its_log_again_is_at_work(place: Place, run: Holder) -> None:
    place.log(EPISODES, "8 episodes: 8 left", age=30)
    place.timing(EPISODES, age=29)
    assert place.job(EPISODES, run).state == "done"
    place.log(EPISODES, "episodes: 3/8 (37 %), 0.5/s, 10 s left", age=5)
    job = place.job(EPISODES, run)
    assert (job.state, job.said) == ("running", "episodes: 3/8 (37 %), 0.5/s, 10 s left")
    assert 4 < job.silent < 60


def test_a_log_from_before_the_run_is_of_no_job_at_work(place: Place, run: Holder) -> None:
    place.log(EPISODES, "episodes: 3/8", age=500)
    assert place.job(EPISODES, run).state == "stopped"
    assert place.job(EPISODES, None).state == "stopped"


def test_a_job_whose_log_ends_with_an_error_has_failed(place: Place, run: Holder) -> None:
    place.log(EPISODES, "episodes: 3/8", "error: endpoint http://x: no credit", age=5)
    job = place.job(EPISODES, run)
    assert (job.state, job.said) == ("failed", "error: endpoint http://x: no credit")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("tasks/round1", "tasks/round1/written.funnel.json"),
        ("casts/round1/00", "tasks/round1/00.casts.json"),
        (EPISODES, f"{EPISODES}.jsonl"),
        ("ratings/round2/bc+base/judge/00", "ratings/round2/bc+base/judge/00.parquet"),
        ("datasets/bc", "datasets/bc/manifest.json"),
        ("policies/bc", "policies/bc.json"),
        ("scores/bc/all", "scores/bc/all.parquet"),
        ("scores/bc/all.versus", "scores/bc/all.versus_base.parquet"),
        ("tables/table_1", "tables/table_1.csv"),
        ("report", "report/index.html"),
    ],
)
def test_what_is_there_without_a_timing_is_done_too(place: Place, name: str, made: str) -> None:
    names = [job.name for job in jobs(place.layout, None)]
    if name not in names:  # what the small experiment does not have
        name = next(other for other in names if other.startswith(name.partition("/")[0]))
        made = made.replace("round2/bc+base", name.split("/", 1)[1].rpartition("/")[0].removesuffix("/judge"))
    place.put(made)
    done = [job.name for job in jobs(place.layout, None) if job.state == "done"]
    assert done == [name]


def test_a_long_log_is_read_from_its_end(place: Place, run: Holder) -> None:
    place.log(EPISODES, *(f"episodes: {number}/9000 é" for number in range(9000)))
    assert place.job(EPISODES, run).said == "episodes: 8999/9000 é"


# -- who is at it ------------------------------------------------------------------------------------------------------


def test_a_run_on_this_machine_is_seen_while_it_lives_and_not_disturbed(tmp_path: Path) -> None:
    assert holder_of(str(tmp_path)) is None
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r}); from parley.lock import hold; hold({str(tmp_path)!r}); "
    )
    with subprocess.Popen([sys.executable, "-c", code + "print(1, flush=True); time.sleep(60)"], stdout=-1) as process:
        assert process.stdout is not None and process.stdout.readline()
        holder = holder_of(str(tmp_path))
        assert holder is not None and holder.who == f"process {process.pid} on {socket.gethostname()}"
        assert 0 <= holder.age < 60
        process.kill()
    assert holder_of(str(tmp_path)) is None


def test_a_run_on_another_machine_is_seen_by_its_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_text("process 7 on a-login-node\n")
    assert holder_of(str(tmp_path)) is None
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holder = holder_of(str(tmp_path))
        assert holder is not None and holder.who == "process 7 on a-login-node"


def test_a_number_that_was_given_to_another_process_since_is_no_run(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
    os.utime(lock, (1e9, 1e9))
    assert holder_of(str(tmp_path)) is None


# -- calls -------------------------------------------------------------------------------------------------------------


def fill(path: Path, model: dict[str, Any], count: int, **changes: Any) -> None:
    async def work(ledger: Ledger) -> None:
        asked = [replace(request(number), model=model) for number in range(count)]
        await asyncio.gather(*(ledger.keep(one, reply(one, **changes)) for one in asked))

    with Ledger(path) as ledger:
        asyncio.run(work(ledger))


def priced(price: object = None) -> Any:
    model = {"engine": "openai", "name": "gpt", "base_url": "http://127.0.0.1:9/v1", "price": price}
    return experiment({"models.judge": model})


PRICE = {"input": 1.0, "cached_input": 0.5, "output": 10.0, "batch_input": 0.5, "batch_output": 5.0, "currency": "EUR"}


def test_calls_are_counted_and_cost_what_they_cost_live_and_in_batches(tmp_path: Path) -> None:
    small = priced(PRICE)
    identity = small.models["judge"].identity()
    fill(tmp_path / "live.sqlite", identity, 3)
    fill(tmp_path / "batch.sqlite", {**identity, "adapter": "0a1b"}, 2, seconds=0.0)
    found = calls(small, [tmp_path / "live.sqlite", tmp_path / "batch.sqlite", tmp_path / "none.sqlite"])
    assert (found.answered, found.lately, found.given_up) == (5, 5, 0)
    assert (found.prompt_tokens, found.completion_tokens) == (500, 100)
    live = 3 * (60 * 1.0 + 40 * 0.5 + 20 * 10.0) / 1e6
    batched = 2 * (60 * 0.5 + 40 * 0.5 + 20 * 5.0) / 1e6
    assert found.money == {"EUR": pytest.approx(live + batched)}


def test_calls_of_models_of_other_experiments_are_left_out(tmp_path: Path) -> None:
    small = priced("free")
    fill(tmp_path / "0.sqlite", {**small.models["judge"].identity(), "temperature": 0.123}, 3)
    assert calls(small, [tmp_path / "0.sqlite"]).answered == 0
    assert model_of(small, {}) is None


def test_a_ledger_is_read_while_a_job_writes_it_and_a_broken_one_is_named(tmp_path: Path) -> None:
    small = priced("free")
    asked = replace(request(1), model=small.models["judge"].identity())
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    with Ledger(tmp_path / "0.sqlite") as ledger:
        asyncio.run(ledger.keep(asked, reply(asked)))
        found = calls(small, [tmp_path / "0.sqlite", tmp_path / "broken.sqlite"])
        asyncio.run(ledger.keep(replace(asked, seed=2), reply(replace(asked, seed=2))))  # it goes on
    assert found.answered == 1 and found.money == {} and found.unpriced == set()
    assert found.unreadable == [str(tmp_path / "broken.sqlite")]
    with sqlite3.connect(tmp_path / "0.sqlite") as connection:
        connection.execute("UPDATE calls SET created = 0")
    assert calls(small, [tmp_path / "0.sqlite"]).lately == 0


# -- efficiency --------------------------------------------------------------------------------------------------------


def test_what_was_used_stands_beside_what_was_asked_for(place: Place) -> None:
    (one,) = used(place.timing(EPISODES))
    assert (one.memory, one.seconds, one.cpu) == (97.88, 8.66, 4.33)
    assert (one.asked_memory, one.asked_seconds, one.asked_cores) == (1600, 1800, 1)
    (found,) = efficiencies(place.layout)
    assert (found.stage, found.jobs, found.memory, found.asked_memory) == ("episodes", 1, 97.88, 1600)
    assert found.cores == pytest.approx(0.5)


def test_timings_that_tell_less_are_read_as_far_as_they_go(place: Place) -> None:
    plain = HEADER.split("\tjobid", maxsplit=1)[0] + "\n"
    (one,) = used(place.put("timings/old.tsv", plain + "3.1\t0:00:03\tNA\tNA\tNA\tNA\tNA\tNA\tNA\t-\n"))
    assert one.seconds == 3.1
    assert (one.memory, one.cpu, one.asked_memory, one.asked_seconds, one.asked_cores) == (None,) * 5
    assert used(Path("nowhere.tsv")) == [] and used(place.put("timings/empty.tsv", "")) == []


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_says_all_of_it_in_plain_lines(place: Place, tmp_path: Path) -> None:
    place.log(EPISODES, "serving: 1 start took 90.0 s of the job's 600.0 s (15 %)", age=9)
    place.timing(EPISODES, age=8)
    trained = next(job.name for job in jobs(place.layout, None) if job.stage == "policies")
    place.log(trained, "training bc: 3/60 (5 %), 0.5/s, 2 min left")
    rated = next(job.name for job in jobs(place.layout, None) if job.stage == "ratings")
    place.log(rated, "error: no key")
    place.put(".lock", f"process {os.getpid()} on {socket.gethostname()}\n")
    text = "\n".join(status(place.layout.experiment, str(tmp_path / "results"), tmp_path / "ledger"))
    assert text.startswith("mini: 1 of ")
    assert f"1 running, 1 failed, {len(list(jobs(place.layout, None))) - 3} waiting; a run is at it: process" in text
    assert "97.88" not in text and " 98 of 1600 " in text and " 9 s of 30 min 0 s " in text and " 15 %\n" in text + "\n"
    assert f"failed: {rated}: error: no key (" in text
    assert "calls: 0 answered, 0 given up; 0 + 0 tokens; no money" in text
    assert all(len(line) < 200 for line in text.splitlines())


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from parley import status as command

    command.main(["--experiment", str(ROOT / "config.yaml"), "--ledger", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("playhouse: ") and any(line.startswith("calls: ") for line in lines)


@pytest.mark.slow
def test_it_is_a_target_too_and_needs_no_lock(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, talk_only())
    shop.results.mkdir(parents=True)
    with (shop.results / ".lock").open("w") as file:
        file.write("process 7 on a-login-node")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        output = shop.run("status", cores=1)
    assert re.search(r"talk: 0 of (\d+) jobs done, \1 waiting; a run is at it: process 7 on a-login-node, for ", output)
    assert not (shop.results / "experiment.json").exists()  # it disturbs nothing


def test_parley_status_is_the_same_page_and_may_be_read_in_part(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "parley", "status", "--experiment", str(ROOT / "configs/paper.yaml")]
    options: dict[str, Any] = {"cwd": tmp_path, "capture_output": True, "text": True}
    options["env"] = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = subprocess.run(command, check=True, **options).stdout
    assert whole.startswith("paper: 0 of ") and "waiting" in whole
    part = subprocess.run(f"{shlex.join(command)} | head -1", shell=True, check=True, **options)
    assert (part.stdout, part.stderr) == (whole.splitlines()[0] + "\n", "")
