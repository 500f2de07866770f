"""One at a time: locks that end with the process that holds them, however it ends.

A run holds the results of its experiment; a second run is refused. A job holds its ledger, a training its checkpoints;
a second one (another experiment's, or one that outlived its Snakemake) is waited for and then replayed.
"""

import asyncio
import errno
import fcntl
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley.errors import ParleyError, disk_fault

LOOK_AGAIN = 0.1  # seconds
SAY_AGAIN = 60.0  # seconds between two lines about what is waited for
_HELD: list[int] = []


def hold(results: str) -> None:
    """Hold the lock of a results folder until this process ends.

    Raises `ParleyError` if another run holds it, and if nothing can be written to the folder.
    """
    try:
        handle = _take(Path(results) / ".lock")
    except OSError as error:
        if (fault := disk_fault(error, results)) is None:
            raise
        raise ParleyError(fault) from None
    if handle is None:
        raise ParleyError(f"{results} is in use by another run; wait for it, or stop it first")
    _HELD.append(handle)


@dataclass(frozen=True)
class Holder:
    """A run that holds a results folder: who it is, and since when (Unix time)."""

    who: str
    since: float

    @property
    def age(self) -> float:
        """Seconds since then."""
        return max(0.0, time.time() - self.since)


def holder_of(results: str) -> Holder | None:
    """The run that holds a results folder; None if there is none. It does not notice."""
    lock = Path(results) / ".lock"
    try:
        who, since = lock.read_text(encoding="utf-8").strip(), lock.stat().st_mtime
    except (OSError, UnicodeDecodeError):
        return None
    found = re.fullmatch(r"process (\d+) on (.+)", who)
    if found and found[2] == socket.gethostname():
        return Holder(who, since) if _is_alive(int(found[1]), since) else None
    return Holder(who or "another process", since) if _is_taken(lock) else None


def _is_alive(process: int, since: float) -> bool:
    """Whether a process is there that was there at `since`: numbers are given again."""
    import psutil

    try:
        return psutil.Process(process).create_time() <= since + 1
    except psutil.Error:
        return False


def _is_taken(lock: Path) -> bool:
    """Whether a process on any machine holds a lock. Shared, and for a moment: who only looks must not refuse a run."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold what lies at `path` for the length of the block; who holds it already is waited for, and named on stderr.

    Where nothing can be written nothing needs a lock: the block is then entered without one.
    """
    wait = _Wait(path)
    while not wait.over():
        time.sleep(LOOK_AGAIN)
    try:
        yield
    finally:
        wait.release()


@asynccontextmanager
async def alone_in_loop(path: Path) -> AsyncIterator[None]:
    """`alone` for a coroutine: while it waits the loop goes on, and it can be cancelled."""
    wait = _Wait(path)
    while not wait.over():
        await asyncio.sleep(LOOK_AGAIN)
    try:
        yield
    finally:
        wait.release()


class _Wait:
    """Tries to take the lock of `path` and says now and then who has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # A file of its own: what is locked may be replaced, and closing it would drop SQLite's own locks.
        self._lock = path.with_name(f".{path.name}.lock")
        self._handle: int | None = None
        self._said = -SAY_AGAIN

    def over(self) -> bool:
        """True once the lock is held, or cannot be had because nothing can be written there."""
        try:
            self._handle = _take(self._lock)
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                return True
            if (fault := disk_fault(error, str(self._lock))) is None:
                raise
            raise ParleyError(fault) from None
        if self._handle is None and time.monotonic() - self._said >= SAY_AGAIN:
            self._said = time.monotonic()
            print(
                f"{self._path} is in use by {_holder(self._lock)}; waiting until it ends (stop it to go on at once)",
                file=sys.stderr,
                flush=True,
            )
        return self._handle is not None

    def release(self) -> None:
        """Let the next one in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _take(lock: Path) -> int | None:
    """Lock a file, which is made, and write in it who has it. The handle keeps the lock; None if another has it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError:  # a full disk: the lock holds without a name
        pass
    return handle


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
