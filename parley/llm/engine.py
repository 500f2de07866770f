"""A local engine: a model server that a job starts for itself, waits for, and always stops."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import psutil

from parley.config import Model
from parley.errors import ParleyError
from parley.llm import launch
from parley.llm.devices import VARIABLE
from parley.llm.diagnosis import diagnosis
from parley.llm.launch import Launch, Shape

LEASH = Path(__file__).with_name("leash.py")
PORTS_TO_TRY = 3
#: Below those that systems give to outgoing connections: one of these may take a port before our server does.
PORTS = range(20_000, 32_000)
SAY_AFTER = 15.0  # seconds between two lines about what is waited for
ENDING = 5.0  # seconds that a server may take to end after its connections broke
#: Of this environment alone: an engine that has one of its own must not find these packages.
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class Engine:
    """`async with Engine(model, adapters) as engine`: a server for `model` and its LoRA adapters on `engine.base_url`.

    `adapters` maps the names of policies to PEFT folders. `target(name)` says how a request asks for one of them.
    `devices` are the GPUs that it may use, as CUDA names them. Raises `ParleyError` if the server does not come up; the
    line names the log. A server that ends by itself is started again once, by `revive`. `starts` has the begin and end
    of every start so far, as `time.monotonic` tells them.
    """

    def __init__(
        self,
        model: Model,
        adapters: Mapping[str, Path] | None = None,
        *,
        cache: Path,
        log: Path | None = None,
        port: int | None = None,
        patience: float | None = None,
        devices: str | None = None,
    ) -> None:
        self.model = model
        self.adapters = dict(adapters or {})
        self.base_url = ""
        self.process: asyncio.subprocess.Process | None = None
        self.starts: list[tuple[float, float]] = []
        self.revived = False
        self._broken: ParleyError | None = None
        self._cache = cache
        self._log = log
        self._scratch_log = log is None
        self._port = port
        self._patience = patience
        self._devices = {} if devices is None else {VARIABLE: devices}
        self._launch: Launch | None = None

    async def __aenter__(self) -> Self:
        begin = time.monotonic()
        try:
            self._launch = await asyncio.to_thread(launch.prepare, self.model, self.adapters, self._cache)
            await self._start()
        except BaseException:
            await self.stop()
            raise
        self.starts.append((begin, time.monotonic()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def target(self, name: str | None = None) -> tuple[str, dict[str, Any]]:
        """(model name, extra fields of the request) that choose the adapter called `name`, or the base model."""
        assert self._launch is not None
        return self._launch.target(name)

    @property
    def shape(self) -> Shape:
        """How a request asks this server for an answer of a given shape."""
        assert self._launch is not None
        return self._launch.shape

    @property
    def log(self) -> Path:
        """What the server printed."""
        if self._log is None:
            handle, name = tempfile.mkstemp(prefix=f"parley-{self.model.engine}-", suffix=".log")
            os.close(handle)
            self._log = Path(name)
        return self._log

    async def revive(self) -> str | None:
        """Start a server that has ended by itself once more, on a new port; its new `base_url`.

        None if it runs, or was stopped. Raises `ParleyError` if it has ended for the second time.
        """
        if self._broken is not None:
            raise self._broken
        if (process := self.process) is None:
            return None
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ENDING)
        if process.returncode is None:
            return None
        how = f"{self._what()} ended by itself (status {process.returncode}): {self._why()}"
        if self.revived:
            again = f"it was the second time; see {self.log}. Nothing is lost: the same command goes on"
            self._broken = ParleyError(f"{how}; {again}")
            raise self._broken
        self.revived = True
        print(f"{how}; it is started once more; log: {self.log}", file=sys.stderr, flush=True)
        _signal(process.pid, signal.SIGKILL)  # what it started may have outlived it
        begin = time.monotonic()
        try:
            await self._start()
        except ParleyError as error:
            self._broken = error
            raise
        self.starts.append((begin, time.monotonic()))
        return self.base_url

    async def stop(self) -> None:
        """End the server and everything that it started. Does nothing if it does not run."""
        process, self.process = self.process, None
        if process is None:
            return
        assert self._launch is not None
        sound = bool(self.base_url) and process.returncode is None
        _signal(process.pid, signal.SIGTERM)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self._launch.grace)
        finally:
            _signal(process.pid, signal.SIGKILL)  # to the whole group: what the server started may outlive it
        await process.wait()
        if self._scratch_log and sound:  # one that did not come up, or ended by itself, leaves its log to be read
            self.log.unlink(missing_ok=True)

    # -- starting ----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        for attempt in range(PORTS_TO_TRY):
            port = self._choose_port()
            await self._spawn(port)
            if await self._ready(port):
                self.base_url = f"http://127.0.0.1:{port}/v1"
                return
            if self._port is not None or attempt == PORTS_TO_TRY - 1 or not self._port_was_taken(port):
                break
            self.process = None
        raise ParleyError(f"{self._what()} ended while it was starting: {self._why()}; see {self.log}")

    def _choose_port(self) -> int:
        if self._port is None:
            ports = random.SystemRandom().sample(PORTS, 100)
            return next((port for port in ports if _fault_of(port) is None), ports[0])
        if fault := _fault_of(self._port):
            raise ParleyError(
                f"{self._what()} cannot use port {self._port} ({fault}); stop what uses it or give another"
            )
        return self._port

    def _port_was_taken(self, port: int) -> bool:
        """True if somebody else took the port between the choice and the start."""
        return _fault_of(port) is not None or "in use" in self._why()

    async def _spawn(self, port: int) -> None:
        assert self._launch is not None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *self._launch.command(port)]
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(self._launch.command(port))}\n".encode())
            log.flush()
            self.process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        assert self._launch is not None
        kept = {name: value for name, value in os.environ.items() if not (self._launch.apart and name in OURS)}
        return {**kept, "PYTHONUNBUFFERED": "1", **self._devices}

    async def _ready(self, port: int) -> bool:
        """Wait for the server. False if its process ended; raises `ParleyError` if it takes too long or is another."""
        assert self.process is not None and self._launch is not None
        limit = self._patience or self.model.start_timeout or self._launch.patience
        started = said = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            # Another job's server may answer on a port that ours did not get.
            while not (await _answers(session, f"http://127.0.0.1:{port}/health") and _listens(self.process.pid, port)):
                if self.process.returncode is not None:
                    return False
                waited = time.monotonic() - started
                if waited > limit:
                    raise ParleyError(
                        f"{self._what()} was not ready after {limit:.0f} s: waited for http://127.0.0.1:{port}/health to "
                        f"answer, its last words: {self._why()}; raise `start_timeout` of the model, or see {self.log}"
                    )
                if time.monotonic() - said > SAY_AFTER:
                    said = time.monotonic()
                    line = f"{self._what()}: loading for {waited:.0f} of at most {limit:.0f} s; log: {self.log}"
                    print(line, file=sys.stderr, flush=True)
                await asyncio.sleep(0.02 if waited < 2 else 0.25)
            served = await _models(session, f"http://127.0.0.1:{port}/v1/models")
        if missing := sorted(set(self._launch.served) - served):
            raise ParleyError(
                f"{self._what()}: the server on port {port} does not serve {missing[0]!r} "
                f"but {', '.join(sorted(served)) or 'nothing'}; see {self.log}"
            )
        return True

    def _what(self) -> str:
        return f"engine {self.model.engine} for {self.model.name or self.model.path}"

    def _why(self) -> str:
        return diagnosis(self.log.read_text(encoding="utf-8", errors="replace"), self.model)


def _fault_of(port: int) -> str | None:
    """Why no server can listen on a port; None if one can."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror
    return None


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def _models(session: aiohttp.ClientSession, url: str) -> set[str]:
    """The names of the models that a server says it has; none if it cannot tell."""
    try:
        async with session.get(url) as answer:
            return {str(entry["id"]) for entry in (await answer.json(content_type=None))["data"]}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return set()


def _listens(pid: int, port: int) -> bool:
    """True if process `pid`, or one that it started, listens on `port`; also if the system does not tell."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for member in family
            for connection in member.net_connections("tcp")
        )
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
