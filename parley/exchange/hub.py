"""The hub: single files of a pinned revision, as they come from there."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from parley.canonical import file_digest
from parley.errors import ParleyError


@dataclass(frozen=True)
class Repository:
    """A folder of a repository on the hub: a `dataset`, a `model` or a `space`, at a revision."""

    name: str
    kind: str
    revision: str
    folder: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}, revision {self.revision}"


def download(repository: Repository, name: str, instead: str) -> Path:
    """The path in the hub's cache of one file, fetched if it is not there yet.

    `instead` tells a person what to do without the hub. Raises `ParleyError` if the hub cannot be asked or has not the
    file, and if the cache holds other bytes than the hub says that it has.
    """
    from huggingface_hub import hf_hub_download

    path = _fetched(hf_hub_download, repository, name, instead)
    if not as_stated(path):
        raise ParleyError(f"{path}: damaged (not the bytes that the hub has); delete it and fetch again")
    return path


def _fetched(load: Callable[..., str], repository: Repository, name: str, instead: str) -> Path:
    from huggingface_hub import constants

    path = f"{repository.folder}/{name}" if repository.folder else name
    try:
        return Path(load(repository.name, path, repo_type=repository.kind, revision=repository.revision))
    except OSError as error:  # all that the client raises about the hub, the network and its cache
        if constants.HF_HUB_OFFLINE:
            raise ParleyError(
                f"{name} is not in the hub's cache, and HF_HUB_OFFLINE forbids to fetch it; run the same command with "
                f"HF_HUB_OFFLINE=0, or {instead}"
            ) from None
        raise ParleyError(
            f"{name} cannot be fetched from the hub ({repository}): {first_line(error)}; try again, or {instead}"
        ) from None


def refusals() -> tuple[type[Exception], ...]:
    """What the hub's client raises about the hub and the network: by version from another HTTP library's errors too."""
    from huggingface_hub.errors import HfHubHTTPError

    return (OSError, ValueError, *(kind for kind in HfHubHTTPError.__bases__ if issubclass(kind, Exception)))


def first_line(error: Exception) -> str:
    """What an error of the hub's client says, cut to one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")


def as_stated(path: Path) -> bool:
    """False if a file in the hub's cache has not the hash that the hub stated for it.

    The cache names its content by that hash: SHA-256 of a large file, git's SHA-1 of a small one. Where it has copies
    instead of links nothing is stated.
    """
    stated = path.resolve().name
    if re.fullmatch("[0-9a-f]{64}", stated):
        return file_digest(path) == stated
    if re.fullmatch("[0-9a-f]{40}", stated):
        content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest() == stated
    return True
