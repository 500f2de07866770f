"""An engine that ends by itself is started once more, and the calls that were in flight are answered all the same."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.config import Model
from parley.errors import ParleyError
from parley.llm import launch, source
from parley.llm.call import Request
from parley.llm.engine import Engine
from parley.llm.launch import Launch
from parley.llm.source import Source
from tests.test_engine import gone

MODEL = Model(engine="vllm", name="agent", path="base", concurrency=8)
#: Answers chats after a moment, and ends at the calls that a file counts down to: several lives have one count.
SERVER = """
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
port, count, deaths, how = int(sys.argv[1]), sys.argv[2], [int(one) for one in sys.argv[3].split(",") if one], sys.argv[4]
lock = threading.Lock()
dying = False
class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, {"data": [{"id": "agent"}]})
    def do_POST(self):
        global dying
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            number = os.path.getsize(count) + 1
            with open(count, "a") as file:
                file.write("x")
        if number in deaths:
            print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", flush=True)
            if how == "at once":
                os._exit(3)
            dying = True
            threading.Timer(1.0, os._exit, [3]).start()
        if dying:
            return self.answer(500, {"error": {"message": "EngineCore encountered an issue"}})
        time.sleep(0.05)
        message = {"role": "assistant", "content": asked["messages"][-1]["content"]}
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        self.answer(200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})
    def log_message(self, *_):
        pass
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Source]:
    """A source whose engine ends at the given calls."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    def build(*deaths: int, how: str = "at once") -> Source:
        (tmp_path / "count").touch()
        (tmp_path / "server.py").write_text(SERVER)
        words = (str(tmp_path / "count"), ",".join(map(str, deaths)), how)

        def command(port: int) -> list[str]:
            return [sys.executable, str(tmp_path / "server.py"), str(port), *words]

        started = Launch(command, ("agent",), lambda name: ("agent", {}), patience=10, grace=2)
        monkeypatch.setattr(launch, "prepare", lambda *_: started)
        made = Source(tmp_path, tmp_path / "logs")
        made.add(MODEL, None, None)
        return made

    return build


def request(number: int) -> Request:
    return Request(MODEL.identity(), ({"role": "user", "content": f"{number}"},), None, None, 0)


async def ask(made: Source, count: int) -> tuple[list[Any], Engine]:
    """So many calls at once; their answers or errors, and the engine as it was then."""
    endpoint, name, extra = await made.reach(MODEL, None)
    engine = made._engine
    assert engine is not None
    answers = await asyncio.gather(
        *(endpoint.send(request(number), name, extra) for number in range(count)), return_exceptions=True
    )
    return answers, engine


def run(made: Source, count: int) -> tuple[list[Any], Engine]:
    async def body() -> tuple[list[Any], Engine]:
        try:
            return await ask(made, count)
        finally:
            await made.close()

    return asyncio.run(asyncio.wait_for(body(), 60))


@pytest.mark.parametrize("how", ["at once", "slowly"])
def test_calls_in_flight_are_answered_by_the_engine_that_takes_its_place(
    served: Callable[..., Source], capsys: pytest.CaptureFixture[str], how: str
) -> None:
    made = served(5, how=how)
    answers, engine = run(made, 12)
    assert [answer.text for answer in answers] == [str(number) for number in range(12)]
    assert engine.revived and len(made.starts) == 2
    said = capsys.readouterr().err
    assert said.count("engine vllm for agent ended by itself (status 3): the model does not fit on 1 GPU") == 1
    assert "it is started once more; log: " in said
    log = engine.log.read_text()
    assert log.count("$ ") == 2  # both lives in one log


def test_an_engine_that_ends_twice_ends_the_job_in_one_line(served: Callable[..., Source]) -> None:
    answers, engine = run(served(3, 7), 12)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    assert errors and all(isinstance(error, ParleyError) for error in errors)
    assert "ended by itself (status 3): the model does not fit" in str(errors[0])
    assert "it was the second time; see " in str(errors[0]) and "the same command goes on" in str(errors[0])
    assert engine.process is None


def test_an_engine_that_cannot_come_up_again_says_why(
    served: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = served(3)
    before = Engine._spawn

    async def spawn(engine: Engine, port: int) -> None:
        if engine.revived:
            fail = ["echo", "RuntimeError: No CUDA GPUs are available"]
            engine._launch = Launch(lambda port: fail, (), lambda name: ("", {}), 10, 2)
        await before(engine, port)

    monkeypatch.setattr(Engine, "_spawn", spawn)
    answers, _ = run(made, 6)
    (error, *_) = [answer for answer in answers if isinstance(answer, Exception)]
    assert "ended while it was starting: it sees no GPU that it can use" in str(error)


def test_an_engine_that_answers_badly_but_lives_is_left_alone(
    served: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.llm.engine.ENDING", 0.01)

    async def body() -> tuple[object, int]:
        made = served()
        try:
            _, engine = await ask(made, 1)
            assert engine.process is not None
            return await engine.revive(), engine.process.pid
        finally:
            await made.close()

    revived, pid = asyncio.run(asyncio.wait_for(body(), 30))
    assert revived is None and gone(pid)


def test_a_stopped_engine_is_not_started_again(served: Callable[..., Source]) -> None:
    async def body() -> object:
        made = served()
        _, engine = await ask(made, 1)
        await made.close()
        return await engine.revive()

    assert asyncio.run(asyncio.wait_for(body(), 30)) is None


def test_a_fault_of_one_call_is_not_asked_about(served: Callable[..., Source], monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal says that the server is there."""
    monkeypatch.setattr(source, "LOCAL_PATIENCE", source.Patience(tries=1, first_wait=0.01))

    async def body() -> int:
        made = served()
        try:
            endpoint, name, _ = await made.reach(MODEL, None)
            asked = 0

            async def revive() -> str | None:
                nonlocal asked
                asked += 1
                return None

            endpoint._revive = revive
            assert made._engine is not None
            await endpoint.send(request(1), name)
            return asked
        finally:
            await made.close()

    assert asyncio.run(asyncio.wait_for(body(), 30)) == 0
