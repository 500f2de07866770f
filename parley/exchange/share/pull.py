"""Pulling: a revision of a repository of the hub becomes a folder here that a config or a script may name."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import polars as pl

from parley.errors import ParleyError
from parley.exchange.hub import first_line, refusals
from parley.learning.dataset import TABLE, learned
from parley.learning.folder import file_digests, write_manifest
from parley.records.jsonl import read_json

#: What of a repository comes in: an adapter's files, or a dataset's.
FILES = {
    "model": ["adapter_*", "manifest.json", "README.md", "training_log.jsonl"],
    "dataset": ["*.parquet", "*.jsonl", "manifest.json", "funnel.json", "README.md"],
}
#: The files of a checkpoint that are its tokenizer.
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template*", "vocab*", "merges.txt")


@dataclass(frozen=True)
class Wanted:
    """A repository of the hub at a revision (a commit, a tag or a branch)."""

    name: str
    kind: str
    revision: str

    @classmethod
    def of(cls, text: str | None, kind: str) -> "Wanted":
        """From `NAME@REVISION`. Raises `ParleyError` if the revision is missing: what comes in must not change by itself."""
        name, at, revision = (text or "").partition("@")
        if "/" not in name or not at or not revision:
            raise ParleyError(
                f"say what to pull: PARLEY_PULL=OWNER/NAME@REVISION, with a commit of the {kind}'s repository on the hub"
                f"{'' if text is None else f'; it is {text!r}'}"
            )
        return cls(name, kind, revision)


def pull(wanted: Wanted, folder: Path, files: list[str] | None = None) -> dict[str, Any]:
    """Fetch a revision into an empty folder; its provenance, which names the commit and each file's SHA-256.

    Raises `ParleyError` if the hub cannot be asked or has it not.
    """
    from huggingface_hub import snapshot_download

    patterns = files or FILES[wanted.kind]
    with _told(wanted):
        found = snapshot_download(wanted.name, repo_type=wanted.kind, revision=wanted.revision, allow_patterns=patterns)
    cached = Path(found)
    there = sorted(path.relative_to(cached).as_posix() for path in cached.rglob("*") if path.is_file())
    # Others may be there from another pull.
    for name in (name for name in there if any(fnmatchcase(name, pattern) for pattern in patterns)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(cached / name, folder / name)
    return {
        "hub": wanted.name,
        "kind": wanted.kind,
        "revision": cached.name,  # the cache names a snapshot by its commit
        "asked_for": wanted.revision,
        "licence": _licence(folder),
        "files": file_digests(folder),
    }


def _licence(folder: Path) -> str | None:
    """The licence that the card states."""
    from huggingface_hub import RepoCard

    card = folder / "README.md"
    try:
        found = RepoCard.load(card).data.to_dict().get("license") if card.is_file() else None
    except ValueError:  # a card without a header, or with a broken one
        return None
    return None if found is None else str(found)


@contextmanager
def _told(wanted: Wanted) -> Iterator[None]:
    from huggingface_hub import constants

    try:
        yield
    except refusals() as error:
        if constants.HF_HUB_OFFLINE:
            raise ParleyError(
                f"{wanted.name} at {wanted.revision} is not in the hub's cache, and HF_HUB_OFFLINE forbids to fetch it; run "
                "the same command with HF_HUB_OFFLINE=0"
            ) from None
        raise ParleyError(
            f"{wanted.name} at {wanted.revision} cannot be pulled: {first_line(error)}; correct PARLEY_PULL, or give a "
            "token that may read it in HF_TOKEN"
        ) from None


def check_adapter(folder: Path) -> None:
    """Raise `ParleyError` if a folder holds no LoRA adapter."""
    if not (folder / "adapter_config.json").is_file():
        raise ParleyError(f"{folder.name}: no adapter (adapter_config.json is missing); pull another repository")
    if not any((folder / f"adapter_model{ending}").is_file() for ending in (".safetensors", ".bin")):
        raise ParleyError(
            f"{folder.name}: an adapter without weights (adapter_model.safetensors); pull another revision"
        )


def check_base(base: Path) -> None:
    """Raise `ParleyError` if a folder is no checkpoint to merge into."""
    if not (base / "config.json").is_file():
        raise ParleyError(
            f"{base}: no checkpoint (config.json is missing); set PARLEY_PULL_BASE to that of the base model"
        )


def check_dataset(folder: Path) -> str | None:
    """Make a folder with `train.parquet` one that training takes; what was done, or None if it is none of ours.

    Its manifest states the hash of what is learned; it is written if it is missing. Raises `ParleyError` if the table has
    other columns, or another hash than its manifest.
    """
    table = folder / TABLE
    if not table.is_file():
        return None
    frame = pl.read_parquet(table)
    if missing := [name for name in ("prompt", "completion") if name not in frame.columns]:
        raise ParleyError(f"{TABLE}: no column is called {missing[0]!r}; there are: {', '.join(frame.columns)}")
    found = learned(frame)
    if (folder / "manifest.json").is_file():
        if (stated := read_json(folder / "manifest.json").get("sha256")) != found:
            raise ParleyError(f"{TABLE}: not what its manifest states ({found}, not {stated}); pull another revision")
        return f"{len(frame)} samples, as their manifest states"
    write_manifest(folder, {"sha256": found, "rows": len(frame)})
    return f"{len(frame)} samples, manifest written"


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write the base checkpoint with the adapter merged into its weights, tokenizer and all, to the folder `out`.

    Raises `ParleyError` if they do not fit together.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if not (base / "config.json").is_file():
        raise ParleyError(
            f"{base}: no checkpoint (config.json is missing); set PARLEY_PULL_BASE to that of the base model"
        )
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    try:
        merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    except (ValueError, RuntimeError, KeyError) as error:
        raise ParleyError(
            f"{adapter.name}: does not fit {base}: {first_line(error)}; give its own base model"
        ) from None
    merged.save_pretrained(out)
    for path in (path for pattern in TOKENIZER for path in base.glob(pattern)):
        shutil.copyfile(path, out / path.name)  # as it is: saved anew it may be another
