"""A ledger's file: opened, claimed for writing, looked after when it is damaged, and explained when it fails.

A rollback journal with full synchronisation: what `write` did is on disk when it returns. One process at a time writes a
file (`claim`); a damaged one is salvaged, with one line on stderr.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from parley.errors import ParleyError
from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.claim import Claim
from parley.llm.salvage import salvage, suspicious
from parley.llm.sqlite_errors import explain, is_damage

T = TypeVar("T")


class LedgerFile:
    """The SQLite file at `path`, which is made at the first write. Safe to use from several threads.

    Every fault that a person can mend (a locked file, a read-only folder, a full disk) is a `ParleyError`. `timeout` is
    how long, in seconds, another process may hold the file.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None
        self._blocks: Blocks | None = None
        self._claim = Claim(path, timeout)
        self._opened: os.stat_result | None = None
        self._older = False
        self._labels: dict[int | None, str] = {}
        self._lock = threading.RLock()

    @property
    def claimed(self) -> bool:
        """Whether this process is the one that may write."""
        return self._claim.held

    @property
    def blocks(self) -> Blocks:
        """The texts of the open file."""
        assert self._blocks is not None
        return self._blocks

    def close(self) -> None:
        """Close the file and let others write it."""
        self._shut()
        self._claim.release()

    def label(self, model: int | None) -> str:
        """A short name for the model whose identity has this number."""
        if model not in self._labels:
            self._labels[model] = store.label(store.identity_of(model, self.blocks.get))
        return self._labels[model]

    def sound(self, act: Callable[[], T]) -> T:
        """Do `act`; if the file turns out to be damaged, salvage it and do `act` again."""
        with self.explained(), self._lock:
            try:
                return act()
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not is_damage(error):
                    raise
                self._shut()
                self._mend(str(error))
                return act()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Within the block a fault of the disk or of the file is one line that says what to do."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ParleyError(f"ledger {self.path}: {explain(error)}") from error

    def connect(self, create: bool) -> sqlite3.Connection | None:
        """The open file; None if there is none and none is to be made."""
        if self._connection is None and (create or self.path.exists()):
            there = self.path.stat() if self.path.exists() else None
            connection = sqlite3.connect(
                self.path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                self._opened = there or self.path.stat()
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._blocks = connection, Blocks(connection)
        return self._connection

    def take(self) -> bool:
        """Have the claim; whether it is new. If another process put a file of its own in place of ours, that is used."""
        new = self._claim.take()
        if new and not self._in_place():
            self._shut()
        return new

    def write(self, insert: Callable[[sqlite3.Connection, Blocks], None]) -> None:
        """One transaction. What it stored is on disk when this returns; what fails leaves nothing."""
        self.sound(lambda: self._write(insert))

    def _write(self, insert: Callable[[sqlite3.Connection, Blocks], None]) -> None:
        self.take()
        connection = self.connect(create=True)
        assert connection is not None
        kept = False
        try:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, self.blocks)
            if self._older:
                connection.execute(f"PRAGMA user_version = {store.VERSION}")
            connection.execute("COMMIT")
            kept = True
        finally:
            if not kept:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                self.blocks.forget()
        self._older = False

    def _shut(self) -> None:
        if self._connection is not None:
            if self._claim.held:
                with suppress(sqlite3.Error):  # takes the empty journal file away
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
        self._connection = self._blocks = None
        self._labels.clear()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # The first read rolls back what a killed writer left; only then does the file have its true size.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if suspicious(self.path):
            raise sqlite3.DatabaseError("the file is too short")
        if not 0 <= version <= store.LATEST:
            raise sqlite3.DatabaseError("its version number makes no sense")
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

    def _mend(self, fault: str) -> None:
        """Salvage the file that was opened, unless another process has done it meanwhile."""
        self._claim.take()
        if self._in_place():
            salvage(self.path, fault)

    def _in_place(self) -> bool:
        return self._opened is not None and self.path.exists() and os.path.samestat(self._opened, self.path.stat())
