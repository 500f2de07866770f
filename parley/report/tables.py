"""Tables: the rows that the page shows, as plain values; how they look is the template's business."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from parley.evaluation.safety import MEASURES, ROLES
from parley.learning.selection import OUTCOMES, funnel
from parley.records.rating import DIMENSIONS
from parley.report.answer import Gain, Score, gain_of, score_of
from parley.report.findings import Findings

#: (key, short name, range in words) in the order of the tables.
COLUMNS: tuple[tuple[str, str, str], ...] = (
    *((d.key, d.short, f"{d.low} to {d.high}".replace("-", "\N{MINUS SIGN}")) for d in DIMENSIONS),
    ("overall", "Overall", "mean of the seven"),
)


@dataclass(frozen=True)
class Evaluated:
    """One evaluation: scores by player and column, and differences to the base. None where there is no row."""

    name: str
    tag: str | None
    partner: str
    judge: str
    scores: list[tuple[str, list[Score | None]]]
    gains: list[tuple[str, list[Gain | None]]]

    def first(self, player: str) -> Score | None:
        """Any of the player's scores: their counts are the same in all columns."""
        cells = next(cells for name, cells in self.scores if name == player)
        return next((cell for cell in cells if cell is not None), None)

    def best(self, column: int, among: list[str]) -> set[str]:
        """The players among `among` with the highest mean in a column as it is shown; none without a choice."""
        means = {name: cells[column] for name, cells in self.scores if name in among}
        rated = {name: cell.mean for name, cell in means.items() if cell is not None and cell.mean is not None}
        shown = {name: round(mean, 2) for name, mean in rated.items()}
        return {name for name, mean in shown.items() if mean == max(shown.values())} if len(shown) > 1 else set()


def evaluated(findings: Findings, name: str) -> Evaluated:
    """The table of one evaluation."""
    evaluation, players = findings.experiment.evaluations[name], findings.experiment.measured()
    keys = [key for key, _, _ in COLUMNS]
    return Evaluated(
        name,
        evaluation.tag,
        evaluation.partner,
        evaluation.judge,
        [(player, [score_of(findings, name, player, key) for key in keys]) for player in players],
        [
            (player, [gain_of(findings.differences, player, name, key) for key in keys])
            for player in players
            if player != findings.baseline
        ],
    )


@dataclass(frozen=True)
class Selected:
    """What a policy learned from: candidates by outcome, then turns and samples. None where it is not known."""

    policy: str
    players: tuple[str, str]
    task_set: str
    judge: str
    rule: str
    outcomes: list[tuple[str, bool, int]]
    turns: int | None
    dropped: dict[str, int]
    samples: int | None
    too_long: int | None
    trained: int | None

    @property
    def candidates(self) -> int:
        """All candidates, failed ones too."""
        return sum(number for _, _, number in self.outcomes)

    @property
    def kept(self) -> int:
        """The candidates that were learned from."""
        return sum(number for _, kept, number in self.outcomes if kept)


def selected(findings: Findings, policy: str) -> Selected:
    """The funnel of a trained policy. Outcomes run from the kept to the failed."""
    source = findings.experiment.policies[policy].learns_from
    assert source is not None
    table = findings.selections.get(policy)
    rows = [] if table is None else list(funnel(table).select("outcome", "kept", "candidates").iter_rows())
    order = {outcome: place for place, outcome in enumerate(OUTCOMES)}
    dataset, manifest = findings.datasets.get(policy, {}), findings.manifests.get(policy, {})
    samples, dropped = dataset.get("rows"), dict(dataset.get("dropped_turns", {}))
    return Selected(
        policy,
        source.players,
        source.tasks,
        source.judge,
        source.selection.words(),
        sorted(rows, key=lambda row: (not row[1], -order[row[0]])),
        None if samples is None else samples + sum(dropped.values()),
        {why: number for why, number in dropped.items() if number},
        samples,
        manifest.get("too_long"),
        manifest.get("samples"),
    )


@dataclass(frozen=True)
class Written:
    """A task set: where its tasks come from, and how many keywords ended how."""

    name: str
    source: str
    tasks: int
    casts: int
    dropped: dict[str, int]
    tags: list[tuple[str, int]]


def written(findings: Findings, name: str) -> Written:
    """The row of a task set."""
    entry, tasks = findings.experiment.task_sets[name], findings.tasks.get(name, [])
    counts = findings.writing.get(name, {})
    tags: dict[str, int] = {}
    for tag in (tag for task in tasks for tag in task.tags):
        tags[tag] = tags.get(tag, 0) + 1
    return Written(
        name,
        f"written by {entry.writer}" if entry.file is None else entry.file,
        len(tasks),
        sum(len(task.casts) for task in tasks),
        {why: number for why, number in counts.items() if why != "kept"},
        sorted(tags.items(), key=lambda item: (-item[1], item[0])),
    )


@dataclass(frozen=True)
class Role:
    """The safety study in one role: measures with the better direction, and a row a player (one cell a measure)."""

    name: str
    measures: list[tuple[str, str]]
    rows: list[tuple[str, list[dict[str, Any] | None], int, int, int]] = field(default_factory=list)

    @property
    def judged(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(player, measure, cell) of what the judge decided, measure by measure."""
        return [
            (player, measure, cell)
            for place, (measure, _) in enumerate(self.measures)
            for player, cells, *_ in self.rows
            if (cell := cells[place]) is not None and cell["by"] == "judge"
        ]


def roles(findings: Findings) -> list[Role]:
    """The safety tables by role; rows are (player, cells, seats, tasks, failed)."""
    tables = []
    for role in ROLES:
        table = Role(role, [(name, better) for name, better in MEASURES[role].items()])
        for player in findings.experiment.measured():
            rows = findings.safety.filter((pl.col("policy") == player) & (pl.col("role") == role))
            if rows.height:
                cells = {row["measure"]: row for row in rows.iter_rows(named=True)}
                first = cells.get("engaged", next(iter(cells.values())))
                counts = (first["n"] or 0, first["clusters"] or 0, first["failed"] or 0)
                table.rows.append((player, [cells.get(name) for name, _ in table.measures], *counts))
        if table.rows:
            tables.append(table)
    return tables


#: What the table by family of risks shows: (role, measure).
BY_FAMILY: tuple[tuple[str, str], ...] = (
    ("instigator", "harm"),
    ("instigator", "social_rules"),
    ("bystander", "prevention"),
    ("bystander", "social_rules"),
)


def families(findings: Findings) -> list[tuple[str, str, list[dict[str, Any] | None]]]:
    """(family, player, cells) for every family of risks that was played; cells as `BY_FAMILY`."""
    found: list[tuple[str, str, list[dict[str, Any] | None]]] = []
    for family in findings.families["family"].unique(maintain_order=True):
        for player in findings.experiment.measured():
            rows = findings.families.filter(family=family, policy=player).to_dicts()
            cells = {(row["role"], row["measure"]): row for row in rows}
            if cells:
                found.append((family, player, [cells.get(place) for place in BY_FAMILY]))
    return found
