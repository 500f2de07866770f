"""A disk that can lose its power: what SQLite writes and syncs is recorded, and what a loss may leave is built from it.

The recorder is a SQLite VFS that passes everything on to the real one. A state after a loss has, of each file,
everything up to its last sync, and of what was written since then any part: whole writes or single sectors of them,
late ones without early ones, or rubbish. That is what SQLite is built to bear, and more than disks do in practice.
"""

import _sqlite3
import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

SECTOR = 512
CREATE = 0x4  # SQLITE_OPEN_CREATE
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class Methods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = [
        ("version", c_int),
        *((name, c_void_p) for name in ("close", "read", "write", "truncate", "sync", "size", "lock", "unlock")),
        *((name, c_void_p) for name in ("reserved", "control", "sector", "traits", "map", "shm", "barrier", "unmap")),
        *((name, c_void_p) for name in ("fetch", "unfetch")),
    ]


class File(ctypes.Structure):
    """`sqlite3_file`."""

    _fields_ = [("methods", POINTER(Methods))]


class Vfs(ctypes.Structure):
    """`sqlite3_vfs`."""

    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("path_size", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
        *((name, c_void_p) for name in ("access", "full", "dlopen", "dlerror", "dlsym", "dlclose", "random", "sleep")),
        *((name, c_void_p) for name in ("time", "error", "time64", "set_call", "get_call", "next_call")),
    ]


@dataclass(frozen=True)
class Step:
    """Something that happened to a file: `create`, `write`, `truncate`, `sync`, `delete`; or a `mark` of the test."""

    kind: str
    name: str
    at: int = 0
    data: bytes = b""


@contextmanager
def recorded() -> Iterator[list[Step]]:
    """While this is open, every SQLite connection that is opened writes its steps into the list."""
    try:
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = POINTER(Vfs)
    except (AttributeError, OSError):
        pytest.skip("this Python's SQLite cannot be reached through ctypes")
    steps: list[Step] = []
    real = library.sqlite3_vfs_find(None)
    recorder = _Recorder(real.contents, steps)
    assert library.sqlite3_vfs_register(ctypes.byref(recorder.vfs), 1) == 0
    try:
        yield steps
    finally:
        library.sqlite3_vfs_register(real, 1)
        library.sqlite3_vfs_unregister(ctypes.byref(recorder.vfs))


class _Recorder:
    """The VFS and the callbacks that must live as long as it."""

    def __init__(self, real: Vfs, steps: list[Step]) -> None:
        self._steps = steps
        self._names: dict[int, str] = {}
        self._patched: dict[int, Methods] = {}
        self._callbacks: list[Any] = []
        self._real_open, self._real_delete = OPEN(real.open), DELETE(real.delete)
        self.vfs = Vfs.from_buffer_copy(real)
        self.vfs.name = b"recorder"
        self.vfs.open = self._pointer(OPEN(self._open))
        self.vfs.delete = self._pointer(DELETE(self._delete))

    def _pointer(self, callback: Any) -> int | None:
        self._callbacks.append(callback)
        return ctypes.cast(callback, c_void_p).value

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        path = os.path.basename(ctypes.string_at(name).decode()) if name else ""
        new = bool(name) and flags & CREATE and not os.path.exists(ctypes.string_at(name))  # type: ignore[arg-type]
        if result := int(self._real_open(vfs, name, file, flags, out)):
            return result
        self._names[file] = path
        if new:
            self._steps.append(Step("create", path))
        opened = ctypes.cast(file, POINTER(File)).contents
        address = ctypes.addressof(opened.methods.contents)
        if address not in self._patched:
            self._patched[address] = self._patch(opened.methods.contents)
        opened.methods = ctypes.pointer(self._patched[address])
        return 0

    def _patch(self, real: Methods) -> Methods:
        write, truncate, sync = WRITE(real.write), TRUNCATE(real.truncate), SYNC(real.sync)

        def on_write(file: int, data: int, size: int, at: int) -> int:
            self._steps.append(Step("write", self._names[file], at, ctypes.string_at(data, size)))
            return int(write(file, data, size, at))

        def on_truncate(file: int, size: int) -> int:
            self._steps.append(Step("truncate", self._names[file], size))
            return int(truncate(file, size))

        def on_sync(file: int, flags: int) -> int:
            result = int(sync(file, flags))
            self._steps.append(Step("sync", self._names[file]))
            return result

        mine = Methods.from_buffer_copy(real)
        mine.write = self._pointer(WRITE(on_write))
        mine.truncate = self._pointer(TRUNCATE(on_truncate))
        mine.sync = self._pointer(SYNC(on_sync))
        return mine

    def _delete(self, vfs: int, name: bytes, sync_folder: int) -> int:
        self._steps.append(Step("delete", os.path.basename(name.decode())))
        return int(self._real_delete(vfs, name, sync_folder))


# -- what a loss of power leaves -------------------------------------------------------------------------------------


@dataclass
class Platter:
    """One file on the disk: what is safe, None if the file is not there, and the steps that may be lost."""

    safe: bytearray | None = None
    waiting: list[Step] = field(default_factory=list)


def platters(steps: list[Step]) -> dict[str, Platter]:
    """The disk after some steps."""
    disk: dict[str, Platter] = {}
    for step in steps:
        if step.kind == "mark":
            continue
        platter = disk.setdefault(step.name, Platter())
        if step.kind == "sync":
            for waiting in platter.waiting:
                _apply(platter, waiting)
            platter.waiting.clear()
        else:
            platter.waiting.append(step)
    return disk


def lose_power(steps: list[Step], folder: Path, random: Random) -> None:
    """Write into `folder` one state that a loss of power right after `steps` may leave."""
    for name, platter in platters(steps).items():
        share = random.choice((0.0, 0.5, 0.9, 1.0))  # of what was not synced
        for step in platter.waiting:
            if step.kind == "write":
                for part in _sectors(step):
                    if random.random() < share:
                        _apply(platter, part if random.random() < 0.98 else _rubbish(part, random))
            elif random.random() < share:
                _apply(platter, step)
        if platter.safe is not None:
            (folder / name).write_bytes(platter.safe)


def _sectors(step: Step) -> Iterator[Step]:
    at, data = step.at, step.data
    while data:
        size = SECTOR - at % SECTOR
        yield Step("write", step.name, at, data[:size])
        at, data = at + size, data[size:]


def _rubbish(step: Step, random: Random) -> Step:
    return Step("write", step.name, step.at, random.randbytes(len(step.data)))


def _apply(platter: Platter, step: Step) -> None:
    if step.kind == "delete":
        platter.safe = None
        return
    platter.safe = content = platter.safe if platter.safe is not None else bytearray()
    if step.kind == "write":
        content.extend(bytes(max(0, step.at - len(content))))
        content[step.at : step.at + len(step.data)] = step.data
    elif step.kind == "truncate":
        del content[step.at :]
