"""Nothing that strikes a run costs more than the calls in flight: kills, Ctrl-C, damaged files, a second run beside it."""

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from parley.records.jsonl import CUT_OFF
from tests.counting import Tally, counting
from tests.disturbance import CONCURRENCY, CORES, SHARES, alive, disturb, moments, outcome, scripts, under_load
from tests.workflow import Workshop, held, jobs, talk_only

pytestmark = pytest.mark.slow
SEED = 20
MOMENTS = 20


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    with counting() as server:
        yield server


@dataclass
class Undisturbed:
    """A run that nothing strikes."""

    outcome: dict[str, bytes]
    calls: int
    twice: int
    kept: int


@pytest.fixture(scope="module")
def undisturbed(tally: Tally, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    workshop = Workshop(tmp_path_factory.mktemp("undisturbed"), under_load(tally.base_url))
    before = tally.read()
    workshop.run("scores")
    after = tally.read()
    took = {name: after[name] - before[name] for name in ("answered", "twice")}
    return Undisturbed(outcome(workshop), took["answered"], took["twice"], workshop.calls())


def test_struck_at_random_moments_it_ends_the_same_and_pays_for_calls_in_flight_alone(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    rng = Random(SEED)
    plan = moments(rng, MOMENTS, undisturbed.calls)
    with counting() as tally:  # of its own: what the undisturbed run asked is not asked twice here
        workshop = Workshop(tmp_path / "struck", under_load(tally.base_url))
        damage = disturb(workshop, tally, plan, rng, "scores")
        final = workshop.run("scores")
        took = tally.read()
    strikes = damage.struck.total()
    print(f"{dict(damage.struck)}; {took}; undisturbed {undisturbed.calls}; stopped after {damage.stopped}")
    assert outcome(workshop) == undisturbed.outcome
    assert strikes >= MOMENTS * 3 // 4, plan  # some may find the run already over
    assert set(damage.struck) >= {*SHARES} - {"engine"}
    assert took["answered"] - took["twice"] == undisturbed.calls
    assert took["twice"] <= strikes * CORES * CONCURRENCY
    assert workshop.calls() == undisturbed.kept  # each call once in the ledger, that of the local engine too
    assert not alive(workshop)
    assert "Nothing to be done" in final
    said = "\n".join(damage.outputs)
    # What a job says when it is told to stop is tested in test_stopping: at a random moment Python may still be loading it.
    assert "it is started once more" in said or "engine" not in damage.struck
    assert "damaged" not in said
    # Where a signal meets Python at its start, a traceback may name what it was doing just then, and two may be mixed.
    calm = [line for output in damage.outputs if "KeyboardInterrupt" not in output for line in output.splitlines()]
    assert not [line for line in calm if re.match(r"[\w.]+(Error|Exception): ", line)]


def test_undisturbed_jobs_that_are_at_work_together_ask_for_nothing_twice(undisturbed: Undisturbed) -> None:
    assert undisturbed.calls > 0 and undisturbed.twice == 0


def talk() -> dict[str, Any]:
    """An experiment without training, in as few jobs as there can be."""
    config = talk_only()
    config["task_sets"]["small"]["shards"] = 1
    return config


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A run without training, done."""
    workshop = Workshop(tmp_path_factory.mktemp("talk"), talk())
    workshop.run("scores")
    return workshop


def ledger(workshop: Workshop) -> dict[str, int]:
    """Calls in each ledger file of tasks and episodes."""
    return {
        str(path.relative_to(workshop.folder)): sqlite3.connect(path)
        .execute("SELECT count(*) FROM calls")
        .fetchone()[0]
        for stage in ("tasks", "episodes")
        for path in (workshop.folder / "ledger" / stage).rglob("*.sqlite")
    }


@pytest.fixture
def copy(played: Workshop, tmp_path: Path) -> Workshop:
    """The same in a folder of its own, with everything that Snakemake remembers."""
    workshop = Workshop(tmp_path / "copy", talk())
    for name in ("results", "ledger", ".snakemake"):
        shutil.copytree(played.folder / name, workshop.folder / name)
    return workshop


def test_results_that_a_power_loss_left_empty_or_torn_are_named_and_built_again(
    played: Workshop, copy: Workshop
) -> None:
    calls = copy.calls()
    episodes = max(copy.results.glob("episodes/small/*/*.jsonl"), key=lambda path: path.stat().st_size)
    ratings = sorted(copy.results.glob("ratings/small/*/judge/*.parquet"))[0]
    for damaged, content in (
        (episodes, b""),
        (episodes, episodes.read_bytes().rpartition(b"\n{")[0] + b"\n"),  # the last line is gone, nothing else
        (ratings, bytes(ratings.stat().st_size)),
    ):
        damaged.write_bytes(content)
        output = copy.run("scores", status=1)
        name = damaged.relative_to(copy.folder)
        assert f"error: {name}: " in output and CUT_OFF in output
        damaged.unlink()  # as the line says
    copy.run("scores", "ratings", "episodes")
    assert outcome(copy) == outcome(played)
    assert copy.calls() == calls


@pytest.mark.parametrize("script", ["tasks", "casts"])
def test_tasks_whose_making_was_killed_are_not_taken_for_up_to_date(
    copy: Workshop, tmp_path: Path, script: str
) -> None:
    config = talk()
    config["seed"] = 5
    config["task_sets"]["small"]["count"] = 9
    copy.configure(config)
    process = copy.start("tasks", cores=1)
    while not (at_work := scripts(copy).get(script)) and process.poll() is None:
        time.sleep(0.02)
    assert at_work
    at_work[0].kill()
    output, _ = process.communicate()
    assert "Restored previous version" in output and process.returncode == 1
    assert jobs(copy.run("-n", "scores"))[{"tasks": "write", "casts": "cast"}[script]]  # also for who asks for more
    copy.run("tasks")
    fresh = Workshop(tmp_path / "fresh", config)
    fresh.run("tasks")
    made = {path: content for path, content in outcome(copy).items() if path.startswith("tasks/")}
    assert made == {path: content for path, content in outcome(fresh).items() if path.startswith("tasks/")} != {}


@pytest.mark.parametrize("how", ["emptied", "removed"])
def test_what_snakemake_remembers_may_be_lost(played: Workshop, copy: Workshop, how: str) -> None:
    calls = copy.calls()
    for number, path in enumerate(sorted((copy.folder / ".snakemake").rglob("*"))):
        if path.is_file() and number % 2:
            path.write_bytes(b"") if how == "emptied" else path.unlink()
    copy.run("scores")
    assert outcome(copy) == outcome(played)
    assert copy.calls() == calls


def test_a_plan_beside_a_run_works_and_does_not_change_what_the_run_does(played: Workshop, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk())
    first = workshop.start("episodes", cores=1)
    while workshop.calls() == 0 and first.poll() is None:
        time.sleep(0.05)
    with held(first):
        workshop.configure({**talk(), "seed": 99})
        assert "play" in workshop.run("-n", "scores")
        assert "is in use by another run" in workshop.run("scores", status=1)
    output, _ = first.communicate()
    assert first.returncode == 0, output[-3000:]
    # The jobs that started after the plan read the config of their own run.
    assert json.loads((workshop.results / "experiment.json").read_text())["seed"] == talk()["seed"]
    assert workshop.read("episodes/**/*.jsonl") == played.read("episodes/**/*.jsonl") != {}


def test_two_experiments_at_once_on_one_ledger_pay_once(played: Workshop, tmp_path: Path) -> None:
    one = Workshop(tmp_path / "talk", talk())
    first = one.start("episodes", cores=1)
    other = {**talk(), "experiment": "other"}
    while one.calls() == 0 and first.poll() is None:
        time.sleep(0.05)
    one.configure(other)
    outputs = [one.run("episodes", cores=1), first.communicate()[0]]
    assert first.returncode == 0, outputs[1][-3000:]
    ledgers = [ledger(one), ledger(played)]
    assert ledgers[0] == ledgers[1] != {}
    assert not any("damaged" in output for output in outputs)
    assert one.read("episodes/**/*.jsonl") == played.read("episodes/**/*.jsonl") != {}
