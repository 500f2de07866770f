"""A small study to test with: items that differ, a clock that stands still, and a client that goes as a browser does."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import polars as pl

from parley.annotate.app import application
from parley.annotate.forms import form_of
from parley.annotate.guide import TEXTS, rated
from parley.annotate.study import Study
from parley.records.annotation import Annotation
from parley.records.item import KEY, Item
from parley.records.rating import DIMENSIONS, Mark

ROOT = Path(__file__).resolve().parent.parent
ADMIN = "the-admin-token"
PLAYERS = ("base", "bc", "bc_sr")


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def item(name: str = "i0", **changes: Any) -> Item:
    """The qualification's talk under another name."""
    return rated(TEXTS / "qualification.yaml").item.model_copy(update={"id": name, **changes})


def some(count: int) -> tuple[list[Item], dict[str, str]]:
    """Items i00, i01, … and their strata."""
    names = [f"i{number:02d}" for number in range(count)]
    return [item(name) for name in names], {name: PLAYERS[number % 3] for number, name in enumerate(names)}


def key_of(strata: dict[str, str]) -> pl.DataFrame:
    """A key for items: the player sits in seat 0 of every second item."""
    rows = []
    for number, (name, player) in enumerate(strata.items()):
        seats = [player, "partner"] if number % 2 == 0 else ["partner", player]
        whose = {"item": name, "episode": f"e-{name}", "task": f"t{number // 3}", "cast": "ann+ben", "replicate": 0}
        rows.append({**whose, "evaluation": "all", "players": "+".join(seats), "player": player, "judge": "judge"})
    return pl.DataFrame(rows, schema=KEY)


def marks(goal: int = 6, reason: str = "so it was", **changes: int) -> dict[str, Mark]:
    """One seat's marks, the middle of each range but for GOAL."""
    scores = {d.key: (d.low + d.high) // 2 for d in DIMENSIONS} | {"goal": goal} | changes
    return {key: Mark(score=score, reasoning=reason) for key, score in scores.items()}


def annotation(rater: str = "r001", name: str = "i00", **changes: Any) -> Annotation:
    """An annotation that earns no flag."""
    fields: dict[str, Any] = {"item": name, "rater": rater, "marks": (marks(6), marks(4)), "seconds": 200.0}
    return Annotation(**{**fields, **changes})


def study_in(folder: Path, count: int = 6, **settings: Any) -> tuple[Study, Clock]:
    """A study with items, and its clock."""
    clock = settings.pop("clock", Clock())
    study = Study(folder / "study.sqlite", clock=clock, **settings)
    study.add(*some(count))
    return study, clock


class Browser:
    """A client that keeps cookies and fills in the forms that a page shows."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        self.page: httpx2.Response | None = None

    def get(self, path: str) -> httpx2.Response:
        self.page = self.client.get(path)
        return self.page

    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page that was loaded last."""
        assert self.page is not None
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.page.text))

    def post(self, path: str, **fields: str) -> httpx2.Response:
        self.page = self.client.post(path, data={**self.hidden(), **fields})
        return self.page

    def enter(self, token: str) -> httpx2.Response:
        self.get(f"/enter/{token}")
        return self.post(f"/enter/{token}")

    def learn(self) -> httpx2.Response:
        """From the consent to the first episode."""
        self.post("/consent", choice="agree")
        self.post("/guide")
        self.post("/example")
        return self.post("/qualification", **form_of(rated(TEXTS / "qualification.yaml").marks))

    def rate(self, goal: int = 6, **fields: str) -> httpx2.Response:
        """Hand in the item that the page shows."""
        return self.post("/rate", action="submit", **{**form_of((marks(goal), marks(4))), **fields})


@contextmanager
def browsing(study: Study) -> Iterator[Browser]:
    """A browser on the app of a study, without a network."""
    from starlette.testclient import TestClient

    app = application(study, ADMIN, hosts=["testserver"], ticks=lambda: 0.0)
    with TestClient(app) as client:
        yield Browser(client)  # type: ignore[arg-type]
