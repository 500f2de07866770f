"""The three sources of keywords: what they are called, which of their columns is taken, and where they are published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parley.errors import ParleyError
from parley.exchange.hub import Repository, download

#: The authors of SOTOPIA-π have put all three, as they took them, into their own dataset. This is its last revision.
PUBLISHED = Repository("cmu-lti/sotopia-pi", "dataset", "e583406958ff132f6749ca87a2f9aa31ae3c0fa1")
#: Of Social-Chemistry-101, of NormBank, and of the dataset that holds the three.
LICENCE = "CC-BY-SA-4.0"


@dataclass(frozen=True)
class Source:
    """A published dataset. `kind` is what keywords of it are called here; `files` are the names that it goes by."""

    kind: Literal["morals", "situations", "norms"]
    title: str
    column: str
    files: tuple[str, ...]


#: The order decides which source keeps a keyword that several have.
SOURCES = (
    Source("morals", "Social-Chemistry-101", "situation", ("social-chem-101.v1.0.tsv",)),
    Source(
        "situations",
        "SocialIQa",
        "context",
        ("social_iqa_train.jsonl", "train.jsonl", "train-00000-of-00001.parquet", "0000.parquet"),
    ),
    Source("norms", "NormBank", "behavior", ("NormBank.csv",)),
)


def in_folder(folder: Path, source: Source) -> Path:
    """The file of a source in a folder. Raises `ParleyError` if there is none."""
    for name in source.files:
        if (folder / name).is_file():
            return folder / name
    raise ParleyError(
        f"{folder}: no file of {source.title}; it is called {' or '.join(source.files)}, or give it with --{source.kind}"
    )


def from_hub(repository: Repository, source: Source) -> Path:
    """The file of a source in the hub's cache, fetched if it is not there. Raises as `download`."""
    folder = f"set PARLEY_KEYWORDS to a folder that holds {', '.join(one.files[0] for one in SOURCES)}"
    return download(repository, source.files[0], folder)
