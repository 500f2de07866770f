"""Mending a damaged ledger file: move it aside and keep every call in it that can still be read and verified."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.call import Request
from parley.llm.disk import sync_folder
from parley.llm.packing import unpack_request
from parley.llm.store import insert_call, insert_failure

MAGIC = b"SQLite format 3\0"


def suspicious(path: Path) -> bool:
    """True if a file's header or size is not that of a whole database. Reads 100 bytes."""
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return False
    if len(header) < 100 or not header.startswith(MAGIC):
        return True
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    return path.stat().st_size < pages * (65536 if page == 1 else page)


def salvage(path: Path, fault: str) -> None:
    """Replace the damaged ledger at `path` by a fresh one with every call that can be read; say so on stderr.

    The damaged file is kept beside it as `{name}.damaged-{n}`. A kill at any point leaves a whole file at `path`:
    the damaged one or the fresh one.
    """
    kept = _free_name(path)
    shutil.copy2(path, kept)
    journal = path.with_name(path.name + "-journal")
    with suppress(FileNotFoundError):
        shutil.copy2(journal, kept.with_name(kept.name + "-journal"))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    saved, total = _rescue(kept, part)
    # A journal of the old file would be played back into the fresh one, also if only its removal were lost.
    journal.unlink(missing_ok=True)
    sync_folder(path.parent)
    os.replace(part, path)
    sync_folder(path.parent)
    of = f"{saved} of {total}" if total is not None else f"{saved} of an unknown number of"
    print(
        f"ledger {path}: damaged ({fault}); salvaged {of} calls, the damaged file is kept as {kept.name}",
        file=sys.stderr,
        flush=True,
    )


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return name


def _rescue(damaged: Path, part: Path) -> tuple[int, int | None]:
    """Copy what can be read into `part`. Returns (calls copied, calls that there were, None if that is unknown)."""
    saved, most = 0, damaged.stat().st_size  # a row has a byte at least
    with closing(sqlite3.connect(part)) as fresh, closing(sqlite3.connect(damaged)) as old:
        fresh.executescript(store.SCHEMA)
        new_blocks, old_blocks = Blocks(fresh), Blocks(old)
        total = _open_damaged(old)
        for key, model, packed, created, *rest in _rows(
            old, most, "calls", f"key, model, request, created, {store.REPLY}"
        ):
            with suppress(sqlite3.Error, UnicodeDecodeError):
                reply = store.reply_of(tuple(rest))
                request: Request | None = None
                with suppress(sqlite3.Error):
                    request = unpack_request(key, model, packed, old_blocks.get)
                insert_call(fresh, new_blocks, request, reply, created)
                saved += 1
        for key, model, packed, created, reason in _rows(old, most, "failures", "key, model, request, created, reason"):
            with suppress(sqlite3.Error, UnicodeDecodeError):
                request = unpack_request(key, model, packed, old_blocks.get)
                insert_failure(fresh, new_blocks, key, request, reason, created)
        fresh.commit()
    return saved, total


def _open_damaged(old: sqlite3.Connection) -> int | None:
    """Make SQLite look into a file that is too short. Returns how many calls were put into it, if it still knows."""
    with suppress(sqlite3.Error):
        old.execute("PRAGMA writable_schema = ON")
    try:
        row = old.execute("SELECT seq FROM sqlite_sequence WHERE name = 'calls'").fetchone()
        return int(row[0]) if row else 0
    except sqlite3.Error:
        return None


def _rows(old: sqlite3.Connection, most: int, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """Every row that can be fetched alone, by number: a scan would end at the first bad page."""
    last = 0
    for query in (
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",
        f"SELECT id FROM {table} ORDER BY id DESC LIMIT 1",
        f"SELECT id FROM {table} ORDER BY id",
    ):
        with suppress(sqlite3.Error):
            for (number,) in old.execute(query):
                last = max(last, int(number))
    for number in range(1, min(last, most) + 1):  # a damaged count may be any number
        with suppress(sqlite3.Error, UnicodeDecodeError):
            row = old.execute(f"SELECT {columns} FROM {table} WHERE id = ?", (number,)).fetchone()
            if row is not None:
                yield tuple(row)
