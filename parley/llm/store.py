"""How a call lies in SQLite: the tables, and a request or a reply as a row and back.

A prompt that grows turn by turn repeats itself, so messages are cut into lines and each line is kept once (`blocks`); a
call holds the numbers of its lines (`packing`). Every row carries what is needed to notice that it was damaged: a
request must hash to the key of its row, and a reply has a checksum. A reply that outlived its request in a damaged file
is kept without it: `model` and `request` are null.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parley.canonical import canonical_json
from parley.llm.blocks import Blocks, DamagedRow
from parley.llm.call import Reply, Request
from parley.llm.packing import pack_request

VERSION = 2
LATEST = 999  # a number above it was not written by any Parley
OLDER = (1,)  # differs in how a request is packed: such a file is read, and becomes one of this version when written
SCHEMA = f"""
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, created REAL NOT NULL,
  model INTEGER REFERENCES blocks, request BLOB,
  text TEXT NOT NULL, finish_reason TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
  seconds REAL NOT NULL, retries INTEGER NOT NULL, failures TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS failures (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, created REAL NOT NULL,
  model INTEGER NOT NULL REFERENCES blocks, request BLOB NOT NULL, reason TEXT NOT NULL);
"""
#: What a row holds of a reply, by the names of its fields. The checksum is over all of it.
FIELDS = (
    "key",
    "text",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "seconds",
    "retries",
    "failures",
)
REPLY = ", ".join((*FIELDS, "checksum"))
INSERT = f"""INSERT INTO calls (created, model, request, {REPLY}) VALUES ({",".join("?" * 13)})
             ON CONFLICT (key) DO NOTHING"""


def label(identity: dict[str, Any]) -> str:
    """A short name for a model's identity: its name, and the start of its adapter's hash if it has one."""
    name = str(identity.get("name") or identity.get("engine") or "unnamed")
    adapter = identity.get("adapter")
    return f"{name}+{str(adapter)[:8]}" if adapter else name


def checksum(reply: Reply) -> int:
    """A CRC-32 over everything that a reply's row holds."""
    fields = {name: getattr(reply, name) for name in FIELDS}
    return zlib.crc32(canonical_json(fields).encode("utf-8", "surrogatepass"))


def reply_row(reply: Reply) -> tuple[Any, ...]:
    """The values of the columns `REPLY`."""
    *values, failures = (getattr(reply, name) for name in FIELDS)
    return (*values, canonical_json(failures), checksum(reply))


def reply_of(row: tuple[Any, ...]) -> Reply:
    """The reply in a row of the columns `REPLY`, marked as replayed. Raises `DamagedRow` if it was altered."""
    *values, failures, expected = row
    try:
        fields = dict(zip(FIELDS, (*values, tuple(json.loads(failures))), strict=True))
        reply = Reply(**fields, replayed=True)
        intact = checksum(reply) == expected
    except (TypeError, ValueError):
        intact = False
    if not intact:
        raise DamagedRow("a stored reply does not match its checksum")
    return reply


def identity_json(model: int | None, block: Callable[[int], bytes]) -> str:
    """The JSON of the model's identity in a row, `{}` if it was lost."""
    return "{}" if model is None else block(model).decode()


def identity_of(model: int | None, block: Callable[[int], bytes]) -> dict[str, Any]:
    """The model's identity in a row, empty if it was lost. Raises `DamagedRow` if it cannot be read."""
    try:
        return dict(json.loads(identity_json(model, block)))
    except (ValueError, TypeError):
        raise DamagedRow("a stored model cannot be read") from None


def storable(text: str) -> str:
    """`text` with halves of characters replaced, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _whole(reply: Reply) -> Reply:
    try:
        "".join((reply.text, *reply.failures)).encode()
    except UnicodeEncodeError:
        return replace(reply, text=storable(reply.text), failures=tuple(map(storable, reply.failures)))
    return reply


def insert_call(connection: sqlite3.Connection, blocks: Blocks, request: Request, reply: Reply, created: float) -> None:
    """Store a call; one that is stored already stays as it is."""
    model = blocks.put(canonical_json(request.model).encode())
    connection.execute(INSERT, (created, model, pack_request(request, blocks.put), *reply_row(_whole(reply))))


def insert_failure(
    connection: sqlite3.Connection, blocks: Blocks, key: str, request: Request, reason: str, created: float
) -> None:
    """Store a failed call."""
    model, packed = blocks.put(canonical_json(request.model).encode()), pack_request(request, blocks.put)
    connection.execute(
        "INSERT INTO failures (key, created, model, request, reason) VALUES (?, ?, ?, ?, ?)",
        (key, created, model, packed, storable(reason)),
    )
