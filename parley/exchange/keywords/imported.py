"""The import: keywords of the three sources as a file of ours, with where they come from and what became of the rest."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley import handmade
from parley.canonical import file_digest
from parley.errors import ParleyError
from parley.exchange.hub import Repository
from parley.exchange.keywords.avoided import Avoided
from parley.exchange.keywords.column import read_column
from parley.exchange.keywords.draw import Drawn, draw
from parley.exchange.keywords.source import LICENCE, SOURCES, Source
from parley.records.jsonl import jsonl, write_text
from parley.records.task import read_tasks


@dataclass(frozen=True)
class Origin:
    """The file of a source, the column that is taken, and the repository that the file was fetched from, if it was."""

    source: Source
    path: Path
    column: str
    repository: Repository | None = None

    def texts(self) -> Iterator[str]:
        """The texts of the column."""
        return (text for _, text in read_column(self.path, self.column))

    def told(self) -> dict[str, Any]:
        """The origin as provenance tells it."""
        hub = self.repository
        where = {"path": str(self.path)} if hub is None else {"hub": hub.name, "revision": hub.revision}
        kept = {"file": self.path.name, "sha256": file_digest(self.path)}
        return {"title": self.source.title, "column": self.column, **where, **kept}


def columns(pairs: Sequence[str]) -> dict[str, str]:
    """The column of each source: its own, or that of a pair such as `morals=rot`. Raises `ParleyError` for a bad pair."""
    found: dict[str, str] = {source.kind: source.column for source in SOURCES}
    for pair in pairs:
        kind, _, column = pair.partition("=")
        if kind not in found or not column:
            raise ParleyError(f"--column {pair}: must be SOURCE=COLUMN, with a source of {', '.join(found)}")
        found[kind] = column
    return found


@dataclass(frozen=True)
class Wanted:
    """How many keywords are drawn, by which seed, and the files of prompts and of tasks that are avoided."""

    count: int
    seed: int
    prompts: Sequence[Path] = ()
    prompt_column: str = "prompt"
    tasks: Sequence[Path] = ()

    def avoided(self) -> Avoided:
        """What must not be drawn."""
        texts = (text for path in self.prompts for _, text in read_column(path, self.prompt_column))
        return Avoided(texts, [task for path in self.tasks for task in read_tasks(path)])


def bring_in(origins: Mapping[str, Origin], wanted: Wanted, out: Path) -> Iterator[str]:
    """Draw keywords and write them to `out`, with `.provenance.json` beside it; yields lines that a person should see.

    A file that was edited by hand is kept, with a line that says so. Raises `ParleyError` if there is no keyword.
    """
    drawn = draw(
        {kind: origin.texts() for kind, origin in origins.items()}, wanted.count, wanted.avoided(), wanted.seed
    )
    if not drawn.keywords:
        paths = ", ".join(str(origin.path) for origin in origins.values())
        raise ParleyError(f"no keyword came of {paths} ({drawn.funnel}); give other files")
    if notice := handmade.generate(out, jsonl(drawn.keywords), "name a copy of it in the config"):
        yield notice
    told = json.dumps(_provenance(origins, wanted, drawn), indent=1, ensure_ascii=False)
    write_text(out.with_suffix(".provenance.json"), told + "\n")
    for kind, counts in drawn.funnel.items():
        yield f"{kind}: " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    few = f" (not {wanted.count}: a source has no more)" if len(drawn.keywords) <= wanted.count - len(SOURCES) else ""
    yield f"{len(drawn.keywords)} keywords{few} → {out}"


def _provenance(origins: Mapping[str, Origin], wanted: Wanted, drawn: Drawn) -> dict[str, Any]:
    return {
        "licence": LICENCE,
        "count": len(drawn.keywords),
        "seed": wanted.seed,
        "sources": {kind: {**origin.told(), "texts": drawn.funnel[kind]} for kind, origin in origins.items()},
        "avoided": {str(path): file_digest(path) for path in (*wanted.prompts, *wanted.tasks)},
    }
