"""The bench: what is known of the judges themselves, told of GOAL: each other, the order of the agents, length, drift."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parley.report import links
from parley.report.answer import GOAL
from parley.report.findings import Findings
from parley.report.words import count, fixed, percent

Row = dict[str, Any]


@dataclass(frozen=True)
class Trait:
    """One thing that was looked at: by how much GOAL differs for it, and what else is to be told."""

    judge: str
    what: str
    where: str
    difference: float | None
    low: float | None
    high: float | None
    note: str
    href: str

    @property
    def clear(self) -> bool:
        """True if the 95 % interval does not hold zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def traits(findings: Findings) -> list[Trait]:
    """What the studies of judges and canaries say; empty where there are none."""
    found: list[Trait] = []
    for name in findings.experiment.evaluations:
        found += _of_judges(findings.judges.get(name, {}), name)
    for told in findings.canary.values():
        found += _of_canary(told)
    return found


def _goal(found: Row, part: str) -> Iterator[Row]:
    yield from (row for row in found.get(part, []) if row["dimension"] == GOAL)


def _of_judges(found: Row, evaluation: str) -> Iterator[Trait]:
    for row in _goal(found, "agreement"):
        note = f"r {fixed(row['pearson'])}, ρ {fixed(row['spearman'])}, {percent(row['within_one'])} within one point"
        yield _trait(row["judge"], f"over {row['other']} on the same seats", evaluation, row, "difference", note)
    for row in _goal(found, "position"):
        note = f"{percent(row['same'])} of the marks stay"
        yield _trait(
            row["judge"], "for the agent shown first over the same shown second", evaluation, row, "mean", note
        )
    for row in _goal(found, "verbosity"):
        amount = "100 words more" if row["amount"] == "words" else "a turn more"
        note = f"correlation {fixed(row['correlation'])}"
        yield _trait(row["judge"], f"for {amount}, within {row['within']}", evaluation, row, "slope", note)


def _of_canary(found: Row) -> Iterator[Trait]:
    """The last date against the first."""
    rows = list(_goal(found, "drift"))
    for row in rows[-1:]:
        where = f"{count(found['episodes'])} frozen episodes"
        note = f"{percent(row['same'])} of the marks stay"
        what, href = f"on {row['date']} over {found['reference']}", links.file(f"canary/{found['judge']}.json")
        yield _trait(found["judge"], what, where, row, "mean", note, href)


def _trait(judge: str, what: str, where: str, row: Row, value: str, note: str, href: str = "") -> Trait:
    """`href` leads to what is behind it, the episodes of the evaluation `where` if it is not given."""
    href = href or links.episodes(evaluation=where)
    told = f"{note}, n = {count(row['n'])}" if row.get("n") else note
    return Trait(judge, what, where, row[value], row["low"], row["high"], told, href)
