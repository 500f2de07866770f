"""The study's one SQLite file: a transaction is on disk when it ends, and a damaged file is never written to.

A rollback journal, which network file systems bear, and one writer at a time. The process that serves a study and a
command beside it take turns.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from parley.errors import ParleyError
from parley.records.published import published

VERSION = 1
#: Seconds that a writer waits for another.
PATIENCE = 20.0
_SCHEMA = """
CREATE TABLE study (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE items (
    item TEXT PRIMARY KEY, stratum TEXT NOT NULL, words INTEGER NOT NULL, content TEXT NOT NULL
) STRICT;
CREATE TABLE raters (
    rater TEXT PRIMARY KEY, token TEXT UNIQUE, external TEXT UNIQUE, step TEXT NOT NULL, code TEXT,
    invited REAL NOT NULL, consented REAL, finished REAL, tries INTEGER NOT NULL DEFAULT 0, qualification TEXT
) STRICT;
CREATE TABLE sessions (
    session TEXT PRIMARY KEY, rater TEXT REFERENCES raters ON DELETE CASCADE, opened REAL NOT NULL
) STRICT;
CREATE TABLE assignments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL REFERENCES items,
    rater TEXT NOT NULL REFERENCES raters ON DELETE CASCADE,
    first INTEGER NOT NULL, begun REAL NOT NULL, touched REAL NOT NULL, done REAL, seconds REAL, UNIQUE (item, rater)
) STRICT;
CREATE TABLE marks (
    assignment INTEGER NOT NULL REFERENCES assignments ON DELETE CASCADE, seat INTEGER NOT NULL,
    dimension TEXT NOT NULL, score INTEGER, reason TEXT NOT NULL, PRIMARY KEY (assignment, seat, dimension)
) STRICT;
"""


class Database:
    """An open study file. Raises `ParleyError` for one that is damaged, of another kind or of another version."""

    def __init__(self, path: Path, durable: bool = True) -> None:
        """With `durable` false nothing waits for the disk: for a study that is thrown away in the end."""
        self.path = path
        self._durable = durable
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists() or path.stat().st_size == 0
        if fresh:
            path.touch(0o600)
        try:
            self._open = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            self._open.row_factory = sqlite3.Row
            self._prepare(fresh)
        except sqlite3.DatabaseError as error:
            with suppress(AttributeError):
                self._open.close()
            raise self._fault(error) from None

    def _prepare(self, fresh: bool) -> None:
        if not fresh and (found := self._open.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
        synchronous = f"synchronous = {'FULL' if self._durable else 'OFF'}"
        for pragma in ("journal_mode = DELETE", synchronous, "foreign_keys = ON", "secure_delete = ON"):
            self._open.execute(f"PRAGMA {pragma}")
        with self.transaction() as open_:
            there = {row[0] for row in open_.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not there:
                for statement in _SCHEMA.split(";"):
                    open_.execute(statement)
                open_.execute("INSERT INTO study VALUES ('version', ?)", (str(VERSION),))
            elif "study" not in there or "assignments" not in there:
                raise ParleyError(f"{self.path}: an SQLite file, but no study; give another path with --study")
            elif (version := open_.execute("SELECT value FROM study WHERE name = 'version'").fetchone()) is None or (
                version[0] != str(VERSION)
            ):
                raise ParleyError(f"{self.path}: a study of another version of Parley; open it with that version")

    def _fault(self, error: sqlite3.Error) -> ParleyError:
        copy = self.copy_path
        remedy = f"put back its copy ({copy}), or" if copy.exists() else "put back a copy of yours, or"
        if "locked" in str(error):
            return ParleyError(f"{self.path}: in use by another process; wait for it, or stop it first")
        told = " ".join(str(error).split())
        return ParleyError(
            f"{self.path}: damaged ({told}); nothing was written to it: {remedy} save what can be read with "
            f"`sqlite3 {self.path} .recover`"
        )

    @property
    def copy_path(self) -> Path:
        """Where the copy lies that is made when serving begins."""
        return self.path.with_name(f"{self.path.name}.copy")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that the block writes, or nothing; it is on disk when the block ends. Raises `ParleyError` on damage."""
        with self._lock:
            try:
                if self._open.in_transaction:  # part of a larger one
                    yield self._open
                    return
                self._open.execute("BEGIN IMMEDIATE")
                try:
                    yield self._open
                    self._open.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        self._open.execute("ROLLBACK")
                    raise
            except sqlite3.IntegrityError:
                raise
            except sqlite3.DatabaseError as error:
                raise self._fault(error) from None

    def get(self, name: str) -> str | None:
        """A setting of the study."""
        with self.transaction() as open_:
            row = open_.execute("SELECT value FROM study WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, name: str, value: str) -> None:
        """Remember a setting of the study."""
        with self.transaction() as open_:
            open_.execute("INSERT INTO study VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?2", (name, value))

    def copy(self) -> None:
        """Put a whole copy of the study beside it."""
        with self._lock, published(self.copy_path) as part, closing(sqlite3.connect(part)) as target:
            part.chmod(0o600)
            self._open.backup(target)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._open.close()
