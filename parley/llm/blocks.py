"""Blocks: the texts that requests are made of, each kept once in a file and named by a number."""

import sqlite3
import zlib

REMEMBERED = 8 << 20  # bytes of memory for texts whose numbers are known; at most twice as much is used
ENTRY = 150  # bytes that a remembered text takes beside its own
ENDS = 1024  # rows at either end of the table that a new connection knows


class DamagedRow(sqlite3.DatabaseError):
    """A row that can be read but is not what was written."""


class Blocks:
    """The `blocks` table of one connection.

    Only texts that were in use lately are recognised, so that memory does not grow with the file. That is enough: what
    a prompt repeats was said in the turns before it. A text that was forgotten is stored once more.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._recent: dict[bytes, int] | None = None
        self._older: dict[bytes, int] = {}
        self._room = REMEMBERED

    def put(self, data: bytes) -> int:
        """The number of `data`, stored (compressed if that is shorter) unless it is known to be there."""
        if self._recent is None:
            self._recent = {}
            self._look_at_the_ends()
        if (number := self._recent.get(data)) is None:
            if (number := self._older.get(data)) is None:
                number = self._connection.execute("INSERT INTO blocks (data) VALUES (?)", (_deflate(data),)).lastrowid
                assert number is not None
            self._remember(data, number)
        return number

    def get(self, number: int) -> bytes:
        """The text with this number. Raises `DamagedRow` if it is missing or cannot be unpacked."""
        row = self._connection.execute("SELECT data FROM blocks WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise DamagedRow(f"the stored text {number} is missing")
        return _inflate(row[0])

    def forget(self) -> None:
        """After a transaction that was rolled back: the numbers given in it mean nothing."""
        self._recent, self._older, self._room = None, {}, REMEMBERED

    def _remember(self, data: bytes, number: int) -> None:
        assert self._recent is not None
        self._recent[data] = number
        self._room -= len(data) + ENTRY
        if self._room < 0:
            self._older, self._recent, self._room = self._recent, {}, REMEMBERED

    def _look_at_the_ends(self) -> None:
        """A file begins with what all its prompts share and ends with what was being said when its job stopped."""
        for order in ("", "DESC"):
            query = f"SELECT data, id FROM blocks ORDER BY id {order} LIMIT {ENDS}"
            for stored, number in self._connection.execute(query).fetchall():
                self._remember(_inflate(stored), number)


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 6)  # less memory to clear: a third off a short text
    packed = packer.compress(data) + packer.flush()
    return b"z" + packed if len(packed) < len(data) else b"=" + data


def _inflate(stored: bytes) -> bytes:
    try:
        return zlib.decompress(stored[1:]) if stored[:1] == b"z" else stored[1:]
    except (zlib.error, TypeError):
        raise DamagedRow("a stored text cannot be unpacked") from None
