"""Checkpoints of a training: a saved state counts once all of it is on disk.

The trainer writes one file after the other. A kill or a power loss in between leaves a folder that looks like a
checkpoint; without its optimizer, say, training would go on from it to other weights without a word.
"""

import json
import shutil
import time
from pathlib import Path

from parley.learning.folder import file_digests
from parley.records.jsonl import write_text
from parley.records.published import sync_tree
from parley.stopping import Request

SEAL = "sealed.json"
#: Saving takes at most this share of the time, however slow the disk.
MOST = 0.02


class Pace:
    """When the state is saved: every `every` seconds or less often where that takes long, and when the job is to stop."""

    def __init__(self, every: float, stop: Request) -> None:
        self._every = every
        self._stop = stop
        self._began = self._last = time.monotonic()

    def save_now(self) -> bool:
        """Whether to save after this step. If so, `saved` is to be called afterwards."""
        self._began = time.monotonic()
        return self._stop.made or self._began - self._last >= self._every

    def stop_now(self) -> bool:
        """Whether this step was the last one of this job."""
        return self._stop.made

    def saved(self) -> None:
        """It has been saved."""
        self._last = time.monotonic()
        if self._every:
            self._every = max(self._every, (self._last - self._began) / MOST)


def seal(checkpoint: Path) -> None:
    """Mark a folder `checkpoint-{step}` as complete, with the hashes of its files."""
    digests = file_digests(checkpoint)
    sync_tree(checkpoint)
    write_text(checkpoint / SEAL, json.dumps(digests, indent=1) + "\n")


def latest(folder: Path) -> Path | None:
    """The last complete checkpoint in `folder`, or None. Those that are not complete are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = [path for path in found if _complete(path)]
    for path in set(found) - set(whole):
        shutil.rmtree(path)
    return whole[-1] if whole else None


def _complete(checkpoint: Path) -> bool:
    try:
        sealed = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        digests = file_digests(checkpoint)
    except (OSError, ValueError):
        return False
    return bool(sealed == {name: value for name, value in digests.items() if name != SEAL})
