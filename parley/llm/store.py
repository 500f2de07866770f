"""How a call lies in SQLite: the tables, and a request or a reply as a row and back.

A prompt that grows turn by turn repeats itself, so messages are cut into lines and each line is kept once per file
(`blocks`); a call holds the numbers of its lines. Every row carries what is needed to notice that it was damaged: a
request must hash to the key of its row, and a reply has a checksum. A reply that outlived its request in a damaged file
is kept without it: `model` and `request` are null.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from parley.canonical import canonical_json
from parley.llm.call import Reply, Request
from parley.records.message import Message

VERSION = 1
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
REPLY = (
    "key, text, finish_reason, prompt_tokens, completion_tokens, cached_tokens, seconds, retries, failures, checksum"
)


class DamagedRow(sqlite3.DatabaseError):
    """A row that can be read but is not what was written."""


def label(identity: dict[str, Any]) -> str:
    """A short name for a model's identity: its name, and the start of its adapter's hash if it has one."""
    name = str(identity.get("name") or identity.get("engine") or "unnamed")
    adapter = identity.get("adapter")
    return f"{name}+{str(adapter)[:8]}" if adapter else name


def checksum(reply: Reply) -> int:
    """A CRC-32 over everything that a reply's row holds."""
    fields = {name: value for name, value in asdict(reply).items() if name != "replayed"}
    return zlib.crc32(canonical_json(fields).encode("utf-8", "surrogatepass"))


def reply_row(reply: Reply) -> tuple[Any, ...]:
    """The values of the columns `REPLY`."""
    return (
        reply.key,
        reply.text,
        reply.finish_reason,
        reply.prompt_tokens,
        reply.completion_tokens,
        reply.cached_tokens,
        reply.seconds,
        reply.retries,
        canonical_json(reply.failures),
        checksum(reply),
    )


def reply_of(row: tuple[Any, ...]) -> Reply:
    """The reply in a row of the columns `REPLY`, marked as replayed. Raises `DamagedRow` if it was altered."""
    *values, failures, expected = row
    try:
        fields = dict(zip(REPLY.split(", "), values, strict=False))
        reply = Reply(**fields, failures=tuple(json.loads(failures)), replayed=True)
        intact = checksum(reply) == expected
    except (TypeError, ValueError):
        intact = False
    if not intact:
        raise DamagedRow("a stored reply does not match its checksum")
    return reply


def pack_request(request: Request, block: Callable[[bytes], int]) -> bytes:
    """A request without its model; `block` stores a text once and gives its number."""
    body = {
        "messages": [
            [message["role"], [block(line) for line in message["content"].encode().splitlines(keepends=True)]]
            for message in request.messages
        ],
        "schema": None if request.schema is None else block(json.dumps(request.schema).encode()),
        "seed": request.seed,
        "replicate": request.replicate,
    }
    return zlib.compress(canonical_json(body).encode(), 9)


def unpack_request(key: str, model: int, packed: bytes, block: Callable[[int], bytes]) -> Request:
    """The request behind a row. Raises `DamagedRow` unless it hashes to `key`."""
    try:
        body = json.loads(zlib.decompress(packed))
        request = Request(
            model=json.loads(block(model)),
            messages=tuple(
                Message(role=role, content=b"".join(map(block, lines)).decode()) for role, lines in body["messages"]
            ),
            seed=body["seed"],
            schema=None if body["schema"] is None else json.loads(block(body["schema"])),
            replicate=body["replicate"],
        )
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise DamagedRow(f"a stored request cannot be read ({type(error).__name__})") from None
    if request.key != key:
        raise DamagedRow("a stored request does not match its key")
    return request


def identity_json(model: int | None, block: Callable[[int], bytes]) -> str:
    """The JSON of the model's identity in a row, `{}` if it was lost."""
    return "{}" if model is None else block(model).decode()


class Blocks:
    """The `blocks` table of one connection: each text once, numbers known from then on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[bytes, int] | None = None
        self._fresh: list[bytes] = []

    def put(self, data: bytes) -> int:
        """The number of `data`, stored (compressed if that is shorter) unless it is there already."""
        if self._numbers is None:
            rows = self._connection.execute("SELECT id, data FROM blocks")
            self._numbers = {_inflate(stored): number for number, stored in rows}
        if data not in self._numbers:
            number = self._connection.execute("INSERT INTO blocks (data) VALUES (?)", (_deflate(data),)).lastrowid
            assert number is not None
            self._numbers[data] = number
            self._fresh.append(data)
        return self._numbers[data]

    def get(self, number: int) -> bytes:
        """The text with this number. Raises `DamagedRow` if there is none."""
        row = self._connection.execute("SELECT data FROM blocks WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise DamagedRow(f"the stored text {number} is missing")
        return _inflate(row[0])

    def settle(self, kept: bool) -> None:
        """End of a transaction: numbers given in one that was rolled back are forgotten."""
        if not kept:
            for data in self._fresh:
                (self._numbers or {}).pop(data, None)
        self._fresh.clear()


def _deflate(data: bytes) -> bytes:
    packed = zlib.compress(data, 9)
    return b"z" + packed if len(packed) < len(data) else b"=" + data


def _inflate(stored: bytes) -> bytes:
    try:
        return zlib.decompress(stored[1:]) if stored[:1] == b"z" else stored[1:]
    except (zlib.error, TypeError):
        raise DamagedRow("a stored text cannot be unpacked") from None


def insert_call(
    connection: sqlite3.Connection, blocks: Blocks, request: Request | None, reply: Reply, created: float
) -> None:
    """Store a call; one that is stored already stays as it is. `request` is None if it was lost."""
    row: tuple[Any, ...] = (created, None, None)
    if request is not None:
        row = (created, blocks.put(canonical_json(request.model).encode()), pack_request(request, blocks.put))
    connection.execute(
        f"INSERT OR IGNORE INTO calls (created, model, request, {REPLY}) VALUES ({','.join('?' * 13)})",
        (*row, *reply_row(reply)),
    )


def insert_failure(
    connection: sqlite3.Connection, blocks: Blocks, key: str, request: Request, reason: str, created: float
) -> None:
    """Store a failed call."""
    row = (key, created, blocks.put(canonical_json(request.model).encode()), pack_request(request, blocks.put), reason)
    connection.execute("INSERT INTO failures (key, created, model, request, reason) VALUES (?, ?, ?, ?, ?)", row)
