"""A job whose endpoint dies: it stops soon with one line, keeps what it has, and goes on when the endpoint is back."""

import asyncio
import json
import re
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from aiohttp import web

from parley.errors import run_as_script
from parley.llm import source
from parley.llm.pulse import Patience
from parley.playhouse.server import application
from parley.records.task import read_tasks
from scripts import episodes, ratings
from tests.builders import ROOT, jsonl
from tests.faulty import Act, hang, refuse, reset, send, served
from tests.test_playhouse_server import free_port, started
from tests.workflow import Workshop, talk_only

QUICK = Patience(first_wait=0.01, longest_wait=0.1, dead_after=0.3, dead_after_lapse=0.6)
#: Ways to be dead for everybody, and what the line says of each.
DEATHS: dict[str, tuple[Act, str]] = {
    "500": (refuse(500, "oops"), "HTTP 500: oops"),
    "503": (refuse(503, "busy"), "HTTP 503: busy"),
    "html": (send("<html>Sign in</html>", "text/html"), "unreadable answer"),
    "hang": (hang, "no answer within 2 s"),
    "reset": (reset, "connection broken"),
}


class Mortal:
    """The scripted speakers, which die after so many answers; `url` is where they were last."""

    def __init__(self) -> None:
        self.url = ""
        self.answers = 0

    @asynccontextmanager
    async def serve(self, death: Act | None = None, after: int = 0) -> AsyncIterator[None]:
        first = self.answers

        @web.middleware
        async def middleware(request: web.Request, handler: Act) -> web.StreamResponse:
            if death is not None and self.answers - first >= after:
                return await death(request)
            self.answers += request.method == "POST"
            return await handler(request)

        app = application()
        app.middlewares.append(middleware)
        async with served(app) as self.url:
            yield


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PATIENCE", QUICK)


class Job:
    """A script with its files in a folder, run as Snakemake would."""

    def __init__(self, folder: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.script, self._patch = folder, script, monkeypatch
        self.out = folder / "out"
        self.ledger = folder / f"ledger/{script.__name__.split('.')[-1]}/00.sqlite"
        self.tasks = folder / "tasks.jsonl"
        found = read_tasks(str(ROOT / "resources/tasks/evaluation.jsonl"))[:5]
        jsonl(self.tasks, *[task.model_copy(update={"casts": task.casts[:2]}) for task in found])

    def configure(self, url: str, timeout: float) -> None:
        config = talk_only()
        for name, model in config["models"].items():
            config["models"][name] = {
                **{"engine": "openai", "name": name, "base_url": url, "price": "free", "timeout": timeout},
                **{"temperature": model.get("temperature", 1.0), "concurrency": 4},
            }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    async def run(self, url: str, timeout: float = 60) -> str | int | None:
        """What the script ends with: None if all is well, else the line that a person sees."""
        self.configure(url, timeout)
        words = ["--experiment", str(self.folder / "config.yaml"), "--tasks", str(self.tasks), "--out", str(self.out)]
        words += ["--ledger", str(self.ledger), "--usage", str(self.folder / "usage.json")]
        if self.script is episodes:
            words += ["--players", "expert+partner"]
        else:
            words += ["--judge", "judge", "--episodes", str(self.folder / "episodes.jsonl")]
        self._patch.setattr(sys, "argv", ["script", *words])

        def work() -> str | int | None:
            try:
                run_as_script(self.script.main)
            except SystemExit as end:
                return end.code
            return None

        return await asyncio.to_thread(work)

    def calls(self) -> int:
        """Answered calls in the ledger."""
        if not self.ledger.exists():
            return 0
        with closing(sqlite3.connect(self.ledger)) as connection:
            return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


@pytest.fixture
def job(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job that plays ten episodes, or that rates them."""
    script: ModuleType = request.param
    made = Job(tmp_path, script, monkeypatch)
    if script is ratings:
        first = Job(tmp_path, episodes, monkeypatch)
        first.out = tmp_path / "episodes.jsonl"

        async def play() -> None:
            speakers = Mortal()
            async with speakers.serve():
                assert await first.run(speakers.url) is None

        asyncio.run(play())
    return made


BOTH = pytest.mark.parametrize("job", [episodes, ratings], indirect=True, ids=["episodes", "ratings"])


@BOTH
@pytest.mark.parametrize(
    ("name", "after"), [*((name, 0) for name in (*DEATHS, "gone")), ("500", 4), ("hang", 4), ("gone", 4)]
)
def test_it_stops_soon_with_one_line_and_goes_on_where_it_was(job: Job, name: str, after: int) -> None:
    async def work() -> None:
        speakers = Mortal()
        if name == "gone":
            reason = "did not reach it (no connection"
            async with speakers.serve(hang, after):
                running = asyncio.create_task(job.run(speakers.url))
                while speakers.answers < after:
                    await asyncio.sleep(0.01)
            end = await running
        else:
            act, reason = DEATHS[name]
            async with speakers.serve(act, after):
                end = await job.run(speakers.url, timeout=2 if name == "hang" else 60)
        assert isinstance(end, str) and re.match(r"error: endpoint http://127\.0\.0\.1:\d+/v1/: ", end)
        assert reason in end and "\n" not in end and end.endswith("Nothing is lost: the same command goes on")
        assert not job.out.exists()
        # What was answered before is kept; then the endpoint is back, and only the rest is paid for.
        kept = job.calls()
        assert kept == speakers.answers
        async with speakers.serve():
            assert await job.run(speakers.url) is None
        assert job.calls() == speakers.answers
        if job.script is episodes:
            ends = [json.loads(line)["ending"] for line in job.out.read_text().splitlines()]
            assert len(ends) == 10 and "failed" not in ends

    asyncio.run(asyncio.wait_for(work(), 60))


@pytest.mark.slow
def test_a_person_sees_one_line_and_types_the_same_command_again(tmp_path: Path) -> None:
    port = free_port()
    config = talk_only()
    config["models"]["partner"] = {
        "engine": "openai",
        "name": "partner",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "price": "free",
    }
    workshop = Workshop(tmp_path / "talk", config)
    before = time.monotonic()
    output = workshop.run("episodes", status=1, cores=1)
    assert time.monotonic() - before < 300
    lines = [line for line in output.splitlines() if line.strip().startswith("error: ")]
    assert len(set(lines)) == 1, lines
    assert f"error: endpoint http://127.0.0.1:{port}/v1/: " in lines[0] and "Traceback" not in output
    calls = workshop.calls()
    assert calls > 0  # the tasks, and what the expert said first
    assert not list(workshop.results.glob("episodes/**/*.jsonl"))
    with started(port=port):
        workshop.run("episodes", cores=1)
    episodes_ = workshop.read("episodes/**/*.jsonl")
    assert len(episodes_) == 4 and all(b'"failed"' not in text for text in episodes_.values())
    assert "Nothing to be done" in workshop.run("episodes", cores=1)
