"""The ledger: every model call with its answer, kept as soon as it ends, so that nothing is paid for twice.

One SQLite file per job shard, laid out as `ledger/{stage}/**/{shard}.sqlite`, outside the workflow's declared outputs.
A call is on disk when `put` returns (`ledger_file`): a process that is killed, or a machine that loses power, at any point
loses at most calls in flight.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from parley.llm import store
from parley.llm.absence import Absence
from parley.llm.blocks import Blocks, DamagedRow
from parley.llm.call import Reply, Request
from parley.llm.keeper import Keeper
from parley.llm.ledger_file import LedgerFile
from parley.llm.neighbours import Neighbours
from parley.llm.packing import unpack_request
from parley.llm.siblings import Siblings
from parley.records.published import check_room

TOOK = ("prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "retries")


@dataclass(frozen=True)
class Total:
    """What one model's calls took in this run. Tokens and seconds are of sent calls; `replays` cost nothing."""

    model: str
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    retries: int = 0
    failures: int = 0
    replays: int = 0


class Ledger:
    """The calls of one job shard, in the file `path`, which is made at the first `put`.

    `get` also finds calls in the other files below `stage_root`. Every fault that a person can mend is a `ParleyError`.
    """

    def __init__(self, path: Path, stage_root: Path | None = None, *, timeout: float = 30.0) -> None:
        self.path = path
        self._siblings = Siblings(stage_root, path, timeout) if stage_root is not None else None
        self._neighbours = Neighbours(stage_root, path) if stage_root is not None else None
        self._file = LedgerFile(path, timeout)
        self._totals: dict[str, Counter[str]] = {}
        self._keeper = Keeper(self._put)
        self._absent: Absence | None = None
        self._ready = False

    def __enter__(self) -> Self:
        self._file.sound(lambda: self._file.connect(create=False))
        if self._neighbours is not None:
            self._neighbours.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was put is safe whether this is called or not; what is being kept is put first."""
        try:
            self._keeper.close()
        finally:
            if self._siblings is not None:
                self._siblings.close()
            if self._neighbours is not None:
                self._neighbours.close()
            self._file.close()
            self._absent = None

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, key: str) -> Reply | None:
        """The stored reply to the request with this key, marked `replayed`, or None. Never a failed call."""
        absent = self._absent is not None and key in self._absent
        found = None if absent else self._file.sound(lambda: self._own(key))
        if found is None and self._siblings is not None:
            found = self._siblings.get(key)
        if found is None:
            return None
        self._count(found[1], replays=1)
        return found[0]

    def get_or_claim(self, key: str) -> Reply | None:
        """`get` for who is about to pay for the call: with None comes the right to write the file.

        So a job that cannot keep an answer (another process is writing the file, the folder is read-only) stops before
        anything is paid, with a `ParleyError`. What the other process kept while this one waited is found.
        """
        reply = self.get(key)
        if reply is None and not self._file.claimed and self._file.sound(self._file.take):
            reply = self.get(key)
        return reply

    @asynccontextmanager
    async def asking(self, key: str) -> AsyncIterator[Reply | None]:
        """Within the block no other job of the stage asks for this key. Yields the reply if one has kept it meanwhile.

        Waits while another job is asking: what two of them want at the same time is paid for once.
        """
        if self._neighbours is None or self._siblings is None:
            yield None
            return
        async with self._neighbours.asking(key) as path:
            found = None if path is None else self._siblings.look(path, key)
            if found is not None:
                self._count(found[1], replays=1)
            yield None if found is None else found[0]

    def request(self, key: str) -> Request | None:
        """The stored request with this key, exactly as it was sent, from this file alone."""
        return self._file.sound(lambda: self._request(key))

    def totals(self) -> list[Total]:
        """What this run took, one row a model, sorted by name."""
        return [Total(model, **self._totals[model]) for model in sorted(self._totals)]

    def _own(self, key: str) -> tuple[Reply, str] | None:
        if (connection := self._file.connect(create=False)) is None:
            return None
        row = connection.execute(f"SELECT model, {store.REPLY} FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else (store.reply_of(row[1:]), self._file.label(row[0]))

    def _request(self, key: str) -> Request | None:
        if (connection := self._file.connect(create=False)) is None:
            return None
        row = connection.execute("SELECT model, request FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None or row[1] is None else unpack_request(key, row[0], row[1], self._file.blocks.get)

    # -- writing -----------------------------------------------------------------------------------------------

    def ready(self) -> None:
        """See to it that calls can be stored. Raises `ParleyError` before anything is paid for rather than after."""
        if not self._ready:
            with self._file.explained():
                check_room(self.path.parent)
            self._file.write(lambda connection, blocks: None)
            self._ready = True

    def put(self, request: Request, reply: Reply) -> None:
        """Store a call. It is on disk when this returns. A key that is there already keeps its first reply."""
        if self._absent is not None:
            self._absent.seen(request.key)
        self._put([(request, reply)])

    async def keep(self, request: Request, reply: Reply) -> None:
        """`put` for many calls at once, in a thread: those that end while the disk is busy share the next transaction."""
        self._note(request.key)
        await self._keeper.keep((request, reply))

    def _note(self, key: str) -> None:
        """Remember which keys may be in the file, so that looking for one that is not never waits for the disk.

        From the first answer that is kept on: with the claim held nobody else adds any.
        """
        if self._absent is None:
            self._absent = self._file.sound(self._survey)
        self._absent.seen(key)

    def _survey(self) -> Absence:
        self._file.take()
        absent = Absence()
        if (connection := self._file.connect(create=False)) is not None:
            try:
                for (key,) in connection.execute("SELECT key FROM calls"):
                    absent.seen(key)
            except (ValueError, TypeError):
                raise DamagedRow("a stored key is none") from None
        return absent

    def _put(self, calls: list[tuple[Request, Reply]]) -> None:
        if any(reply.key != request.key for request, reply in calls):
            raise ValueError("the reply answers another request")

        def insert(connection: sqlite3.Connection, blocks: Blocks) -> None:
            for request, reply in calls:
                store.insert_call(connection, blocks, request, reply, time.time())

        if calls:
            self._file.write(insert)
            if self._neighbours is not None:
                self._neighbours.keep(request.key for request, _ in calls)
        for request, reply in calls:
            took = {name: getattr(reply, name) for name in TOOK}
            self._count(store.label(request.model), calls=1, **took)

    def record_failure(self, key: str, request: Request, reason: str) -> None:
        """Store that a call failed for good. It is sent again when it is asked for again."""
        self._file.write(lambda c, b: store.insert_failure(c, b, key, request, reason, time.time()))
        self._count(store.label(request.model), failures=1)

    def _count(self, model: str, **more: float) -> None:
        self._totals.setdefault(model, Counter()).update(more)
