"""Generated files that a person may edit: an edit is noticed and never silently overwritten."""

from pathlib import Path

from parley.canonical import file_digest
from parley.records.jsonl import write_text


def _memo(path: Path) -> Path:
    return path.with_name(f".{path.name}.made")


def edited(path: Path) -> bool:
    """True if the file exists and is not what was last generated here; so is a file that was never generated here."""
    memo = _memo(path)
    made = memo.read_text(encoding="utf-8").strip() if memo.exists() else ""
    return path.exists() and file_digest(path) != made


def generate(path: Path, text: str, remedy: str) -> str | None:
    """Write `text`, unless a person has edited the file: then keep theirs and return a line that says so.

    `remedy` says how to make the edit permanent.
    """
    if edited(path) and path.read_bytes() != text.encode():
        path.touch()
        return f"{path} was edited by hand: your version is kept. To make it permanent {remedy}; to drop it delete the file"
    write_text(path, text)
    write_text(_memo(path), file_digest(path) + "\n")
    return None
