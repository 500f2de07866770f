"""Generated files that a person may edit: an edit is noticed and never silently overwritten."""

import hashlib
from pathlib import Path

from parley.canonical import file_digest
from parley.records.jsonl import write_text


def _memo(path: Path) -> Path:
    return path.with_name(f".{path.name}.made")


def edited(path: Path) -> bool:
    """True if the file exists and is not what was last generated here; so is a file that was never generated here.

    An empty file is no edit: it is what a power loss may leave.
    """
    return path.exists() and path.stat().st_size > 0 and file_digest(path) not in _made(path)


def generate(path: Path, text: str, remedy: str) -> str | None:
    """Write `text`, unless a person has edited the file: then keep theirs and return a line that says so.

    `remedy` says how to make the edit permanent.
    """
    if edited(path) and path.read_bytes() != text.encode():
        path.touch()
        return f"{path} was edited by hand: your version is kept. To make it permanent {remedy}; to drop it delete the file"
    known, new = _made(path), hashlib.sha256(text.encode()).hexdigest()
    write_text(_memo(path), "".join(f"{one}\n" for one in [*known, new]))  # a kill between the two is no edit
    write_text(path, text)
    write_text(_memo(path), f"{new}\n")
    return None


def _made(path: Path) -> list[str]:
    """The hashes of what was last generated; two after a kill in the middle."""
    memo = _memo(path)
    return memo.read_text(encoding="utf-8").split() if memo.exists() else []
