"""A model server that fails on demand: every request is answered by the next act of a script, then by `say("ok")`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


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


def refuse(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Act:
    """An error in the protocol's form."""

    async def act(request: web.Request) -> web.StreamResponse:
        body = {"error": {"message": message, "type": "t", "param": None, "code": None, **error}}
        return web.json_response(body, status=status, headers=headers)

    return act


def send(text: str, kind: str = "application/json", status: int = 200) -> Act:
    """Any bytes at all."""

    async def act(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=kind, status=status)

    return act


async def reset(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(request: web.Request) -> web.StreamResponse:
    """Say nothing for a long time."""
    await asyncio.sleep(30)
    return web.Response()


async def truncate(request: web.Request) -> web.StreamResponse:
    """Break off in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id": "1", "choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


@dataclass
class Faulty:
    """The running server and what it saw."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0


@asynccontextmanager
async def faulty(*script: Act, otherwise: Act | None = None) -> AsyncIterator[Faulty]:
    """Serve on a free loopback port."""
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

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    state.url = f"http://{host}:{port}/v1"
    try:
        yield state
    finally:
        await runner.cleanup()
