"""The ledger: every model call with its answer, kept as soon as it ends, so that nothing is paid for twice.

One SQLite file per job shard, laid out as `ledger/{stage}/**/{shard}.sqlite`, outside the workflow's declared outputs.
A rollback journal with full synchronisation: a call is on disk when `put` returns, and a process that is killed, or a
machine that loses power, at any point loses at most calls in flight. One process at a time writes a file (`claim`).
"""

import asyncio
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from parley.errors import ParleyError
from parley.llm import store
from parley.llm.blocks import Blocks, DamagedRow
from parley.llm.call import Reply, Request
from parley.llm.claim import Claim
from parley.llm.packing import unpack_request
from parley.llm.salvage import salvage, suspicious
from parley.llm.siblings import Siblings

T = TypeVar("T")
GATHER = 0.002  # seconds in which calls that end share one transaction
TOOK = ("prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "retries")
BUSY, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 8, 10, 11, 13, 14, 26


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

    `get` also finds calls in the other files below `stage_root`. Every fault that a person can mend (a locked file, a
    read-only folder, a full disk) is a `ParleyError`; a damaged file is salvaged, with one line on stderr.
    """

    def __init__(self, path: Path, stage_root: Path | None = None, *, timeout: float = 30.0) -> None:
        self.path = path
        self._timeout = timeout
        self._siblings = Siblings(stage_root, path, timeout) if stage_root is not None else None
        self._connection: sqlite3.Connection | None = None
        self._blocks: Blocks | None = None
        self._claim = Claim(path, timeout)
        self._opened: os.stat_result | None = None
        self._older = False
        self._labels: dict[int | None, str] = {}
        self._totals: dict[str, Counter[str]] = {}
        self._pending: list[tuple[Request, Reply]] = []
        self._kept: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._sound(lambda: self._connect(create=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was put is safe whether this is called or not; what is being kept is put first."""
        try:
            self._flush()
        finally:
            self._shut()
            self._claim.release()

    def _shut(self) -> None:
        if self._connection is not None:
            if self._claim.held:
                with suppress(sqlite3.Error):  # takes the empty journal file away
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
        if self._siblings is not None:
            self._siblings.close()
        self._connection = self._blocks = None
        self._labels.clear()

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, key: str) -> Reply | None:
        """The stored reply to the request with this key, marked `replayed`, or None. Never a failed call."""
        found = self._sound(lambda: self._own(key))
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
        if reply is None and self._sound(self._take):
            reply = self.get(key)
        return reply

    def request(self, key: str) -> Request | None:
        """The stored request with this key, exactly as it was sent, from this file alone."""
        return self._sound(lambda: self._request(key))

    def totals(self) -> list[Total]:
        """What this run took, one row a model, sorted by name."""
        return [Total(model, **self._totals[model]) for model in sorted(self._totals)]

    def _own(self, key: str) -> tuple[Reply, str] | None:
        if (connection := self._connect(create=False)) is None:
            return None
        row = connection.execute(f"SELECT model, {store.REPLY} FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else (store.reply_of(row[1:]), self._label(row[0]))

    def _label(self, model: int | None) -> str:
        if model not in self._labels:
            self._labels[model] = store.label(json.loads(store.identity_json(model, self._table().get)))
        return self._labels[model]

    def _request(self, key: str) -> Request | None:
        if (connection := self._connect(create=False)) is None:
            return None
        row = connection.execute("SELECT model, request FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None or row[1] is None else unpack_request(key, row[0], row[1], self._table().get)

    # -- writing -----------------------------------------------------------------------------------------------

    def put(self, request: Request, reply: Reply) -> None:
        """Store a call. It is on disk when this returns. A key that is there already keeps its first reply."""
        self._put([(request, reply)])

    async def keep(self, request: Request, reply: Reply) -> None:
        """`put` for many calls at once: those that end in the same moment share one wait for the disk."""
        if self._kept is None:
            loop = asyncio.get_running_loop()
            self._kept = loop.create_future()
            loop.call_later(GATHER, self._flush)
        self._pending.append((request, reply))
        await asyncio.shield(self._kept)

    def _flush(self) -> None:
        pending, kept = self._pending, self._kept
        self._pending, self._kept = [], None
        fault: ParleyError | None = None
        try:
            self._put(pending)
        except ParleyError as error:
            fault = error
        if kept is not None and not kept.done() and not kept.get_loop().is_closed():
            kept.set_exception(fault) if fault else kept.set_result(None)
            kept.add_done_callback(lambda done: done.exception())  # nobody may wait for it any more

    def _put(self, calls: list[tuple[Request, Reply]]) -> None:
        if any(reply.key != request.key for request, reply in calls):
            raise ValueError("the reply answers another request")

        def insert(connection: sqlite3.Connection, blocks: Blocks) -> None:
            for request, reply in calls:
                store.insert_call(connection, blocks, request, reply, time.time())

        if calls:
            self._sound(lambda: self._write(insert))
        for request, reply in calls:
            took = {name: getattr(reply, name) for name in TOOK}
            self._count(store.label(request.model), calls=1, **took)

    def record_failure(self, key: str, request: Request, reason: str) -> None:
        """Store that a call failed for good. It is sent again when it is asked for again."""
        self._sound(lambda: self._write(lambda c, b: store.insert_failure(c, b, key, request, reason, time.time())))
        self._count(store.label(request.model), failures=1)

    def _write(self, insert: Callable[[sqlite3.Connection, Blocks], None]) -> None:
        self._take()
        connection = self._connect(create=True)
        assert connection is not None
        kept = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, self._table())
            if self._older:
                connection.execute(f"PRAGMA user_version = {store.VERSION}")
            connection.execute("COMMIT")
            kept = True
        finally:
            if not kept:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                self._table().forget()
        self._older = False

    def _count(self, model: str, **more: float) -> None:
        self._totals.setdefault(model, Counter()).update(more)

    # -- the file ----------------------------------------------------------------------------------------------

    def _table(self) -> Blocks:
        assert self._blocks is not None
        return self._blocks

    def _connect(self, create: bool) -> sqlite3.Connection | None:
        if self._connection is None and (create or self.path.exists()):
            there = self.path.stat() if self.path.exists() else None
            connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
            try:
                self._opened = there or self.path.stat()
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._blocks = connection, Blocks(connection)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # The first read rolls back what a killed writer left; only then does the file have its true size.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if suspicious(self.path):
            raise sqlite3.DatabaseError("the file is too short")
        if version not in (0, *store.OLDER, store.VERSION):
            raise ParleyError(
                f"ledger {self.path}: written by another version of Parley (format {version}, this one reads up to "
                f"{store.VERSION}); use that version, or move the file away"
            )
        connection.execute("PRAGMA synchronous = FULL")
        self._older = version in store.OLDER
        if version == 0:
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.executescript(f"BEGIN IMMEDIATE; {store.SCHEMA} COMMIT;")
        with suppress(sqlite3.OperationalError):  # a ledger that cannot be written can still be replayed
            connection.execute("PRAGMA journal_mode = TRUNCATE")

    def _sound(self, act: Callable[[], T]) -> T:
        """Do `act`; if the file turns out to be damaged, salvage it and do `act` again."""
        with self._explained():
            try:
                return act()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._shut()
                self._mend(str(error))
                return act()

    def _mend(self, fault: str) -> None:
        """Salvage the file that was opened, unless another process has done it meanwhile."""
        self._claim.take()
        if self._in_place():
            salvage(self.path, fault)

    def _take(self) -> bool:
        """Have the claim. If another process put a file of its own in place of ours meanwhile, that one is used."""
        new = self._claim.take()
        if new and not self._in_place():
            self._shut()
        return new

    def _in_place(self) -> bool:
        return self._opened is not None and self.path.exists() and os.path.samestat(self._opened, self.path.stat())

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ParleyError(f"ledger {self.path}: {_explain(error)}") from error


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, DamagedRow) or _code(error) in (CORRUPT, NOTADB) or type(error) is sqlite3.DatabaseError


def _explain(error: Exception) -> str:
    code = _code(error)
    if code == BUSY:
        return "another process is writing to it; wait for that job to end, or stop it, and run again"
    if code in (READONLY, CANTOPEN) or isinstance(error, PermissionError | FileExistsError | NotADirectoryError):
        return f"cannot be written ({error}); make its folder writable and run again"
    if code in (FULL, IOERR) or isinstance(error, OSError):
        return f"the disk is full or fails ({error}); free some space and run again, what is stored stays"
    return f"cannot be used ({error}); move the file away and run again"
