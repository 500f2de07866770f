"""Work: which items each rater has, what they have marked so far, and what is done."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from parley.annotate.assignment import Standing, choose, open_places
from parley.annotate.database import Database
from parley.annotate.flags import flagged
from parley.canonical import seed_from
from parley.errors import ParleyError
from parley.records.annotation import Annotation, Marks
from parley.records.item import Item
from parley.records.rating import KEYS, Mark

#: What a rater has entered: a score (None as long as there is none) and a reason, by seat and dimension.
Entries = Mapping[tuple[int, str], tuple[int | None, str]]


@dataclass(frozen=True)
class Assignment:
    """An item that a rater is at. `first` is the seat that the page asks about first, drawn by rater and item."""

    id: int
    item: Item
    first: int
    number: int
    entries: Entries

    @property
    def seats(self) -> tuple[int, int]:
        """The seats in the order of the page."""
        return self.first, 1 - self.first


class Work:
    """The items of a study and what raters make of them."""

    def __init__(
        self, database: Database, clock: Callable[[], float], raters: int, per_rater: int, idle: float
    ) -> None:
        self._database = database
        self._clock = clock
        self.raters = raters
        self.per_rater = per_rater
        self.idle = idle
        self._done: dict[int, Annotation] = {}

    # -- items -------------------------------------------------------------------------------------------------

    def add(self, items: Iterable[Item], strata: Mapping[str, str]) -> int:
        """Take in items; how many are new. Raises `ParleyError` if the study was begun with others than these."""
        given = {item.id: item for item in items}
        with self._database.transaction() as open_:
            known = {row[0] for row in open_.execute("SELECT item FROM items")}
            if gone := sorted(known - set(given)):
                raise ParleyError(
                    f"{self._database.path}: the study was begun with other items ({len(gone)} of its {len(known)} are "
                    "not among these); take the items that it was begun with, or begin another with --study"
                )
            for name in sorted(set(given) - known):
                item = given[name]
                row = (name, strata.get(name, ""), item.words, item.model_dump_json())
                open_.execute("INSERT INTO items VALUES (?, ?, ?, ?)", row)
        return len(set(given) - known)

    def items(self) -> dict[str, Item]:
        """All items by name."""
        with self._database.transaction() as open_:
            rows = open_.execute("SELECT item, content FROM items ORDER BY item").fetchall()
        return {row[0]: Item.model_validate_json(row[1]) for row in rows}

    # -- a rater's next item -----------------------------------------------------------------------------------

    def current(self, rater: str) -> Assignment | None:
        """The item that a rater is at, or else the next; None if the rater has done enough or nothing is left."""
        with self._database.transaction() as open_:
            at = open_.execute(
                "SELECT id FROM assignments WHERE rater = ? AND done IS NULL ORDER BY id", (rater,)
            ).fetchone()
            if at is None and (at := self._next(open_, rater)) is None:
                return None
            # Looking at it is a sign of life.
            open_.execute("UPDATE assignments SET touched = ? WHERE id = ?", (self._clock(), at[0]))
            return self._read(open_, at[0])

    def reserve(self, rater: str, count: int, seconds: float) -> list[Item]:
        """Up to `count` items for a rater who works without the app, kept from others for so many seconds."""
        with self._database.transaction() as open_:
            made = [at for _ in range(count) if (at := self._next(open_, rater)) is not None]
            for at in made:
                open_.execute("UPDATE assignments SET touched = touched + ? WHERE id = ?", (seconds, at[0]))
            return [self._read(open_, at[0]).item for at in made]

    def _next(self, open_: sqlite3.Connection, rater: str) -> tuple[int] | None:
        seen = dict(
            open_.execute("SELECT item, stratum FROM assignments JOIN items USING (item) WHERE rater = ?", (rater,))
        )
        if len(seen) >= self.per_rater:
            return None
        item = choose(self._standings(open_), seen, rater, self.raters)
        if item is None:
            return None
        now, first = self._clock(), seed_from("first", rater, item) % 2
        made = open_.execute(
            "INSERT INTO assignments (item, rater, first, begun, touched) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (item, rater, first, now, now),
        ).fetchone()
        return (int(made[0]),)

    def _standings(self, open_: sqlite3.Connection) -> list[Standing]:
        """How the items stand. Who has not been seen for a while is at no item any more, but may still come back."""
        rows = open_.execute(
            "SELECT i.item, i.stratum, count(a.done) AS done, "
            "coalesce(sum(a.done IS NULL AND a.touched > ?), 0) AS busy "
            "FROM items i LEFT JOIN assignments a USING (item) GROUP BY i.item ORDER BY i.item",
            (self._clock() - self.idle,),
        ).fetchall()
        settled = [row["item"] for row in rows if row["done"] == self.raters]
        doubtful = self._doubtful(open_, settled)
        return [
            Standing(row["item"], row["stratum"], row["done"], row["busy"], row["item"] in doubtful) for row in rows
        ]

    def _doubtful(self, open_: sqlite3.Connection, items: Sequence[str]) -> set[str]:
        if not items:
            return set()
        found = flagged(self._annotations(open_), self._words(open_))
        return {one.item for one in found if one.flags} & set(items)

    def _read(self, open_: sqlite3.Connection, assignment: int) -> Assignment:
        row = open_.execute(
            "SELECT id, item, first, rater, content FROM assignments JOIN items USING (item) WHERE id = ?",
            (assignment,),
        ).fetchone()
        number = open_.execute(
            "SELECT count(*) FROM assignments WHERE rater = ? AND id <= ?", (row["rater"], assignment)
        ).fetchone()[0]
        marks = open_.execute(
            "SELECT seat, dimension, score, reason FROM marks WHERE assignment = ?", (assignment,)
        ).fetchall()
        entries = {(mark["seat"], mark["dimension"]): (mark["score"], mark["reason"]) for mark in marks}
        return Assignment(row["id"], Item.model_validate_json(row["content"]), row["first"], number, entries)

    # -- what is entered ---------------------------------------------------------------------------------------

    def save(self, assignment: int, rater: str, entries: Entries) -> bool:
        """Keep a draft. False if it is not this rater's, or is done: what is done does not change."""
        with self._database.transaction() as open_:
            if not self._own(open_, assignment, rater):
                return False
            rows = [(assignment, seat, key, score, reason) for (seat, key), (score, reason) in entries.items()]
            open_.executemany(
                "INSERT INTO marks VALUES (?, ?, ?, ?, ?) ON CONFLICT (assignment, seat, dimension) "
                "DO UPDATE SET score = excluded.score, reason = excluded.reason",
                rows,
            )
            open_.execute("UPDATE assignments SET touched = ? WHERE id = ?", (self._clock(), assignment))
        return True

    def submit(self, assignment: int, rater: str, entries: Entries) -> bool:
        """Keep the last word on an item: all fourteen scores. False as for `save`."""
        if any(entries.get((seat, key), (None, ""))[0] is None for seat in (0, 1) for key in KEYS):
            raise ValueError("a score is missing")
        with self._database.transaction() as open_:
            if not self.save(assignment, rater, entries):
                return False
            now = self._clock()
            open_.execute("UPDATE assignments SET done = ?, seconds = ? - begun WHERE id = ?", (now, now, assignment))
        return True

    @staticmethod
    def _own(open_: sqlite3.Connection, assignment: int, rater: str) -> bool:
        found = open_.execute(
            "SELECT 1 FROM assignments WHERE id = ? AND rater = ? AND done IS NULL", (assignment, rater)
        ).fetchone()
        return found is not None

    def take_in(self, annotation: Annotation) -> bool:
        """Take in an annotation that was made elsewhere; False if the same is there already.

        Raises `ParleyError` for an unknown item, and if the rater has said something else about the item here.
        """
        with self._database.transaction() as open_:
            if not open_.execute("SELECT 1 FROM items WHERE item = ?", (annotation.item,)).fetchone():
                raise ParleyError(
                    f"{annotation.rater} rated the item {annotation.item!r}, which this study does not have; "
                    "take ratings of the items that it was begun with"
                )
            there = [one for one in self._annotations(open_) if (one.item, one.rater) == annotation_key(annotation)]
            if there:
                if there[0].marks != annotation.marks:
                    raise ParleyError(
                        f"{annotation.rater} has rated the item {annotation.item!r} here already, and otherwise; "
                        "delete one of the two"
                    )
                return False
            now = self._clock()
            open_.execute(
                "INSERT INTO raters (rater, step, invited) VALUES (?, 'done', ?) ON CONFLICT (rater) DO NOTHING",
                (annotation.rater, now),
            )
            open_.execute("DELETE FROM assignments WHERE item = ? AND rater = ?", annotation_key(annotation))
            made = open_.execute(
                "INSERT INTO assignments (item, rater, first, begun, touched, done, seconds) "
                "VALUES (?, ?, 0, ?, ?, ?, ?) RETURNING id",
                (*annotation_key(annotation), now, now, now, annotation.seconds),
            ).fetchone()[0]
            rows = [
                (made, seat, key, mark.score, mark.reasoning)
                for seat, marks in enumerate(annotation.marks)
                for key, mark in marks.items()
            ]
            open_.executemany("INSERT INTO marks VALUES (?, ?, ?, ?, ?)", rows)
        return True

    # -- what came of it ---------------------------------------------------------------------------------------

    def annotations(self) -> list[Annotation]:
        """All that is done, with flags, in the order of item and rater."""
        with self._database.transaction() as open_:
            return flagged(self._annotations(open_), self._words(open_))

    def _annotations(self, open_: sqlite3.Connection) -> list[Annotation]:
        """All that is done. What is done does not change, so each is read once; ids are never used again."""
        rows = open_.execute(
            "SELECT id, item, rater, seconds FROM assignments WHERE done IS NOT NULL ORDER BY item, rater"
        ).fetchall()
        for row in rows:
            if row["id"] not in self._done:
                self._done[row["id"]] = Annotation(
                    item=row["item"],
                    rater=row["rater"],
                    marks=self._marks(open_, row["id"]),
                    seconds=row["seconds"],
                    simulated=self._database.get("simulated") is not None,
                )
        self._done = {row["id"]: self._done[row["id"]] for row in rows}
        return [*self._done.values()]

    @staticmethod
    def _marks(open_: sqlite3.Connection, assignment: int) -> tuple[Marks, Marks]:
        found: tuple[Marks, Marks] = ({}, {})
        for row in open_.execute(
            "SELECT seat, dimension, score, reason FROM marks WHERE assignment = ?", (assignment,)
        ):
            found[row["seat"]][row["dimension"]] = Mark(reasoning=row["reason"], score=row["score"])
        return {key: found[0][key] for key in KEYS}, {key: found[1][key] for key in KEYS}

    @staticmethod
    def _words(open_: sqlite3.Connection) -> dict[str, int]:
        return dict(open_.execute("SELECT item, words FROM items").fetchall())

    def open_places(self) -> int:
        """How many more annotations the study wants."""
        with self._database.transaction() as open_:
            return open_places(self._standings(open_), self.raters)

    def standings(self) -> list[Standing]:
        """How the items stand."""
        with self._database.transaction() as open_:
            return self._standings(open_)


def annotation_key(annotation: Annotation) -> tuple[str, str]:
    """What tells an annotation from others: the item and the rater."""
    return annotation.item, annotation.rater
