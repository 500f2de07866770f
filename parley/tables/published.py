"""Published numbers: the file of facts about a paper, and which of them stand beside a player of ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from parley.config import Experiment, Published
from parley.config.section import Section
from parley.errors import ParleyError
from parley.evaluation.people import PEOPLE
from parley.evaluation.scores import MEASURES
from parley.layout.needs import PUBLISHED
from parley.records.jsonl import fault
from parley.tables.cells import Origin, RatedBy, Row

#: The printed columns, in the order of `MEASURES`.
COLUMNS = ("BEL", "REL", "KNO", "SEC", "SOC", "FIN", "GOAL", "Overall")

Numbers = tuple[float | None, ...]
Eight = tuple[float | None, float | None, float | None, float | None, float | None, float | None, float | None,
              float | None]  # fmt: skip
Tested = tuple[float, float] | None


class Means(Section):
    """Printed means of several agents on the same data points. `apart` says which were measured otherwise, and how."""

    where: str
    tasks: Literal["all", "hard", "hard_28"]
    rater: RatedBy
    side: Literal["player", "partner"]
    points: int | None = None
    like_for_like: bool = False
    rows: dict[str, Eight]
    apart: dict[str, str] = Field(default_factory=dict)


class Differences(Section):
    """Printed differences of one agent over another; `significant` names the starred columns."""

    where: str
    of: str
    over: str
    values: Eight
    significant: tuple[str, ...]


class Tests(Section):
    """Printed t and p of one agent against each other, by scenario."""

    where: str
    of: str
    freedom: int
    rows: dict[str, tuple[Tested, Tested, Tested, Tested, Tested, Tested, Tested, Tested]]


class Role(Section):
    """Printed measures of the safety study in one role."""

    measures: tuple[str, ...]
    rows: dict[str, Numbers]


class Safety(Section):
    """The printed safety study; `episodes` are a row's in each role."""

    where: str
    episodes: int
    roles: dict[str, Role]


class ByRow(Section):
    """One printed number for each agent."""

    where: str
    rows: dict[str, float]


class Pairs(Section):
    """Two printed numbers for each dimension."""

    where: str
    rows: dict[str, tuple[float, float]]


class Facts(Section):
    """All that a paper published that ours can be read beside. `players` says what each row is."""

    paper: str
    source: str
    like_for_like: str = Field(description="where the rows `like_for_like` are from")
    partner: str
    judge: str
    players: dict[str, str]
    scores: tuple[Means, ...]
    differences: Differences
    tests: Tests
    safety: Safety
    knowledge: ByRow
    gap: ByRow
    correlation: ByRow
    agreement: Pairs


def path_of(published: Published) -> Path:
    """The file of a paper's numbers."""
    return PUBLISHED / f"{published.paper}.yaml"


def read_facts(path: str | Path) -> Facts:
    """Read published numbers. Raises `ParleyError` with file, place and fault."""
    try:
        return Facts.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; it comes with Parley, so check out the code again") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ParleyError(f"{path}{f':{mark.line + 1}' if mark else ''}: not YAML; mend the line") from None
    except ValidationError as error:
        raise ParleyError(f"{path}: {fault(error)}; mend it") from None


