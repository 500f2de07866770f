"""Mending a damaged ledger file: move it aside and keep every call in it that can still be read and verified."""

import os
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from parley.llm import store
from parley.llm.blocks import Blocks, inflate
from parley.llm.disk import sync_folder
from parley.llm.packing import unpack_request
from parley.llm.pages import rows

MAGIC = b"SQLite format 3\0"
CALL, FAILURE = 14, 6  # columns of the tables


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
    saved = 0
    with closing(sqlite3.connect(part)) as fresh:
        fresh.executescript(store.SCHEMA)
        total = _copy_blocks(damaged, fresh)
        blocks = Blocks(fresh)
        for _, values in rows(damaged):
            with suppress(sqlite3.Error, TypeError, ValueError, OverflowError):
                if len(values) == CALL:
                    saved += _copy_call(fresh, blocks, *values)
                elif len(values) == FAILURE:
                    _copy_failure(fresh, blocks, *values)
        fresh.commit()
    return saved, total


def _copy_blocks(damaged: Path, fresh: sqlite3.Connection) -> int | None:
    """Copy the texts that can be unpacked, under their numbers. Returns how many calls were put into the file."""
    total: int | None = None
    for number, values in rows(damaged):
        match values:
            case (None, bytes() as data):
                with suppress(sqlite3.Error, OverflowError):
                    inflate(data)
                    fresh.execute("INSERT OR IGNORE INTO blocks (id, data) VALUES (?, ?)", (number, data))
            case ("calls", int() as count):
                total = count
    return total


def _copy_call(
    fresh: sqlite3.Connection, blocks: Blocks, _: Any, key: Any, created: Any, model: Any, packed: Any, *rest: Any
) -> int:
    text, reason, prompt, completion, cached, seconds, *others = rest
    reply = store.reply_of((key, text, reason, prompt, completion, cached, float(seconds), *others))
    try:
        unpack_request(key, model, packed, blocks.get)
    except sqlite3.Error:
        model = packed = None  # the answer is what was paid for
    return fresh.execute(store.INSERT, (float(created), model, packed, *store.reply_row(reply))).rowcount


def _copy_failure(
    fresh: sqlite3.Connection, blocks: Blocks, _: Any, key: Any, created: Any, model: Any, packed: Any, reason: Any
) -> None:
    store.insert_failure(
        fresh, blocks, key, unpack_request(key, model, packed, blocks.get), str(reason), float(created)
    )
