"""A study: its file, its raters and their work, and how it is held."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parley.annotate.database import Database
from parley.annotate.guide import TEXTS, Rated, rated
from parley.annotate.raters import Raters
from parley.annotate.tokens import Mint, fresh
from parley.annotate.work import Work
from parley.errors import ParleyError
from parley.records.item import Item

#: Items that a rater gets; the paper's raters took up to ten minutes for one.
PER_RATER = 10
#: Hours after which an item that somebody left goes to others.
IDLE_HOURS = 2.0


@dataclass(frozen=True)
class Settings:
    """How a study is held; none of it changes what its files hold.

    `code` is the completion code of all, instead of one for each; `return_url` where raters go with it. `title` and
    `contact` stand on the pages, `consent` is the text that raters agree to (Markdown headings and lists).
    """

    title: str = "Rating conversations"
    contact: str = ""
    consent: str = ""
    code: str = ""
    return_url: str = ""
    simulated: bool = False


class Study:
    """An open study."""

    def __init__(
        self,
        path: Path,
        raters: int = 2,
        *,
        settings: Settings | None = None,
        per_rater: int = PER_RATER,
        idle_hours: float = IDLE_HOURS,
        clock: Callable[[], float] = time.time,
        mint: Mint = fresh,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = clock
        self.mint = mint
        self.database = Database(path, durable=not self.settings.simulated)
        self.raters = Raters(self.database, clock, mint)
        self.work = Work(self.database, clock, raters, per_rater, idle_hours * 3600)
        self.example: Rated = rated(TEXTS / "example.yaml")
        self.qualification: Rated = rated(TEXTS / "qualification.yaml")
        if self.settings.simulated:
            self.database.put("simulated", "yes")
        elif self.database.get("simulated") is not None:
            raise ParleyError(
                f"{path}: a study of simulated raters; people need one of their own: give another --study"
            )

    def add(self, items: Iterable[Item], strata: Mapping[str, str]) -> int:
        """Take in items, balanced over `strata`; how many are new."""
        return self.work.add(items, strata)

    def consent(self) -> str:
        """The text that raters agree to."""
        return self.settings.consent or (TEXTS / "consent.md").read_text(encoding="utf-8")

    def close(self) -> None:
        """Close the study's file."""
        self.database.close()
