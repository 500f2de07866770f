"""Mending a damaged ledger file: move it aside and keep every call in it that can still be read and verified."""

import os
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from parley.llm import store
from parley.llm.blocks import Blocks, DamagedRow, inflate
from parley.llm.disk import sync_folder
from parley.llm.packing import read_request, unpack_request
from parley.llm.pages import rows
from parley.llm.sqlite_errors import in_a_line

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
        f"ledger {path}: damaged ({in_a_line(fault)}); salvaged {of} calls, the damaged file is kept as {kept.name}",
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
    with closing(sqlite3.connect(part)) as fresh:
        fresh.executescript(store.SCHEMA)
        total = _copy_blocks(damaged, fresh)
        blocks = Blocks(fresh)
        for _, values in rows(damaged):
            with suppress(sqlite3.Error, TypeError, ValueError, OverflowError):
                if len(values) == CALL:
                    _copy_call(fresh, blocks, *values)
                elif len(values) == FAILURE:
                    _copy_failure(fresh, blocks, *values)
        with suppress(sqlite3.Error, TypeError, ValueError):
            _copy_indexed(damaged, fresh)
        fresh.commit()
        (saved,) = fresh.execute("SELECT count(*) FROM calls").fetchone()
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
) -> None:
    text, reason, prompt, completion, cached, seconds, *others = rest
    asked: str | None = None
    with suppress(sqlite3.Error):
        asked = read_request(model, packed, blocks.get).key
    for name in dict.fromkeys((key, asked)):  # where the key is what was hit, the request tells it
        with suppress(DamagedRow):
            reply = store.reply_of((name, text, reason, prompt, completion, cached, float(seconds), *others))
            when = created if isinstance(created, int | float) else 0.0
            whole = (model, packed) if name == asked else (None, None)  # the answer is what was paid for
            fresh.execute(store.INSERT, (float(when), *whole, *store.reply_row(reply)))
            return


def _copy_indexed(damaged: Path, fresh: sqlite3.Connection) -> None:
    """Copy the answers that only the index of keys still leads to: their rows no longer say what they answer."""
    uri = f"{damaged.absolute().as_uri()}?immutable=1"  # the damaged file stays as it is, its journal too
    with closing(sqlite3.connect(uri, uri=True)) as old:
        for (key,) in old.execute("SELECT key FROM calls INDEXED BY sqlite_autoindex_calls_1"):
            with suppress(sqlite3.Error, UnicodeDecodeError, TypeError):
                if not fresh.execute("SELECT 1 FROM calls WHERE key = ?", (key,)).fetchone():
                    row = old.execute(f"SELECT {store.REPLY} FROM calls WHERE key = ?", (key,)).fetchone()
                    fresh.execute(store.INSERT, (0.0, None, None, *store.reply_row(store.reply_of(row))))


def _copy_failure(
    fresh: sqlite3.Connection, blocks: Blocks, _: Any, key: Any, created: Any, model: Any, packed: Any, reason: Any
) -> None:
    store.insert_failure(
        fresh, blocks, key, unpack_request(key, model, packed, blocks.get), str(reason), float(created)
    )
