"""A writer and a judge on batches in a real workflow, killed on the way, against the same models live."""

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from json import loads
from pathlib import Path
from typing import Any

import pytest

from tests.workflow import ROOT, Workshop, kill, talk_only

pytestmark = pytest.mark.slow


@contextmanager
def playhouse(*options: str) -> Iterator[str]:
    """The scripted speakers in a process of their own; gives the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "parley.playhouse", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)


def batches(url: str) -> list[dict[str, Any]]:
    """Every batch that the server was ever given."""
    with urllib.request.urlopen(f"{url}/batches?limit=100") as answer:
        return list(loads(answer.read())["data"])


def config(url: str, **more: Any) -> dict[str, Any]:
    """Scripted players, and a writer and a judge behind an address. One shard, so that one batch has all ratings."""
    found = talk_only()
    for name in ("writer", "judge"):
        found["models"][name] |= {"engine": "openai", "base_url": url, "price": "free", **more}
    found["task_sets"]["small"]["shards"] = 1
    return found


def test_batches_end_as_live_calls_do_and_a_kill_costs_none(tmp_path: Path) -> None:
    batch = {"poll": 0.2, "fewest": 3}
    with playhouse("--batch-delay", "4", "--batch-failing", "0.1") as url:
        workshop = Workshop(tmp_path / "batch", config(url, batch=batch))
        for wanted in (1, 2):  # on its way: the tasks, and then ratings
            process = workshop.start("scores")
            while process.poll() is None and len(list(workshop.folder.rglob(".batches/*.id"))) == 0:
                time.sleep(0.05)
            assert process.poll() is None, "it ended before it could be killed"
            kill(process)
            assert len(batches(url)) >= wanted
            known = {made["id"] for made in batches(url)}
            output = workshop.run("tasks" if wanted == 1 else "ratings")
            assert re.search(r"batch \S+: taken up, \d+ calls", output)
            again = {made["id"] for made in batches(url)}
            assert known <= again and (wanted == 2 or known == again)
        workshop.run("scores")
        done, calls = len(batches(url)), workshop.calls()
        assert not list(workshop.folder.rglob(".batches/*"))

        # How a model is reached makes nothing stale, and what batches answered is found by a live run.
        workshop.configure(config(url))
        assert "Nothing to be done" in workshop.run("scores")
        workshop.run("--forceall", "ratings")
        assert (len(batches(url)), workshop.calls()) == (done, calls)

        live = Workshop(tmp_path / "live", config(url))
        live.run("scores")
        kinds = ("tasks/**/*.jsonl", "episodes/**/*.jsonl", "ratings/**/*.parquet", "scores/**/*.parquet")
        for kind in kinds:
            assert workshop.read(kind) == live.read(kind) != {}
        assert len(batches(url)) == done
        assert workshop.calls() == live.calls()
