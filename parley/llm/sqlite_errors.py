"""What an error of SQLite or of the disk means to a person who runs a job."""

import errno
import sqlite3

from parley.llm.blocks import DamagedRow

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
ERROR, BUSY, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 1, 5, 8, 10, 11, 13, 14, 26


def is_damage(error: Exception) -> bool:
    """True if the file is not what was written, as against one that cannot be used now.

    All statements here are right, so that SQLite's plain `ERROR` (no such column) means that the schema is not what it
    was, and an error that has no code at all is Python's: a text that is no UTF-8.
    """
    if isinstance(error, sqlite3.OperationalError):
        return _code(error) in (0, ERROR, CORRUPT, NOTADB)
    return isinstance(error, DamagedRow | UnicodeDecodeError) or type(error) is sqlite3.DatabaseError


def explain(error: Exception) -> str:
    """The fault and its remedy, in half a line."""
    code = _code(error)
    if code == BUSY:
        return "another process is writing to it; wait for that job to end, or stop it, and run again"
    if code in (READONLY, CANTOPEN) or getattr(error, "errno", None) in UNWRITABLE:
        return f"cannot be written ({in_a_line(error)}); make its folder writable and run again"
    if code in (FULL, IOERR) or isinstance(error, OSError):
        return f"the disk is full or fails ({in_a_line(error)}); free some space and run again, what is stored stays"
    return f"cannot be used ({in_a_line(error)}); move the file away and run again"


def in_a_line(fault: object, most: int = 120) -> str:
    """What an error says, fit for a terminal: SQLite quotes the bytes of a damaged row, whatever they are."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(fault)).split())[:most]


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
