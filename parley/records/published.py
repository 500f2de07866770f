"""Files and folders that appear whole or not at all, and are still whole after a power loss."""

import errno
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What a job needs at least to store what it is about to pay for, in bytes.
ROOM = 1 << 18


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """A scratch path; what is written there appears at `path` at the end, whole, whoever else writes it meanwhile.

    After an error `path` is as it was. Its bytes are on disk before its name is: a file system may else keep the new
    name and lose the bytes when the power goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        yield part
        sync(part)
        os.replace(part, path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):  # a disk that takes no file may not let one go either
            part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's bytes are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    try:
        sync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):  # some file systems only do this for files
            raise


def sync_tree(folder: Path) -> None:
    """`sync` of all files of `folder` and below, and of the names in all its folders."""
    for here, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(here, name))
        sync_folder(Path(here))


def sweep(folder: Path) -> None:
    """Remove what killed writers left below `folder`. Only for one who has the folder alone."""
    for part in folder.rglob(".*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def check_room(folder: Path) -> None:
    """Raise `OSError` if a small file cannot be written to `folder`, which is made: not permitted, or no room left."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".room.{uuid.uuid4().hex[:12]}.part"
    try:
        with part.open("wb") as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())  # some file systems say only now that there is no room
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
