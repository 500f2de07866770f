"""A folder as one result: it appears whole or not at all, and can be told by the hashes of its files."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parley.canonical import file_digest
from parley.records.published import sync_folder, sync_tree


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `out` when the block ends; after an error `out` is untouched."""
    part = scratch(out)
    try:
        yield part
        put(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def scratch(out: Path) -> Path:
    """A new empty folder beside `out`, on the same file system, with a name that no other job has."""
    part = out.with_name(f".{out.name}.{uuid.uuid4().hex[:12]}.part")
    part.mkdir(parents=True)
    return part


def put(part: Path, out: Path) -> None:
    """Move the folder `part` to `out`, in place of what is there. Its bytes are on disk before its name is."""
    sync_tree(part)
    if out.exists():
        old = scratch(out)
        os.replace(out, old / "old")
        os.replace(part, out)
        shutil.rmtree(old)
    else:
        os.replace(part, out)
    sync_folder(out.parent)


def file_digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of `folder` and below, by its path in the folder, sorted."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in paths}


def essence(folder: Path) -> str:
    """The folder's manifest without the hashes of its files: what consumers of its content depend on, as JSON text.

    A card that says the same in other words, or another line in a log, is then no reason to play or test anything again.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest.pop("files", None)
    return json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write `manifest.json`: the small file that stands for the folder where a workflow compares contents."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
