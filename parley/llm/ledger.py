"""The ledger: every model call with its answer, kept as soon as it ends, so that nothing is paid for twice.

One SQLite file per job shard (one writer), laid out as `ledger/{stage}/**/{shard}.sqlite`, outside the workflow's
declared outputs. A rollback journal with full synchronisation: a call is on disk when `put` returns, and a process
that is killed at any point loses at most calls in flight.
"""

import asyncio
import errno
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from parley.errors import ParleyError
from parley.llm import store
from parley.llm.call import Reply, Request
from parley.llm.salvage import salvage, suspicious
from parley.llm.siblings import Siblings
from parley.llm.store import Blocks
from parley.records.published import check_room

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
        self._totals: dict[str, Total] = {}
        self._pending: list[tuple[Request, Reply]] = []
        self._kept: asyncio.Future[None] | None = None
        self._ready = False

    def __enter__(self) -> Self:
        self._sound(lambda: self._connect(create=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was put is safe whether this is called or not; what is being kept is put first."""
        self._flush()
        self._shut()

    def _shut(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):  # takes the empty journal file away
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
        self._connection = self._blocks = None

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, key: str) -> Reply | None:
        """The stored reply to the request with this key, marked `replayed`, or None. Never a failed call."""
        found = self._sound(lambda: self._own(key))
        if found is None and self._siblings is not None:
            found = self._siblings.get(key)
        if found is None:
            return None
        self._count(json.loads(found[1]), replays=1)
        return found[0]

    def request(self, key: str) -> Request | None:
        """The stored request with this key, exactly as it was sent, from this file alone."""
        return self._sound(lambda: self._request(key))

    def totals(self) -> list[Total]:
        """What this run took, one row a model, sorted by name."""
        return [self._totals[model] for model in sorted(self._totals)]

    def _own(self, key: str) -> tuple[Reply, str] | None:
        if (connection := self._connect(create=False)) is None:
            return None
        row = connection.execute(f"SELECT model, {store.REPLY} FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else (store.reply_of(row[1:]), store.identity_json(row[0], self._table().get))

    def _request(self, key: str) -> Request | None:
        if (connection := self._connect(create=False)) is None:
            return None
        row = connection.execute("SELECT model, request FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None or row[1] is None else store.unpack_request(key, row[0], row[1], self._table().get)

    # -- writing -----------------------------------------------------------------------------------------------

    def ready(self) -> None:
        """See to it that calls can be stored. Raises `ParleyError` before anything is paid for rather than after."""
        if not self._ready:
            with self._explained():
                check_room(self.path.parent)
            self._sound(lambda: self._write(lambda connection, blocks: None))
            self._ready = True

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
            self._count(request.model, calls=1, **took)

    def record_failure(self, key: str, request: Request, reason: str) -> None:
        """Store that a call failed for good. It is sent again when it is asked for again."""
        self._sound(lambda: self._write(lambda c, b: store.insert_failure(c, b, key, request, reason, time.time())))
        self._count(request.model, failures=1)

    def _write(self, insert: Callable[[sqlite3.Connection, Blocks], None]) -> None:
        connection = self._connect(create=True)
        assert connection is not None
        kept = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, self._table())
            connection.execute("COMMIT")
            kept = True
        finally:
            if not kept:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            self._table().settle(kept)

    def _count(self, identity: dict[str, Any], **more: float) -> None:
        model = store.label(identity)
        total = self._totals.get(model, Total(model))
        self._totals[model] = replace(total, **{name: getattr(total, name) + value for name, value in more.items()})

    # -- the file ----------------------------------------------------------------------------------------------

    def _table(self) -> Blocks:
        assert self._blocks is not None
        return self._blocks

    def _connect(self, create: bool) -> sqlite3.Connection | None:
        if self._connection is None and (create or self.path.exists()):
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
            try:
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
        if version not in (0, store.VERSION):
            raise ParleyError(
                f"ledger {self.path}: written by another version of Parley (format {version}, this one reads "
                f"{store.VERSION}); use that version, or move the file away"
            )
        connection.execute("PRAGMA synchronous = FULL")
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
                salvage(self.path, str(error))
                return act()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ParleyError(f"ledger {self.path}: {_explain(error)}") from error


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return (
        isinstance(error, store.DamagedRow) or _code(error) in (CORRUPT, NOTADB) or type(error) is sqlite3.DatabaseError
    )


def _explain(error: Exception) -> str:
    code = _code(error)
    if code == BUSY:
        return "another process is writing to it; wait for that job to end, or stop it, and run again"
    refused = isinstance(error, PermissionError | FileExistsError | NotADirectoryError)
    if code in (READONLY, CANTOPEN) or refused or (isinstance(error, OSError) and error.errno == errno.EROFS):
        return f"cannot be written ({error}); make its folder writable and run again"
    if code in (FULL, IOERR) or isinstance(error, OSError):
        return f"the disk is full or fails ({error}); free some space and run again, what is stored stays"
    return f"cannot be used ({error}); move the file away and run again"
