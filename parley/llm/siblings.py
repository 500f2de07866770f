"""Other ledger files of the same stage, read-only: the number of shards may change, and nothing is paid twice."""

import sqlite3
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from heapq import merge
from pathlib import Path
from typing import TypeVar

from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.call import Reply

T = TypeVar("T")
PROBES = 16  # keys that are looked up in every file, before an index over all files pays
OPEN = 16  # files that stay open: the calls of a shard mostly lie together
DIGITS = 12  # hex digits of a key that the index holds; two keys of a stage hardly ever share them
MOST = 16 ** (16 - DIGITS)  # files that the rest of an entry can number
KEYS = f"SELECT group_concat(entry, '') FROM (SELECT substr(key, 1, {DIGITS}) || ? AS entry FROM calls ORDER BY key)"
CALL = f"SELECT model, {store.REPLY} FROM calls WHERE key = ?"


class Siblings:
    """All `*.sqlite` files below `root` except `own`, as they are when first asked for a key.

    A few missing keys (a task was edited) cost a look into each file. After that the keys of all files are read once,
    8 bytes of memory a call, and a key that no file has costs nothing. A file that cannot be read is left out, with one
    line on stderr.
    """

    def __init__(self, root: Path, own: Path, timeout: float) -> None:
        self._root = root
        self._own = own.absolute()
        self._timeout = timeout
        self._files: list[Path] | None = None
        self._probed = 0
        self._index: array[int] | None = None
        self._open: dict[Path, sqlite3.Connection] = {}
        self._labels: dict[tuple[Path, int | None], str] = {}
        self._unreadable: set[Path] = set()

    def get(self, key: str) -> tuple[Reply, str] | None:
        """A stored reply and the label of its model, or None."""
        if self._files is None:
            self._files = [path for path in sorted(self._root.rglob("*.sqlite")) if path.absolute() != self._own]
        found = (self.look(path, key) for path in self._homes(key))
        return next((call for call in found if call is not None), None)

    def look(self, path: Path, key: str) -> tuple[Reply, str] | None:
        """The same from one file, as it is now."""

        def read(connection: sqlite3.Connection) -> tuple[Reply, str] | None:
            row = connection.execute(CALL, (key,)).fetchone()
            return None if row is None else (store.reply_of(row[1:]), self._label(path, row[0], connection))

        return self._read(path, read)

    def close(self) -> None:
        """Close the files. They are opened again when they are needed."""
        while self._open:
            self._open.popitem()[1].close()

    def _homes(self, key: str) -> Iterator[Path]:
        """The files that may have a key."""
        files = self._files or []
        if self._index is None and self._probed < PROBES:
            self._probed += 1
            yield from files
            return
        if self._index is None:
            self._index = array("Q", merge(*(self._keys(path, number) for number, path in enumerate(files[:MOST]))))
        prefix = int(key[:DIGITS], 16)
        at = bisect_left(self._index, prefix * MOST)
        while at < len(self._index) and self._index[at] // MOST == prefix:
            yield files[self._index[at] % MOST]
            at += 1

    def _keys(self, path: Path, number: int) -> "array[int]":
        """The index entries of one file, sorted: the start of a key, then the file's number. Made inside SQLite."""

        def read(connection: sqlite3.Connection) -> bytes:
            (text,) = connection.execute(KEYS, (f"{number:0{16 - DIGITS}x}",)).fetchone()
            return bytes.fromhex(text or "")

        entries = array("Q", self._read(path, read) or b"")
        if sys.byteorder == "little":
            entries.byteswap()
        return entries

    def _label(self, path: Path, model: int | None, connection: sqlite3.Connection) -> str:
        if (path, model) not in self._labels:
            self._labels[path, model] = store.label(store.identity_of(model, Blocks(connection).get))
        return self._labels[path, model]

    def _read(self, path: Path, act: Callable[[sqlite3.Connection], T]) -> T | None:
        if path in self._unreadable:
            return None
        try:
            return act(self._connection(path))
        except (sqlite3.Error, ValueError) as error:
            self._unreadable.add(path)
            print(f"ledger {path}: cannot be read ({error}); its calls are not reused", file=sys.stderr, flush=True)
            return None

    def _connection(self, path: Path) -> sqlite3.Connection:
        if path not in self._open:
            if len(self._open) >= OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = open_read_only(path, self._timeout)
            self._open[path].execute("PRAGMA cache_size = -256")  # KiB, and many may be open
        return self._open[path]


def open_read_only(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection for reading. The journal of a killed job is rolled back: that needs the right to write."""
    uri = path.absolute().as_uri()
    try:
        return _open(f"{uri}?mode=ro", timeout)
    except sqlite3.Error:
        return _open(f"{uri}?mode=rw", timeout)


def _open(uri: str, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=timeout)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
