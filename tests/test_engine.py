"""Local engines: started when ready, checked, and always stopped."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from parley.config import Model
from parley.errors import ParleyError
from parley.llm import launch
from parley.llm.engine import Engine
from parley.llm.launch import Launch

PLAYHOUSE = Model(engine="playhouse", name="judge")
ROOT = Path(__file__).parents[1]
#: A server that is ready after a moment and serves the models that it is told to.
SERVER = """
import json, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
port, delay, *rest = sys.argv[1:]
names = [word for word in rest if not word.startswith("-")]
if "-stubborn" in rest:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "-child" in rest:
    print("child", subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
started = time.time()
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        ready = time.time() - started > float(delay)
        body = json.dumps({"data": [{"id": name} for name in names]}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""


def serve(*words: str, delay: float = 0.0, grace: float = 2.0) -> Launch:
    def command(port: int) -> list[str]:
        return [sys.executable, "-c", SERVER, str(port), str(delay), *words]

    return Launch(command, ("judge",), lambda name: ("judge", {}), patience=10, grace=grace)


def fail(code: str) -> Launch:
    return Launch(lambda port: [sys.executable, "-c", code, str(port)], (), lambda name: ("", {}), 10, 2)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Engine]:
    """An engine with a launch of the test's own."""

    def build(how: Launch, **settings: Any) -> Engine:
        monkeypatch.setattr(launch, "prepare", lambda *_: how)
        return Engine(PLAYHOUSE, cache=tmp_path, **{"log": tmp_path / "engine.log", **settings})

    return build


def run(engine: Engine, work: Callable[[Engine], Any] = lambda engine: None) -> Any:
    async def body() -> Any:
        async with engine:
            return work(engine)

    return asyncio.run(asyncio.wait_for(body(), 30))


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def gone(pid: int, within: float = 5.0) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def pid_of(engine: Engine) -> int:
    assert engine.process is not None
    return engine.process.pid


# -- its life --------------------------------------------------------------------------------------------------


def test_an_engine_is_ready_inside_and_gone_after(start: Callable[..., Engine]) -> None:
    engine = start(serve("judge", delay=0.3))

    def work(engine: Engine) -> int:
        port = int(engine.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
        with socket.create_connection(("127.0.0.1", port)):
            return pid_of(engine)

    assert gone(run(engine, work))


def test_an_engine_is_stopped_when_the_work_fails(start: Callable[..., Engine]) -> None:
    pids: list[int] = []

    def work(engine: Engine) -> None:
        pids.append(pid_of(engine))
        raise RuntimeError("the work failed")

    with pytest.raises(RuntimeError):
        run(start(serve("judge")), work)
    assert gone(pids[0])


def test_an_engine_that_will_not_end_is_killed(start: Callable[..., Engine]) -> None:
    pid = run(start(serve("judge", "-stubborn", grace=0.2)), pid_of)
    assert gone(pid)


def test_what_an_engine_started_ends_with_it(start: Callable[..., Engine], tmp_path: Path) -> None:
    run(start(serve("judge", "-child")))
    child = int((tmp_path / "engine.log").read_text().split("child ")[1].split()[0])
    assert gone(child)


def test_a_job_that_is_killed_leaves_no_engine(tmp_path: Path) -> None:
    script = f"""
        import asyncio, sys; sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from tests.test_engine import Engine, PLAYHOUSE, launch, pid_of, serve
        launch.prepare = lambda *_: serve("judge")
        async def main():
            async with Engine(PLAYHOUSE, cache=Path("."), log=Path({str(tmp_path / "log")!r})) as engine:
                print(pid_of(engine), flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
        """
    job = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    pid = int(job.stdout.readline())
    assert alive(pid)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert gone(pid)


def test_a_cancelled_start_leaves_no_engine(start: Callable[..., Engine], tmp_path: Path) -> None:
    async def body() -> int:
        engine = start(serve("judge", delay=30))
        opening = asyncio.create_task(engine.__aenter__())
        while engine.process is None:
            await asyncio.sleep(0.01)
        pid = engine.process.pid
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return pid

    assert gone(asyncio.run(asyncio.wait_for(body(), 20)))


def test_a_log_of_its_own_is_taken_away_unless_it_is_needed(
    start: Callable[..., Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = start(serve("judge"), log=None)
    assert run(engine, lambda engine: engine.log.exists())
    assert not engine.log.exists()

    async def ends_by_itself(engine: Engine) -> None:
        async with engine:
            assert engine.process is not None
            engine.process.kill()
            await engine.process.wait()

    engine = start(serve("judge"), log=None)
    asyncio.run(ends_by_itself(engine))
    assert engine.log.exists()
    engine = start(fail("print('no room')"), log=None)
    with pytest.raises(ParleyError):
        run(engine)
    assert "no room" in engine.log.read_text()


# -- when it does not come up ----------------------------------------------------------------------------------


def test_a_server_that_ends_is_named_with_its_last_words(start: Callable[..., Engine], tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"engine playhouse for judge ended .*: out of memory; see .*engine\.log"):
        run(start(fail("print('loading'); print('out of memory')")))


def test_a_server_that_is_not_ready_in_time_is_stopped(start: Callable[..., Engine]) -> None:
    engine = start(serve("judge", delay=60), patience=0.5)
    with pytest.raises(ParleyError, match=r"was not ready after 0 s|was not ready after 1 s"):
        run(engine)
    assert engine.process is None


def test_a_server_of_another_model_is_refused(start: Callable[..., Engine]) -> None:
    with pytest.raises(ParleyError, match="does not serve 'judge'"):
        run(start(serve("writer")))


def test_a_port_that_is_in_use_is_named() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(ParleyError, match=f"cannot use port {port} .*give another"):
            run(Engine(PLAYHOUSE, cache=Path(), port=port))


def test_a_port_that_another_job_took_meanwhile_is_left_for_another(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other job's server is healthy and serves the same model, but it is not ours."""
    choose, ports = Engine._choose_port, list[int]()

    def choice(engine: Engine) -> int:
        ports.append(ports[0] if len(ports) == 1 else choose(engine))
        return ports[-1]

    async def body() -> tuple[str, str]:
        async with start(serve("judge")) as first, start(serve("judge")) as second:
            return first.base_url, second.base_url

    monkeypatch.setattr(Engine, "_choose_port", choice)
    first, second = asyncio.run(asyncio.wait_for(body(), 20))
    assert ports[0] == ports[1]
    assert (first, second) == (f"http://127.0.0.1:{ports[0]}/v1", f"http://127.0.0.1:{ports[2]}/v1")


# -- launch lines ----------------------------------------------------------------------------------------------


def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: dict[str, int], gpus: int = 1) -> Launch:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    for name, rank in ranks.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(f'{{"r": {rank}}}')
    model = Model(engine="vllm", name="agent", path=str(tmp_path / "base"), gpus=gpus)
    return launch.prepare(model, {name: tmp_path / name for name in ranks}, tmp_path)


def test_vllm_serves_all_adapters_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how = vllm(tmp_path, monkeypatch, {"bc": 8, "sr": 20})
    line = " ".join(how.command(1234))
    assert line.startswith(f"{tmp_path}/bin/vllm serve {tmp_path}/base --served-model-name agent --host 127.0.0.1")
    assert "--port 1234 --enable-prefix-caching --generation-config vllm" in line
    assert line.endswith(
        f"--enable-lora --max-lora-rank 32 --max-loras 2 --lora-modules bc={tmp_path}/bc sr={tmp_path}/sr"
    )
    assert how.served == ("agent", "bc", "sr")
    assert (how.target(None), how.target("sr")) == (("agent", {}), ("sr", {}))


def test_vllm_without_adapters_has_no_lora_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "lora" not in " ".join(vllm(tmp_path, monkeypatch, {}).command(1))


def test_vllm_is_spread_over_the_gpus_that_the_config_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = " ".join(vllm(tmp_path, monkeypatch, {}, gpus=2).command(1))
    assert "--tensor-parallel-size 2" in line
    (tmp_path / "one").mkdir()
    assert "tensor" not in " ".join(vllm(tmp_path / "one", monkeypatch, {}).command(1))


def test_a_rank_that_vllm_cannot_serve_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how = vllm(tmp_path, monkeypatch, {"bc": 1024})
    with pytest.raises(ParleyError, match=r"rank 1024.*lower training\.rank"):
        how.command(1)


def test_a_missing_vllm_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(launch, "VLLM", tmp_path / "none")
    with pytest.raises(ParleyError, match=r"vllm is not on the PATH; install .* \(make setup-vllm\)"):
        launch.prepare(Model(engine="vllm", path="x"), {}, tmp_path)


def test_the_vllm_of_make_setup_vllm_is_found_and_one_on_the_path_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    own = tmp_path / "own"
    own.touch(mode=0o755)
    monkeypatch.setattr(launch, "VLLM", own)
    assert launch.vllm_executable() == own
    vllm(tmp_path, monkeypatch, {})
    assert launch.vllm_executable() == tmp_path / "bin" / "vllm"


def test_a_context_that_is_asked_for_is_the_most_that_vllm_makes_room_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vllm(tmp_path, monkeypatch, {})
    model = Model(engine="vllm", name="agent", path="base", context=8192)
    assert "--max-model-len 8192" in " ".join(launch.prepare(model, {}, tmp_path).command(1))


def test_a_model_may_have_longer_to_start_and_who_waits_is_told_for_what(
    start: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(serve("judge", delay=60))
    engine.model = PLAYHOUSE.model_copy(update={"start_timeout": 0.3})
    with pytest.raises(ParleyError, match=r"waited for http://127\.0\.0\.1:\d+/health .*; raise `start_timeout`"):
        run(engine)


def test_the_playhouse_starts_and_serves_its_speakers(tmp_path: Path) -> None:
    engine = Engine(PLAYHOUSE, cache=tmp_path)
    pid = run(engine, pid_of)
    assert engine.target() == ("judge", {})
    assert gone(pid)
