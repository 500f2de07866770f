"""Model servers that fail, on a free loopback port: by a script act for act, or by a schedule of the playhouse."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from parley.playhouse import faults
from parley.playhouse.faults import Act, refuse, reset, send, truncate
from parley.playhouse.schedule import Schedule, disturb, parse
from parley.playhouse.server import application

__all__ = ["Act", "Faulty", "faulty", "hang", "playing_up", "refuse", "reset", "say", "send", "served", "truncate"]

hang = faults.hang(30)


def say(text: str, finish_reason: str = "stop", delay: float = 0.0, **usage: Any) -> Act:
    """A chat completion."""

    async def act(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay)
        counts = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13, **usage}
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        body = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": counts,
        }
        return web.json_response(body)

    return act


@dataclass
class Faulty:
    """The running server and what it saw."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    looks: int = 0  # at the list of models


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve on a free loopback port; the address up to and with `/v1`."""
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def faulty(*script: Act, otherwise: Act | None = None, models: Act | None = None) -> AsyncIterator[Faulty]:
    """Every chat is answered by the next act of the script, then by `otherwise`, by default `say("ok")`.

    `models` answers whoever asks for the list of models, by default with a list.
    """
    state, acts = Faulty(), list(script)

    async def chat(request: web.Request) -> web.StreamResponse:
        state.times.append(asyncio.get_running_loop().time())
        state.bodies.append(json.loads(await request.text()))
        state.keys.append(request.headers.get("Authorization"))
        state.in_flight += 1
        state.most_in_flight = max(state.most_in_flight, state.in_flight)
        try:
            return await (acts.pop(0) if acts else otherwise or say("ok"))(request)
        finally:
            state.in_flight -= 1

    async def look(request: web.Request) -> web.StreamResponse:
        state.looks += 1
        return await (models or send('{"object": "list", "data": [{"id": "m", "object": "model"}]}'))(request)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", look)
    async with served(app) as state.url:
        yield state


@asynccontextmanager
async def playing_up(shares: str, seed: int = 0) -> AsyncIterator[tuple[str, Schedule]]:
    """The scripted speakers behind a schedule of faults: their address, and the schedule with what was met so far."""
    schedule = parse(shares, seed)
    async with served(disturb(application(), schedule)) as url:
        yield url, schedule
