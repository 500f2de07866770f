"""Faults that a real endpoint has: what each of them does to a request, or to a good answer on its way back."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

#: Answers a request, or does not.
Act = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: A chat completion, spoiled; None where the fault has nothing to take hold of.
Spoil = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class Kind:
    """One kind of fault: `act` stands in for the answer, `spoil` changes it, and one with neither is only late.

    `seconds` is the default of the number that a person may give after a colon; None if the kind has no use for one.
    """

    meaning: str
    act: Callable[[float], Act] | None = None
    spoil: Spoil | None = None
    seconds: float | None = None


# -- instead of an answer --------------------------------------------------------------------------------------


def refuse(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Act:
    """An error in the protocol's form."""

    async def act(request: web.Request) -> web.StreamResponse:
        body = {"error": {"message": message, "type": "t", "param": None, "code": None, **error}}
        return web.json_response(body, status=status, headers=headers)

    return act


def send(text: str, kind: str = "application/json", status: int = 200) -> Act:
    """Any text at all."""

    async def act(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=kind, status=status)

    return act


async def reset(request: web.Request) -> web.StreamResponse:
    """Reset the connection without an answer."""
    _cut(request)
    return web.Response()


def hang(seconds: float) -> Act:
    """Say nothing for so long, then close the connection. Ends when the client does not wait any longer."""

    async def act(request: web.Request) -> web.StreamResponse:
        ends = asyncio.get_running_loop().time() + seconds
        while request.transport is not None and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(min(0.2, seconds))
        return await reset(request)

    return act


async def truncate(request: web.Request) -> web.StreamResponse:
    """Break off in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id": "1", "choices": [')
    await asyncio.sleep(0.01)  # a reset would overtake what was written
    _cut(request)
    return response


def _cut(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        if (connection := transport.get_extra_info("socket")) is not None:
            # Without lingering, closing is a reset and not an orderly end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


# -- a good answer, spoiled ------------------------------------------------------------------------------------


def _said(change: Callable[[str], str | None]) -> Spoil:
    """Spoils the text of an answer; a text for which `change` gives None cannot have this fault."""

    def spoil(completion: dict[str, Any]) -> dict[str, Any] | None:
        choice = completion["choices"][0]
        text = choice["message"]["content"]
        changed = change(text) if isinstance(text, str) else None
        return None if changed is None else _with(completion, {"content": changed})

    return spoil


def _with(completion: dict[str, Any], message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    first, *others = completion["choices"]
    first = {**first, **choice, "message": {**first["message"], **message}}
    return {**completion, "choices": [first, *others]}


def _cut_off(completion: dict[str, Any]) -> dict[str, Any] | None:
    text = completion["choices"][0]["message"]["content"] or ""
    return _with(completion, {"content": text[: len(text) // 2]}, finish_reason="length")


def _refusal(completion: dict[str, Any]) -> dict[str, Any]:
    return _with(completion, {"content": None, "refusal": "I cannot help with that."})


def _inside(change: Callable[[str, Any], Any]) -> Callable[[str], str | None]:
    """Changes fields of an answer that is JSON: `change(name, value)` for each, at any depth."""

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {name: walk(change(name, value)) for name, value in node.items()}

    def text(content: str) -> str | None:
        try:
            before = json.loads(content)
        except ValueError:
            return None
        after = walk(before)
        return None if after == before else json.dumps(after, ensure_ascii=False)

    return text


#: Values outside what a prompt allows, by the field's name.
_WRONG = {"action_type": "shout", "relationship": "nemesis", "score": 99}


def _wrong_value(name: str, value: Any) -> Any:
    return _WRONG.get(name, value) if isinstance(value, str | int) else value


def _wrong_name(name: str, value: Any) -> Any:
    return "Somebody Else" if name == "name" else value


# -- all of them -----------------------------------------------------------------------------------------------

PROSE = "I would rather tell it in my own words: let us meet in the middle, and we will both be content."

KINDS: dict[str, Kind] = {
    "reset": Kind("the connection is reset", act=lambda _: reset),
    "hang": Kind("no answer at all, for SECONDS", act=hang, seconds=3600),
    "slow": Kind("the first byte comes after SECONDS", seconds=5),
    "truncated": Kind("the body ends in its middle", act=lambda _: truncate),
    "html": Kind("a page of HTML with status 200", act=lambda _: send("<html>Sign in, please</html>", "text/html")),
    "not_json": Kind("a body that is not JSON", act=lambda _: send('{"id": "1", "choices": [')),
    "bad_json": Kind("an answer in prose, with no JSON in it", spoil=_said(lambda text: PROSE)),
    "fenced": Kind(
        "the JSON between words and code fences",
        spoil=_said(lambda text: f"Here it is:\n```json\n{text}\n```\nAnything else?"),
    ),
    "wrong_value": Kind("a value outside its choices or its range", spoil=_said(_inside(_wrong_value))),
    "wrong_names": Kind("a rating's entries under other names", spoil=_said(_inside(_wrong_name))),
    "empty": Kind("an answer without text", spoil=_said(lambda text: "")),
    "refusal": Kind("the model refuses", spoil=_refusal),
    "length": Kind("the answer is cut off by the token limit", spoil=_cut_off),
}


def kind_of(name: str) -> Kind | None:
    """The kind called `name`: one of `KINDS`, or an HTTP status from 400 to 599; None if there is none."""
    if name.isdigit() and 400 <= int(name) <= 599:
        return Kind("", act=lambda seconds: _status(int(name), seconds), seconds=0)
    return KINDS.get(name)


def _status(status: int, seconds: float) -> Act:
    return refuse(status, "a fault on demand", {"Retry-After": f"{seconds:g}"} if seconds else None)
