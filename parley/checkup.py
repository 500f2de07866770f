"""Checkup: whether this machine can do what a job on a GPU has to, step by step, from the driver to the last answer."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from parley.canonical import seed_from
from parley.code import ROOT
from parley.config import Model, Play
from parley.errors import ParleyError
from parley.llm.call import Reply, Request
from parley.llm.devices import VARIABLE, shares
from parley.llm.endpoint import Endpoint
from parley.llm.engine import Engine
from parley.llm.identity import vllm_version
from parley.llm.launch import vllm_executable
from parley.llm.source import LOCAL_PATIENCE
from parley.llm.structured import Unreadable, ask
from parley.llm.taken import Usage
from parley.llm.trial import write_trial_adapter
from parley.records.character import read_characters
from parley.records.episode import Action
from parley.records.message import Message
from parley.records.task import read_tasks
from parley.world.observation import Renderer
from parley.world.prompts import prompt

ASKED = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
ADAPTER = "trial"


@dataclass(frozen=True)
class Step:
    """One thing that was checked and is well: what, what was seen, and how many seconds it took."""

    what: str
    seen: str
    seconds: float

    @property
    def line(self) -> str:
        """As it is printed."""
        return f"ok  {self.what:<10} {self.seconds:7.1f} s  {self.seen}"


async def checkup(model: Model, folder: Path, calls: int = 64) -> AsyncIterator[Step]:
    """Check the driver, vLLM, and whether it serves `model` and an adapter; `calls` are made to time it.

    `folder` gets the engine's log and the trial adapter. Raises `ParleyError` at the first step that is not well.
    """
    yield _timed("driver", time.monotonic(), await asyncio.to_thread(_gpus, model.gpus))
    begin = time.monotonic()
    yield _timed("vllm", begin, f"{vllm_version()}, {vllm_executable()}")
    begin = time.monotonic()
    adapter = await asyncio.to_thread(write_trial_adapter, Path(str(model.path)), folder / ADAPTER)
    devices = shares([model.gpus], os.environ.get(VARIABLE))[0]
    engine = Engine(model, {ADAPTER: adapter}, cache=folder, log=folder / "engine.log", devices=devices)
    async with engine:
        assert engine.process is not None
        family = [psutil.Process(engine.process.pid)]
        family += family[0].children(recursive=True)
        yield _timed("start", begin, f"{engine.base_url} serves {engine.target()[0]} and {ADAPTER}; log: {engine.log}")
        async with Endpoint(
            engine.base_url,
            concurrency=model.concurrency,
            timeout=model.timeout,
            patience=LOCAL_PATIENCE,
            remedy=f"see {engine.log}",
            shape=engine.shape,
            local=True,
        ) as endpoint:
            for what, name in (("base", None), ("adapter", ADAPTER)):
                begin = time.monotonic()
                yield _timed(what, begin, await _structured(endpoint, engine, model, name))
            begin = time.monotonic()
            yield _timed("load", begin, await _load(endpoint, engine, model, calls))
        begin = time.monotonic()
    if left := [process.pid for process in family if process.is_running() and process.status() != "zombie"]:
        raise ParleyError(f"the engine was stopped and left processes behind: {', '.join(map(str, left))}")
    yield _timed("stop", begin, "nothing is left of it")


def _timed(what: str, begin: float, seen: str) -> Step:
    return Step(what, seen, time.monotonic() - begin)


def _gpus(needed: int) -> str:
    """What nvidia-smi says of the GPUs. Raises `ParleyError` if it says nothing, or names fewer than are needed."""
    where = "on a cluster ask for a node with a GPU: srun --gpus=1 make gpu-check"
    try:
        done = subprocess.run(ASKED, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ParleyError(f"no NVIDIA driver here ({error}); {where}") from None
    found = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not found:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
        raise ParleyError(f"nvidia-smi fails: {said[0]}; {where}")
    if len(found) < needed:
        raise ParleyError(f"the model needs {needed} GPUs (`gpus`), and nvidia-smi names {len(found)}; {where}")
    return "; ".join(found)


class _Asker:
    """A speaker without a ledger: it asks each time."""

    def __init__(self, endpoint: Endpoint, engine: Engine, model: Model, name: str | None) -> None:
        self.usage = Usage()
        self._endpoint, self._model = endpoint, model
        self._name, self._extra = engine.target(name)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        seed: int | None = None,
        replicate: int = 0,
    ) -> Reply:
        """The answer to `messages`."""
        request = Request(self._model.identity(), tuple(messages), seed, schema, replicate)
        reply = await self._endpoint.send(request, self._name, self._extra)
        self.usage.add(reply)
        return reply


def _question() -> list[Message]:
    """The first turn of a task that is shipped: what every player is asked."""
    task = read_tasks(ROOT / "resources/tasks/evaluation.jsonl")[0]
    characters = read_characters(ROOT / "resources/characters.jsonl")
    renderer = Renderer(prompt(str(ROOT / "prompts/turn_short.jinja")), Play(), {task.name: task}, characters)
    return renderer.next_turn(task, task.casts[0], [], 0)


async def _structured(endpoint: Endpoint, engine: Engine, model: Model, name: str | None) -> str:
    """Ask for an action by its schema, as play does."""
    asker = _Asker(endpoint, engine, model, name)
    try:
        answer = await ask(asker, _question(), Action, retry=lambda _, fault: fault, seed=1)
    except Unreadable as error:
        raise ParleyError(f"{asker._name} was asked for JSON of a given schema and gave none: {error.reason}") from None
    how = "as asked for" if answer.attempts == 1 and not answer.repaired else f"after {answer.attempts} tries, mended"
    return f"JSON {how}, {answer.reply.completion_tokens} tokens: {answer.value.as_json()[:100]}"


async def _load(endpoint: Endpoint, engine: Engine, model: Model, calls: int) -> str:
    """Many calls at once, half of them to the adapter: how fast that goes."""
    askers = [_Asker(endpoint, engine, model, name) for name in (None, ADAPTER)]
    begin = time.monotonic()
    question = _question()
    chats = (askers[number % 2].chat(question, seed=seed_from("load", number)) for number in range(calls))
    replies = await asyncio.gather(*chats)
    seconds = max(1e-6, time.monotonic() - begin)
    asked, answered = sum(one.prompt_tokens for one in replies), sum(one.completion_tokens for one in replies)
    cached = sum(reply.cached_tokens for reply in replies)
    return (
        f"{calls} calls at once: {calls / seconds:.1f} calls/s, {asked / seconds:.0f} prompt tokens/s "
        f"({cached} of {asked} from the cache), {answered / seconds:.0f} answer tokens/s"
    )
