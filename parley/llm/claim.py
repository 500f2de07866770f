"""A claim: one process at a time writes a ledger file. It ends with the process that holds it, however that ends."""

import errno
import fcntl
import os
import time
from pathlib import Path

from parley.errors import ParleyError
from parley.llm.disk import make_folder

POLL = 0.05  # seconds between two looks at a claim that another process holds
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # file systems without locks: SQLite's own must do


class Claim:
    """The right to write the file `path`: a lock on `{path}.lock`, which is gone again after `release`."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._lock = path.with_name(path.name + ".lock")
        self._timeout = timeout
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """True between `take` and `release`."""
        return self._handle is not None

    def take(self) -> bool:
        """Have the claim; True if it is newly taken. Waits `timeout` seconds for another holder, then `ParleyError`.

        Raises `OSError` if the folder cannot be made or written.
        """
        if self._handle is not None:
            return False
        make_folder(self._path.parent)
        last = time.monotonic() + self._timeout
        while (handle := self._try()) is None:
            if time.monotonic() >= last:
                raise ParleyError(
                    f"ledger {self._path}: another process is writing to it; wait for that job to end, or stop it, "
                    "and run again"
                )
            time.sleep(POLL)
        self._handle = handle
        return True

    def release(self) -> None:
        """Let others write. Harmless if the claim is not held."""
        if self._handle is not None:
            self._lock.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def _try(self) -> int | None:
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._named(handle):
                return handle
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in NO_LOCKS:
                return handle
            os.close(handle)
            raise
        os.close(handle)
        return None

    def _named(self, handle: int) -> bool:
        """False if the lock was taken on a file that its last holder has just removed."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._lock))
        except FileNotFoundError:
            return False