class Beside:
    """The published numbers that belong beside players of ours; none without a paper. Rows are of `CELLS`."""

    def __init__(self, experiment: Experiment) -> None:
        self._mapping = experiment.published
        self.facts = read_facts(path_of(experiment.published)) if experiment.published else None

    def row(self, player: str) -> str | None:
        """The paper's row that a player of ours is."""
        return self._mapping.row(player) if self._mapping else None

    def means(self, player: str, tasks: str | None, rater: RatedBy, side: str = "player") -> Iterator[Row]:
        """The means of the player's row on the paper's task set, as printed and like for like."""
        row = self.row(player)
        for means in self.facts.scores if self.facts and row else ():
            if (means.tasks, means.rater, means.side) == (tasks, rater, side) and row in means.rows:
                origin: Origin = "like_for_like" if means.like_for_like else "paper"
                note = "; ".join(part for part in (means.where, means.apart.get(row)) if part)
                shared = {"player": player, "origin": origin, "n": means.points, "note": note, "side": side}
                yield from _numbers(means.rows[row], {**shared, **self._rater(rater)})

    def differences(self, player: str, over: str, tasks: str | None) -> Iterator[Row]:
        """People's printed differences between two rows, and the judge's by subtraction of what is printed."""
        row, other = self.row(player), self.row(over)
        if not self.facts or tasks != "hard_28" or row is None or other is None:
            return
        shared = {"player": player, "versus": over}
        printed = self.facts.differences
        if (row, other) == (printed.of, printed.over):
            starred = {**shared, "origin": "paper", "note": printed.where, **self._rater("people")}
            tests = self.facts.tests.rows[other] if self.facts.tests.of == row else (None,) * len(MEASURES)
            for cell, tested in zip(_numbers(printed.values, starred), tests, strict=True):
                yield {**cell, "p": tested[1] if tested else None}  # what its stars stand for, by Table 6
        for means in self.facts.scores:
            if (means.tasks, means.rater, means.side) == (tasks, "judge", "player") and {row, other} <= set(means.rows):
                values = [None if a is None or b is None else round(a - b, 2)
                          for a, b in zip(means.rows[row], means.rows[other], strict=True)]  # fmt: skip
                note = f"the judge's in {means.where}, subtracted"
                yield from _numbers(values, {**shared, "origin": "derived", "note": note, **self._rater("judge")})

    def tests(self, player: str, over: str, tasks: str | None) -> Iterator[Row]:
        """The printed t and p of the player's row against another."""
        row, other = self.row(player), self.row(over)
        if not self.facts or tasks != "hard_28" or row != self.facts.tests.of or other not in self.facts.tests.rows:
            return
        tests = self.facts.tests
        shared = {"player": player, "versus": over, "origin": "paper", "note": tests.where, "df": tests.freedom}
        for measure, tested in zip(MEASURES, tests.rows[other], strict=True):
            t, p = tested or (None, None)
            yield {**shared, "measure": measure, "t": t, "p": p, **self._rater("people")}

    def safety(self, player: str, role: str) -> Iterator[Row]:
        """The printed measures of the player's row in a role."""
        row = self.row(player)
        if not self.facts or row is None or row not in (printed := self.facts.safety.roles[role]).rows:
            return
        shared = {"player": player, "origin": "paper", "n": self.facts.safety.episodes, "clusters": 1}
        note = f"{self.facts.safety.where}, labelled by hand"
        for measure, value in zip(printed.measures, printed.rows[row], strict=True):
            yield {**shared, "measure": measure, "value": value, "note": note}

    def knowledge(self, player: str) -> Iterator[Row]:
        """The printed accuracy of the player's row."""
        row = self.row(player)
        if self.facts and row in self.facts.knowledge.rows:
            known = self.facts.knowledge
            yield {"player": player, "measure": "accuracy", "origin": "paper", "value": known.rows[row],
                   "note": known.where}  # fmt: skip

    def gap(self, player: str, tasks: str | None) -> Iterator[Row]:
        """How far the judge's GOAL was printed to lie above people's."""
        row = self.row(player)
        if self.facts and tasks == "hard_28" and row in self.facts.gap.rows:
            yield {"player": player, "measure": "gap", "origin": "paper", "value": self.facts.gap.rows[row], "n": 28,
                   "note": self.facts.gap.where}  # fmt: skip

    def correlation(self, player: str, tasks: str | None) -> Iterator[Row]:
        """The printed correlation of the judge's GOAL with people's."""
        row = self.row(player)
        if self.facts and tasks == "hard_28" and row in self.facts.correlation.rows:
            known = self.facts.correlation
            yield {"player": player, "measure": "pearson", "origin": "paper", "value": known.rows[row], "n": 28,
                   "note": known.where}  # fmt: skip

    def agreement(self, part: int, tasks: str | None) -> Iterator[Row]:
        """How alike the paper's raters were: the share of pairs (`part` 0) or Randolph's kappa (1)."""
        if self.facts and tasks == "hard_28":
            known = self.facts.agreement
            for key, column in zip(MEASURES, COLUMNS, strict=True):
                if column in known.rows:
                    yield {"measure": key, "origin": "paper", "value": known.rows[column][part], "note": known.where}

    def _rater(self, rater: RatedBy) -> Row:
        assert self.facts is not None
        judge, partner = self.facts.judge, self.facts.partner
        by = {"rater": judge, "rater_model": judge} if rater == "judge" else {"rater": PEOPLE}
        return {**by, "partner": partner, "partner_model": partner}


def _numbers(values: Numbers | list[float | None], shared: Row) -> Iterator[Row]:
    for measure, value in zip(MEASURES, values, strict=True):
        yield {**shared, "measure": measure, "value": value}
