"""Raters: who was invited, how far each has come, and everything that the study knows of a person."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from parley.annotate.database import Database
from parley.annotate.tokens import Mint, code_of, hashed
from parley.errors import ParleyError

#: The steps of a rater, in their order; `declined` and `unqualified` end it early.
STEPS = ("consent", "guide", "example", "qualification", "rate", "done")
ENDS = ("declined", "unqualified", "done")
#: How often the qualification item may be rated.
TRIES = 2
OPEN_LINK = "open_link"


@dataclass(frozen=True)
class Rater:
    """A rater: a name that tells nothing of the person, how far they are, and the completion code once they are done."""

    name: str
    step: str
    code: str | None
    tries: int


class Raters:
    """The raters of a study."""

    def __init__(self, database: Database, clock: Any, mint: Mint) -> None:
        self._database = database
        self._clock = clock
        self._mint = mint

    def invite(self, count: int) -> list[tuple[str, str]]:
        """New raters with the tokens of their links, which are told this once."""
        with self._database.transaction() as open_:
            return [self._new(open_, None) for _ in range(count)]

    def _new(self, open_: sqlite3.Connection, external: str | None) -> tuple[str, str]:
        number = int(self._database.get("raters") or 0) + 1  # never used again, whoever is deleted
        self._database.put("raters", str(number))
        name, token = f"r{number:03d}", self._mint()
        open_.execute(
            "INSERT INTO raters (rater, token, external, step, invited) VALUES (?, ?, ?, 'consent', ?)",
            (name, hashed(token), external, self._clock()),
        )
        return name, token

    def open_link(self) -> str:
        """The token of a link that anyone may come through, such as the participants of Prolific; the last is void."""
        token = self._mint()
        self._database.put(OPEN_LINK, hashed(token))
        return token

    def enter(self, token: str, external: str | None = None) -> str | None:
        """A new session for who comes with a link; None if there is no such link.

        Through the open link a person comes as a new rater, or as the one who came with the same `external` id, such as
        a Prolific id, of which only a hash is kept.
        """
        with self._database.transaction() as open_:
            row = open_.execute("SELECT rater FROM raters WHERE token = ?", (hashed(token),)).fetchone()
            if row is not None:
                return self._session(open_, row[0])
            if hashed(token) != self._database.get(OPEN_LINK):
                return None
            known = hashed(f"{self._salt()} {external}") if external else None
            row = known and open_.execute("SELECT rater FROM raters WHERE external = ?", (known,)).fetchone()
            return self._session(open_, row[0] if row else self._new(open_, known)[0])

    def _salt(self) -> str:
        if (salt := self._database.get("salt")) is None:
            self._database.put("salt", salt := self._mint())
        return salt

    def _session(self, open_: sqlite3.Connection, rater: str) -> str:
        session = self._mint()
        open_.execute("INSERT INTO sessions VALUES (?, ?, ?)", (hashed(session), rater, self._clock()))
        return session

    def of_session(self, session: str) -> Rater | None:
        """Who a session belongs to."""
        with self._database.transaction() as open_:
            row = open_.execute(
                "SELECT rater, step, code, tries FROM raters JOIN sessions USING (rater) WHERE session = ?",
                (hashed(session),),
            ).fetchone()
        return None if row is None else Rater(row["rater"], row["step"], row["code"], row["tries"])

    def advance(self, rater: Rater, step: str) -> None:
        """Go on to a step, if it is the next one, or an end."""
        with self._database.transaction() as open_:
            now = open_.execute("SELECT step FROM raters WHERE rater = ?", (rater.name,)).fetchone()
            if now is None or now[0] in ENDS or (step not in ENDS and STEPS.index(step) != STEPS.index(now[0]) + 1):
                return
            open_.execute("UPDATE raters SET step = ? WHERE rater = ?", (step, rater.name))
            if step == "guide":
                open_.execute("UPDATE raters SET consented = ? WHERE rater = ?", (self._clock(), rater.name))
            if step in ENDS:
                code = code_of(self._mint()) if step == "done" else None
                open_.execute(
                    "UPDATE raters SET finished = ?, code = ? WHERE rater = ?", (self._clock(), code, rater.name)
                )

    def tried(self, rater: Rater, marks: dict[str, Any]) -> None:
        """Remember what a rater gave on the qualification item."""
        with self._database.transaction() as open_:
            open_.execute(
                "UPDATE raters SET tries = tries + 1, qualification = ? WHERE rater = ?",
                (json.dumps(marks, sort_keys=True), rater.name),
            )

    # -- a person's data ---------------------------------------------------------------------------------------

    def data(self, name: str) -> dict[str, Any]:
        """Everything that the study knows of a rater. Raises `ParleyError` for a name that is not there."""
        with self._database.transaction() as open_:
            row = open_.execute(
                "SELECT rater, step, code, invited, consented, finished, tries, qualification FROM raters WHERE rater = ?",
                (name,),
            ).fetchone()
            if row is None:
                raise self._unknown(name)
            given = open_.execute(
                "SELECT item, begun, touched, done, seconds, id FROM assignments WHERE rater = ? ORDER BY id", (name,)
            ).fetchall()
            work = [
                {
                    **{key: one[key] for key in ("item", "begun", "touched", "done", "seconds")},
                    "marks": [
                        dict(mark)
                        for mark in open_.execute(
                            "SELECT seat, dimension, score, reason FROM marks WHERE assignment = ? ORDER BY rowid",
                            (one["id"],),
                        )
                    ],
                }
                for one in given
            ]
        return {**dict(row), "items": work}

    def delete(self, name: str) -> int:
        """Delete a rater with everything that the study knows of the person; how many finished items went with them.

        Their items go back to the others. Raises `ParleyError` for a name that is not there.
        """
        with self._database.transaction() as open_:
            done = open_.execute(
                "SELECT count(*) FROM assignments WHERE rater = ? AND done IS NOT NULL", (name,)
            ).fetchone()[0]
            if not open_.execute("DELETE FROM raters WHERE rater = ?", (name,)).rowcount:
                raise self._unknown(name)
        if self._database.copy_path.exists():
            self._database.copy()  # the copy forgets as well
        return int(done)

    def _unknown(self, name: str) -> ParleyError:
        return ParleyError(f"{self._database.path}: no rater is called {name!r}; `parley annotate progress` lists them")

    def listed(self) -> list[dict[str, Any]]:
        """All raters with how many items each has rated, for who runs the study."""
        with self._database.transaction() as open_:
            rows = open_.execute(
                "SELECT rater, step, code, invited, finished, "
                "(SELECT count(*) FROM assignments a WHERE a.rater = r.rater AND done IS NOT NULL) AS done "
                "FROM raters r ORDER BY length(rater), rater"
            ).fetchall()
        return [dict(row) for row in rows]
