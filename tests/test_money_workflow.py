"""Money in real runs: the estimate before and after, and a budget that several jobs share, reached and raised."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.llm.purse import Purse
from parley.llm.usage import usage
from tests.workflow import ROOT, Workshop, kill, talk_only

pytestmark = pytest.mark.slow

PRICE = {"input": 10, "output": 30}


def rows(output: str) -> dict[str, list[str]]:
    """The cells of each line of an estimate by the first one."""
    split = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in output.splitlines()]
    return {row[0]: row[1:] for row in split if row}


def likely(cell: str) -> float:
    """The likely number of a cell such as `1.2k (900–2k)`."""
    number = cell.split(maxsplit=1)[0]
    return float(number.rstrip("kM")) * {"k": 1e3, "M": 1e6}.get(number[-1], 1)


def test_an_estimate_says_what_a_run_then_does(tmp_path: Path) -> None:
    config = talk_only()
    config["task_sets"]["small"]["count"] = 8
    workshop = Workshop(tmp_path / "talk", config)
    before = rows(workshop.run("estimate"))
    assert not list(workshop.folder.rglob("*.sqlite"))
    workshop.run()
    took = (
        usage(workshop.folder / "ledger")
        .group_by("stage")
        .agg(pl.col("calls", "prompt_tokens", "completion_tokens").sum())
    )
    for stage, rule in (("tasks", "write"), ("episodes", "play"), ("ratings", "rate")):
        (true,) = took.filter(stage=stage).iter_rows(named=True)
        for place, name in enumerate(("calls", "prompt_tokens", "completion_tokens"), start=1):
            assert likely(before[rule][place]) == pytest.approx(true[name], rel=0.25), (rule, name)
    assert "Nothing is stale" in workshop.run("estimate")
    assert "Nothing to be done" in workshop.run()  # looking ahead made nothing stale
    # One setting of the judge: its name, the calls that are paid for, and those that follow.
    config["models"]["judge"]["temperature"] = 0.5
    workshop.configure(config)
    after = rows(workshop.run("estimate"))
    assert "rate small base+partner judge" in after and "play small base+partner" not in after
    assert after["rate small base+partner judge"][-1].startswith("settings changed: judge.judge.temperature")
    assert (after["rate"][0], likely(after["rate"][1])) == ("0", took.filter(stage="ratings")["calls"].item())
    shard_by_shard = rows(workshop.run("estimate_jobs"))
    assert "rate small base+partner judge 00" in shard_by_shard


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A playhouse that runs elsewhere, as a remote model does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "parley.playhouse", "--port", str(port)], cwd=ROOT)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def remote(address: str, **budget: Any) -> dict[str, Any]:
    """The talk-only experiment with models that cost money."""
    config = talk_only()
    for model in config["models"].values():
        model |= {"engine": "openai", "base_url": address, "price": PRICE, "max_tokens": 100, "concurrency": 4}
    for name in ("writer", "judge"):
        config["models"][name]["max_tokens"] = 1000
    return config | ({"budget": budget} if budget else {})


def purses(workshop: Workshop) -> list[dict[str, float]]:
    """What each run spent by model, in the order of the runs."""
    files = sorted((workshop.folder / ".parley/purse").iterdir())
    return [Purse(None, path).spent_by_model() for path in files]


def paid(workshop: Workshop) -> float:
    """What the calls in the ledger cost."""
    took = usage(workshop.folder / "ledger")
    return float(
        (took["prompt_tokens"].sum() * PRICE["input"] + took["completion_tokens"].sum() * PRICE["output"]) / 1e6
    )


def test_a_budget_stops_all_jobs_of_a_run_and_a_higher_one_goes_on(address: str, tmp_path: Path) -> None:
    free = Workshop(tmp_path / "free", remote(address))
    free.run("scores")
    workshop = Workshop(tmp_path / "talk", remote(address, amount=0.4 * paid(free)))
    output = workshop.run("scores", status=1)
    stopped = re.findall(r"error: budget: .* raise budget\.amount and run again, nothing is lost", output)
    assert stopped and "Traceback" not in output
    (spent,) = purses(workshop)
    assert sum(spent.values()) == pytest.approx(paid(workshop))  # every call that was paid for is in a ledger
    assert 0 < paid(workshop) <= 0.4 * paid(free)
    workshop.configure(remote(address, amount=10 * paid(free)))
    workshop.run("scores")
    assert workshop.calls() == free.calls() and paid(workshop) == pytest.approx(paid(free))
    assert workshop.read("[es][pc]*/**/*") == free.read("[es][pc]*/**/*")


def test_a_models_own_limit_stops_only_what_needs_it(address: str, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", remote(address, models={"judge": 0.001}))
    output = workshop.run("scores", "--keep-going", status=1)
    assert "for judge is spent" in output and "raise budget.models.judge" in output
    assert len(list(workshop.results.glob("episodes/small/*/*.jsonl"))) == 4
    assert "judge" not in purses(workshop)[0]


def test_a_killed_run_leaves_what_was_in_flight_as_spent_and_the_next_starts_anew(address: str, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", remote(address, amount=100))
    process = workshop.start("scores")
    while workshop.calls() < 30 and process.poll() is None:
        time.sleep(0.05)
    kill(process)
    (killed,) = purses(workshop)
    assert sum(killed.values()) >= paid(workshop) - 1e-9
    before = paid(workshop)
    workshop.run("scores")
    first, second = purses(workshop)
    assert first == killed  # nobody adds to the purse of a run that is over
    assert sum(second.values()) == pytest.approx(paid(workshop) - before)


def test_an_unpriced_remote_model_is_one_line_that_says_what_to_write(tmp_path: Path) -> None:
    config = talk_only()
    config["models"]["judge"] = {"engine": "openai", "name": "my-judge"}
    output = Workshop(tmp_path / "talk", config).run("scores", status=1)
    assert output.strip().splitlines()[-1] == (
        "error: config: models.judge.price: no price list has 'my-judge'; write `price: {input: …, output: …}` "
        "(per million tokens), or `price: free`"
    )


def test_a_price_makes_nothing_stale(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk_only())
    workshop.run()
    config = talk_only()
    config["models"]["judge"]["price"] = PRICE
    workshop.configure(config)
    assert "Nothing is stale" in workshop.run("estimate")
