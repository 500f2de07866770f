"""Generated files that a person may edit: an edit is noticed and never silently overwritten."""

import hashlib
from pathlib import Path

from parley.canonical import file_digest
from parley.records.jsonl import write_text

REMEMBERED = 4


def _memo(path: Path) -> Path:
    return path.with_name(f".{path.name}.made")


def edited(path: Path) -> bool:
    """True if the file exists and is not what was generated here lately; so is a file that was never generated here.

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
    # What was made before stays known: a kill between the two lines leaves it, and a job that fails has it put back.
    made = dict.fromkeys([*_made(path), hashlib.sha256(text.encode()).hexdigest()])
    write_text(_memo(path), "".join(f"{one}\n" for one in [*made][-REMEMBERED:]))
    write_text(path, text)
    return None


def _made(path: Path) -> list[str]:
    """The hashes of what was generated here, the last one last."""
    memo = _memo(path)
    return memo.read_text(encoding="utf-8").split() if memo.exists() else []
