"""A shelf: a folder of results of which any file may be missing or broken, and a list of those that are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from parley.errors import ParleyError

Found = TypeVar("Found")


class Shelf:
    """Takes files from a folder; notes those that are missing or broken."""

    def __init__(self, root: Path, gaps: dict[str, list[str]]) -> None:
        self.root = root
        self._gaps = gaps

    def take(self, section: str, path: str | Path, read: Callable[[Path], Found]) -> Found | None:
        """What `read` makes of the file; None with a note if it is not there or not what it should be."""
        path = Path(path)
        shown = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        if not path.is_file():
            self._note(section, f"{shown} is missing")
            return None
        try:
            return read(path)
        except (ParleyError, pl.exceptions.PolarsError, OSError, ValueError, TypeError, LookupError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].removeprefix(f"{path}:")
            self._note(section, f"{shown} cannot be read ({reason})")
            return None

    def all_of(self, section: str, paths: list[str] | list[Path], read: Callable[[Path], Found]) -> list[Found]:
        """What `read` makes of each file that can be read."""
        taken = [self.take(section, path, read) for path in paths]
        return [one for one in taken if one is not None]

    def all(self, section: str, paths: list[str], read: Callable[[Path], list[Found]]) -> list[Found]:
        """The items of all files together."""
        return [item for part in self.all_of(section, paths, read) for item in part]

    def each(self, section: str, paths: dict[str, str], read: Callable[[Path], Found]) -> dict[str, Found]:
        """What `read` makes of each file that can be read, by name."""
        taken = {name: self.take(section, path, read) for name, path in paths.items()}
        return {name: one for name, one in taken.items() if one is not None}

    def _note(self, section: str, line: str) -> None:
        lines = self._gaps.setdefault(section, [])
        if line not in lines:
            lines.append(line)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds one object. Raises `ValueError` for any other."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content
