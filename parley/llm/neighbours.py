"""Neighbours: the other jobs of a stage that are at work just now. What one of them asks for, the others wait for.

A stage's jobs share requests (a partner opens the same episode against every policy). Each keeps its answers in a file of
its own, and knows the files of others as they were when it began; so what two ask for at the same time would be paid for
twice. All of them therefore hold on to one small file: a lock on a byte that the request's key names, which ends with the
process that holds it, says that the request is under way; a line says in which ledger its answer has been kept.
"""

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

NAME = ".neighbours"
POLL = 0.05  # seconds between two looks at a request that a neighbour has under way
DIGITS = 15  # hex digits of a key that name its byte and its line: two keys of a stage do not share them
TAKEN = (errno.EACCES, errno.EAGAIN)
ALIVE = 0  # the byte that every job holds for reading


class Neighbours:
    """What a job and the other jobs of the stage at `root` tell each other.

    Where files cannot be locked or written (a file system without locks, a folder that is read-only) there are none.
    """

    def __init__(self, root: Path, own: Path) -> None:
        self._root = root
        self._own = os.path.relpath(own, root)
        self._handle: int | None = None
        self._read = 0
        self._rest = b""
        self._kept: dict[str, Path] = {}
        self._silent = False

    @asynccontextmanager
    async def asking(self, key: str) -> AsyncIterator[Path | None]:
        """Within the block no neighbour asks for `key`; waits while one does. Yields the ledger that has the answer now."""
        place = 1 + int(key[:DIGITS], 16)
        held = self._opened() and await self._hold(place)
        try:
            yield self._ledger_of(key) if held else None
        finally:
            if held and self._handle is not None:
                with suppress(OSError):
                    fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, place)

    def keep(self, keys: Iterable[str]) -> None:
        """Tell the neighbours whose answers are in this job's ledger now."""
        if self._handle is not None and not self._silent:
            try:
                os.write(self._handle, "".join(f"{key[:DIGITS]} {self._own}\n" for key in keys).encode())
            except OSError:  # the answer is kept; a neighbour may pay for it once more
                self._silent = True

    def open(self) -> None:
        """Begin, if others have: whoever only reads leaves no file behind."""
        if (self._root / NAME).exists():
            self._opened()

    def close(self) -> None:
        """Let go of everything."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _opened(self) -> bool:
        if self._handle is None and not self._silent:
            try:
                self._handle = os.open(self._root / NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
                self._enter(self._handle)
            except OSError:
                self.close()
                self._silent = True
        return self._handle is not None

    def _enter(self, handle: int) -> None:
        """Be alive for the others. Who is alone begins a new file: nobody misses the lines of the old one."""
        if _lock(handle, fcntl.LOCK_EX, ALIVE):
            os.ftruncate(handle, 0)
        while not _lock(handle, fcntl.LOCK_SH, ALIVE):  # another one is at the line above
            pass

    async def _hold(self, place: int) -> bool:
        """Have the byte; False if there are no locks after all."""
        while self._handle is not None:
            try:
                if _lock(self._handle, fcntl.LOCK_EX, place):
                    return True
            except OSError:
                self._silent = True
                return False
            await asyncio.sleep(POLL)
        return False

    def _ledger_of(self, key: str) -> Path | None:
        """Where a neighbour has kept the answer, as far as it has been told."""
        if self._handle is None:
            return None
        with suppress(OSError):
            while block := os.pread(self._handle, 1 << 20, self._read):
                self._read += len(block)
                *lines, self._rest = (self._rest + block).split(b"\n")
                for line in lines:
                    name, _, ledger = line.decode(errors="replace").partition(" ")
                    if ledger and ledger != self._own:
                        self._kept[name] = self._root / ledger
        return self._kept.get(key[:DIGITS])


def _lock(handle: int, kind: int, place: int) -> bool:
    """Lock one byte; False if another process holds it."""
    try:
        fcntl.lockf(handle, kind | fcntl.LOCK_NB, 1, place)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        raise
    return True
