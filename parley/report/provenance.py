"""Provenance: which code, libraries and texts a report stands on, so that it can be made again."""

import subprocess
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from parley import __version__
from parley.canonical import file_digest
from parley.config import Experiment

LIBRARIES = ("parley", "snakemake", "torch", "transformers", "trl", "peft", "xllamacpp", "lm-eval", "polars")


@dataclass(frozen=True)
class Provenance:
    """Facts about the making of a report. What is unknown is None or absent, never guessed.

    `dirty` says that tracked files differed from the commit. `prompts` are SHA-256 by path. `created` is a date as
    text; without it the same findings give the same bytes.
    """

    commit: str | None = None
    dirty: bool | None = None
    versions: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    prompts: dict[str, str] = field(default_factory=dict)
    created: str | None = None


def provenance(experiment: Experiment, created: str | None = None, checkout: Path | None = None) -> Provenance:
    """The provenance of a report on `experiment`; `checkout` is the git checkout that the code is from."""
    checkout = checkout or Path(__file__).resolve().parents[2]
    commit = _git(checkout, "rev-parse", "HEAD")
    changes = _git(checkout, "status", "--porcelain", "--untracked-files=no") if commit else None
    return Provenance(
        commit=commit,
        dirty=None if changes is None else bool(changes),
        versions={name: found for name in LIBRARIES if (found := _version(name)) is not None},
        seed=experiment.seed,
        prompts={path: file_digest(path) for path in experiment.prompts.model_dump().values() if Path(path).is_file()},
        created=created,
    )


def _version(name: str) -> str | None:
    """The installed version, without importing the library; None if it is not installed."""
    if name == "parley":
        return __version__  # a checkout is on the path, not installed
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git(checkout: Path, *arguments: str) -> str | None:
    """What git says, None if there is no git or no repository."""
    if not (checkout / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
