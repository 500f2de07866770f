"""Pushing: a folder becomes the content of a repository on the hub, in one commit, and in none if it is that already."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from parley.errors import ParleyError
from parley.exchange.hub import first_line, refusals
from parley.learning.folder import file_digests

Kind = Literal["dataset", "model"]
#: The only place that the token is read from.
TOKEN = "HF_TOKEN"
#: What the hub puts into every repository by itself.
THEIRS = {".gitattributes"}


@dataclass(frozen=True)
class Receipt:
    """What lies where on the hub after a push; `revision` is the commit, `files` are SHA-256 by path."""

    repository: str
    kind: Kind
    revision: str
    files: dict[str, str]

    def as_json(self) -> str:
        """The text of a receipt's file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def token(environment: Mapping[str, str] = os.environ) -> str:
    """The hub's token. Raises `ParleyError` if there is none, or if the hub is switched off."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise ParleyError(
            "HF_HUB_OFFLINE forbids to push to the hub (`make` sets it, and so may your shell); run the same command with "
            "HF_HUB_OFFLINE=0"
        )
    if not (found := environment.get(TOKEN, "").strip()):
        raise ParleyError(f"pushing needs a token of the hub that may write, in the environment variable {TOKEN}")
    return found


def client(secret: str) -> Any:
    """The hub's client with a token."""
    from huggingface_hub import HfApi

    return HfApi(token=secret)


def push(api: Any, folder: Path, repository: str, kind: Kind, private: bool, message: str) -> tuple[Receipt, bool]:
    """Make a repository's content that of `folder`; the receipt, and whether there was anything to change.

    `api` is an `huggingface_hub.HfApi` with a token. The repository is made if it is not there, private or not; one that is
    there keeps its visibility. All goes in one commit on what was there last, so two pushes at once cannot mix. Raises
    `ParleyError` if the hub refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = file_digests(folder)
    with _told(repository):
        api.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        head = api.repo_info(repository, repo_type=kind).sha
        there = set(api.list_repo_files(repository, repo_type=kind, revision=head)) - THEIRS
        changes: list[Any] = [CommitOperationAdd(path, folder / path) for path in files]
        changes += [CommitOperationDelete(path) for path in sorted(there - files.keys())]
        done = api.create_commit(repository, changes, commit_message=message, repo_type=kind, parent_commit=head)
    return Receipt(repository, kind, done.oid, files), done.oid != head


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Tell what the hub or its client raises in one line; no line holds the token, which no error of theirs repeats."""
    try:
        yield
    except refusals() as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        remedy = {
            401: f"give a token that is valid in {TOKEN}",
            403: f"give a token that may write there in {TOKEN}, or another PARLEY_HUB",
            409: "somebody else changed it meanwhile; run the same command again",
            412: "somebody else changed it meanwhile; run the same command again",
        }.get(status or 0, "nothing is lost; run the same command again")
        raise ParleyError(f"{repository} cannot be pushed to the hub: {first_line(error)}; {remedy}") from None
