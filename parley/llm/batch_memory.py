"""What was handed in as a batch and not collected yet, remembered on disk, so that no batch is paid for twice."""

import gzip
import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from parley.canonical import digest
from parley.errors import ParleyError
from parley.llm.call import Request

SUFFIX = ".jsonl.gz"


@dataclass(frozen=True)
class Handed:
    """A batch on its way. `id` is the endpoint's name for it; None if it is not known whether it came about."""

    name: str  # ours; part of the batch's metadata
    address: str  # of the endpoint
    created: float  # seconds since 1970
    keys: tuple[str, ...]
    id: str | None = None


class BatchMemory:
    """A folder with two files a batch: `{name}.jsonl.gz` before anything is sent, `{name}.id` once it is there.

    All jobs of a stage share it. Each file appears whole and is on disk before the next step, so that a job that is
    killed anywhere leaves a batch that is either known by its id or can be looked for by its name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def intend(self, address: str, requests: Sequence[Request]) -> Handed:
        """Remember that these requests are about to be handed in."""
        created, keys = time.time(), tuple(request.key for request in requests)
        batch = Handed(digest([keys, created], 32), address, created, keys)
        head = {"address": address, "created": created, "keys": keys}
        lines = (json.dumps(line) + "\n" for line in [head, *(asdict(request) for request in requests)])
        self._write(self._requests(batch.name), gzip.compress("".join(lines).encode(), compresslevel=1))
        return batch

    def handed_in(self, batch: Handed, batch_id: str) -> Handed:
        """Remember the endpoint's name for a batch."""
        self._write(self._id(batch.name), batch_id.encode())
        return replace(batch, id=batch_id)

    def forget(self, batch: Handed) -> None:
        """A batch is collected, or never came about."""
        self._requests(batch.name).unlink(missing_ok=True)
        self._id(batch.name).unlink(missing_ok=True)

    def batches(self) -> list[Handed]:
        """Every batch on its way, oldest first."""
        found = [self._read(path) for path in self.folder.glob(f"*{SUFFIX}") if not path.name.startswith(".")]
        return sorted((batch for batch in found if batch is not None), key=lambda batch: batch.created)

    def requests(self, batch: Handed) -> dict[str, Request]:
        """The requests of a batch by key."""
        lines = self._lines(self._requests(batch.name))
        next(lines)
        found = [Request(**{**line, "messages": tuple(line["messages"])}) for line in lines]
        return {request.key: request for request in found}

    # -- files -------------------------------------------------------------------------------------------------

    def _requests(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def _id(self, name: str) -> Path:
        return self.folder / f"{name}.id"

    def _read(self, path: Path) -> Handed | None:
        """The batch in a file, or None if another job has collected it meanwhile."""
        name = path.name.removesuffix(SUFFIX)
        try:
            head = next(self._lines(path))
            id_file = self._id(name)
            batch_id = id_file.read_text(encoding="utf-8").strip() if id_file.exists() else None
        except FileNotFoundError:
            return None
        return Handed(name, head["address"], head["created"], tuple(head["keys"]), batch_id or None)

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                yield json.loads(next(file, ""))
                yield from map(json.loads, file)
        except (EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
            raise ParleyError(
                f"{path}: damaged ({error}); its batch cannot be taken up again: delete the file, and its calls are "
                "made anew"
            ) from None

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file so that it is there whole, or not at all, and survives a loss of power."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ParleyError(
                f"{path}: cannot be written ({error}); mend that and run again, nothing is lost"
            ) from error
        finally:
            part.unlink(missing_ok=True)
