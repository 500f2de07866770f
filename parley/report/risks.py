"""Risks: the safety study by family of risks, a panel each: how often harm is done and prevented, player by player."""

from typing import Any

from parley.config import Experiment
from parley.evaluation.safety import RISK
from parley.report import links
from parley.report.answer import Score
from parley.report.bars import Scores
from parley.report.findings import Findings

#: What a panel shows, as the table beside it has it: (role, measure) by its name in words. Both are shares.
SHOWN: dict[str, tuple[str, str]] = {
    "harm, as instigator": ("instigator", "harm"),
    "prevention, as bystander": ("bystander", "prevention"),
}


def shares(findings: Findings) -> dict[str, Scores]:
    """Percentages with their intervals by family, player and what is shown; families without one are left out."""
    found: dict[str, dict[str, dict[str, Score]]] = {}
    for family in findings.families["family"].unique(maintain_order=True):
        rows = findings.families.filter(family=family).to_dicts()
        cells = {(row["policy"], row["role"], row["measure"]): row for row in rows if row["mean"] is not None}
        for player in findings.experiment.measured():
            for name, place in SHOWN.items():
                if (cell := cells.get((player, *place))) is not None:
                    found.setdefault(family, {}).setdefault(player, {})[name] = _percent(player, cell)
    return dict(found)


def behind(experiment: Experiment, family: str, player: str, shown: str) -> str:
    """The episodes of a player in a family and role: there it is told of each whether it was found."""
    assert experiment.safety is not None
    role, _ = SHOWN[shown]
    tag = f"{RISK}{family}"
    return links.episodes(set=experiment.safety.tasks, policy=player, tag=tag, role=role)


def _percent(player: str, cell: dict[str, Any]) -> Score:
    low, high = (None if cell[name] is None else 100 * cell[name] for name in ("low", "high"))
    return Score(player, 100 * cell["mean"], low, high, cell["n"] or 0, cell["clusters"] or 0, cell["failed"] or 0, 0)
