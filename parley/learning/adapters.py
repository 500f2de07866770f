"""The adapter store: trained adapters under the hash of what made them, so that no training is paid for twice."""

import json
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from parley.canonical import digest
from parley.code import modules_hash
from parley.config import Training
from parley.learning.folder import file_digests, put, scratch
from parley.records.published import sync_folder, sync_tree

#: The libraries whose version may change an adapter's bytes.
LIBRARIES = ("accelerate", "peft", "tokenizers", "torch", "transformers", "trl")

_CONTENTS = "contents.json"
_FILES = "files"
#: The code that decides an adapter's bytes. A change elsewhere runs the training's job again, which finds its adapter here.
_MODULES = ("activations", "attention", "order", "packing", "passage", "sft", "tokens", "training")
CODE = tuple(f"parley/learning/{name}.py" for name in _MODULES)


def training_code() -> str:
    """What the code of training does, as part of an adapter's key."""
    return modules_hash(*CODE)


def library_versions() -> dict[str, str]:
    """The installed versions of `LIBRARIES`, without importing them."""
    return {name: metadata.version(name) for name in LIBRARIES}


def adapter_key(
    base: str,
    parent: str | None,
    dataset: str,
    settings: Training,
    code: str,
    versions: Mapping[str, str],
) -> str:
    """The name in the store of an adapter that is made from these: hashes of the base, the parent's adapter, the
    dataset's bytes and the training code, the settings, and the versions of the libraries.
    """
    return digest([base, parent, dataset, settings.model_dump(mode="json"), code, dict(versions)])


class AdapterStore:
    """Folders by key below `root`, each with the hashes of its files. Several jobs may use one store at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def fetch(self, key: str, out: Path) -> bool:
        """Copy the entry to the folder `out`, in place of what is there; False, and `out` untouched, if there is none.

        An entry whose files are not those that were kept is skipped with one line on stderr: training makes it anew,
        and `keep` then replaces it.
        """
        entry = self._entry(key)
        if not entry.is_dir():
            return False
        part = scratch(out)
        try:
            if not _copied(entry, part):
                print(f"{entry}: the stored adapter is damaged and is not used; it is made anew", file=sys.stderr)
                return False
            put(part, out)
            return True
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def find(self, key: str) -> Path | None:
        """The folder of an entry's files, to be looked at; None if there is no entry."""
        files = self._entry(key) / _FILES
        return files if files.is_dir() else None

    def keep(self, key: str, folder: Path) -> None:
        """Put a copy of `folder` into the store under `key`. An entry that is there already and whole stays."""
        entry = self._entry(key)
        if _whole(entry):
            return
        part = scratch(entry)
        try:
            shutil.copytree(folder, part / _FILES)
            contents = json.dumps(file_digests(part / _FILES), indent=2)
            (part / _CONTENTS).write_text(contents + "\n", encoding="utf-8")
            self._publish(part, entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    @staticmethod
    def _publish(part: Path, entry: Path) -> None:
        """Move `part` to where the entry belongs, unless another job has put a whole one there meanwhile."""
        sync_tree(part)
        try:
            part.rename(entry)  # fails if there is an entry already
        except OSError:
            if not _whole(entry):
                put(part, entry)
        sync_folder(entry.parent)

    def _entry(self, key: str) -> Path:
        return self.root / key[:2] / key


def _copied(entry: Path, part: Path) -> bool:
    """Copy an entry's files to `part`; True if they are what was kept. The copy is checked, not what it came from."""
    try:
        # Without the old times: a workflow that compares them would take the copy for older than its inputs.
        shutil.copytree(entry / _FILES, part, dirs_exist_ok=True, copy_function=shutil.copyfile)
        return file_digests(part) == _kept(entry)
    except (OSError, ValueError):
        return False


def _whole(entry: Path) -> bool:
    try:
        return file_digests(entry / _FILES) == _kept(entry)
    except (OSError, ValueError):
        return False


def _kept(entry: Path) -> dict[str, str]:
    contents: dict[str, str] = json.loads((entry / _CONTENTS).read_text(encoding="utf-8"))
    return contents
