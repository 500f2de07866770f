"""A spool: records that get ready in any order, kept on disk until all are there and then written in their own order."""

import os
import tempfile
from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

from parley.records.jsonl import Record
from parley.records.published import published

ABSENT = -1


class Spool:
    """`count` records for the JSONL file `path`, by number. In memory a record takes eight bytes, whatever it holds.

    What is in the spool has no name on disk, so that nothing of it stays behind, whichever way the job ends.
    """

    def __init__(self, path: str | Path, count: int) -> None:
        self.path = Path(path)
        self._places = array("q", [ABSENT]) * count
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115 (closed with the spool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def put(self, number: int, record: Record) -> None:
        """Keep a record; each number once."""
        if self._places[number] != ABSENT:
            raise ValueError(f"record {number} is there already")
        self._places[number] = self._file.seek(0, os.SEEK_END)
        self._file.write(record.model_dump_json().encode() + b"\n")

    def publish(self) -> None:
        """Write all records to `path` in the order of their numbers, atomically. Raises `ValueError` if one is missing."""
        if ABSENT in self._places:
            raise ValueError(f"record {self._places.index(ABSENT)} is missing")
        with published(self.path) as part, part.open("wb") as file:
            for place in self._places:
                self._file.seek(place)
                file.write(self._file.readline())
            if not self._places:
                file.write(b"\n")  # no record is one empty line: an empty file is a damaged one
