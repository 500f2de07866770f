"""People: what they say of the policies, by themselves and as the measure that the judge is corrected to."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from parley.report.findings import Findings

GOAL = "goal"
#: How a number of the study of people came about: by people alone, by the judge alone, by both (prediction-powered).
METHODS = ("judge", "people", "calibrated")


@dataclass(frozen=True)
class Voice:
    """A mean, or a difference to the base, by one method. `halving` is how many more rated seats halve the interval."""

    player: str
    method: str
    mean: float
    low: float | None
    high: float | None
    rated: int
    judged: int
    halving: int | None
    simulated: bool

    @property
    def clear(self) -> bool:
        """True if the 95 % interval does not hold zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Human:
    """What people say of one evaluation: means and differences to the base by player and method, GOAL only."""

    evaluation: str
    means: dict[str, dict[str, Voice]]
    gains: dict[str, dict[str, Voice]]

    @property
    def simulated(self) -> bool:
        """True if any of those who rated was no person."""
        return any(voice.simulated for found in self.means.values() for voice in found.values())

    @property
    def people(self) -> str:
        """What those who rated are called where a number of theirs stands."""
        return "simulated people" if self.simulated else "people"

    def gap(self, player: str) -> float | None:
        """How far the judge is above people: of those the judge's mean that people's calibrated mean corrects."""
        found = self.means.get(player, {})
        other = found.get("calibrated") or found.get("people")
        return None if other is None or "judge" not in found else found["judge"].mean - other.mean

    def best(self, among: list[str]) -> str | None:
        """The player of the highest calibrated mean; None where nobody has one."""
        known = {
            name: self.means[name]["calibrated"].mean for name in among if "calibrated" in self.means.get(name, {})
        }
        return max(known, key=lambda name: known[name]) if known else None


def human(findings: Findings, evaluation: str, dimension: str = GOAL) -> Human | None:
    """What people say of an evaluation; None where nobody has rated it."""
    means = _voices(findings.calibration, evaluation, dimension)
    if not means:
        return None
    return Human(evaluation, means, _voices(findings.calibrated_gains, evaluation, dimension))


def _voices(table: pl.DataFrame, evaluation: str, dimension: str) -> dict[str, dict[str, Voice]]:
    found: dict[str, dict[str, Voice]] = {}
    rows = table.filter((pl.col("evaluation") == evaluation) & (pl.col("dimension") == dimension))
    for row in rows.filter(pl.col("mean").is_not_null()).iter_rows(named=True):
        found.setdefault(row["player"], {})[row["method"]] = Voice(
            player=row["player"],
            method=row["method"],
            mean=row["mean"],
            low=row["low"],
            high=row["high"],
            rated=row["n_people"] or 0,
            judged=row["n_judge"] or 0,
            halving=row["halving"],
            simulated=bool(row["simulated"]),
        )
    return found


def doubts_of_people(found: Human | None, best: str, by_judge: str | None, judge: str) -> list[str]:
    """What people's ratings leave open, and where they and the judge part."""
    if found is None:
        return []
    doubts = []
    if by_judge is not None and by_judge != best:
        doubts.append(f"{judge} alone would put {by_judge} first, and not {best}.")
    gain = found.gains.get(best, {}).get("calibrated")
    if gain is not None and not gain.clear:
        doubts.append(f"As people would rate it, the difference of {best} to the base may be chance.")
    if found.simulated:
        doubts.append("The people are simulated: scripted raters who know the facts of a small world.")
    return doubts


def agreement_rows(found: dict[str, Any], dimensions: list[tuple[str, str]]) -> list[tuple[str, dict[str, Any]]]:
    """(short name, numbers) of the dimensions that people's agreement is known for."""
    told = found.get("dimensions", {})
    return [(short, told[key]) for key, short in dimensions if isinstance(told.get(key), dict)]
