"""Planned studies: how many tasks and seats an evaluation will have, and how much its differences vary."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from parley.config import Evaluation, Experiment
from parley.evaluation.components import Components, components
from parley.evaluation.power import ALPHA, detectable, pooled, published, tasks_needed
from parley.evaluation.scores import MEASURES, places, seats_of
from parley.layout import Layout
from parley.records.rating import DIMENSIONS, KEYS, read_ratings
from parley.records.task import read_tasks

#: The differences, in points, that a plan names the tasks for.
POINTS = (0.5, 1.0, 2.0)
_KEY = ["task", "cast", "seat", "replicate"]
_SHORT = {**{dimension.key: dimension.short for dimension in DIMENSIONS}, "overall": "Overall"}


@dataclass(frozen=True)
class Size:
    """How many tasks an evaluation has, and how many seats of a policy in all of them."""

    tasks: int
    seats: int


def size(layout: Layout, evaluation: Evaluation) -> Size | None:
    """The planned size: of the cast tasks, else of the file that they come from, else as many as are to be written.

    None where that cannot be known yet: tasks that are not there, or tags of tasks that nobody has written.
    """
    entry, replicates = layout.experiment.task_sets[evaluation.tasks], layout.experiment.play.replicates
    cast = [Path(path) for path in layout.tasks(evaluation.tasks)]
    if all(path.exists() for path in cast):
        found = places(evaluation, [task for path in cast for task in read_tasks(path)])
        return Size(len({task for task, _ in found}), 2 * len(found) * replicates)
    if entry.file is not None and Path(entry.file).exists():
        tasks = [task for task in read_tasks(entry.file) if evaluation.tag is None or evaluation.tag in task.tags]
        casts = [
            len(task.casts[: entry.casts_for(task.tags)]) if task.casts else entry.casts_for(task.tags) or 1
            for task in tasks
        ]
        return Size(len(tasks), 2 * replicates * sum(min(number, evaluation.casts or number) for number in casts))
    if entry.count is not None and evaluation.tag is None:
        casts_each = min(entry.casts or 1, evaluation.casts or entry.casts or 1)
        return Size(entry.count, 2 * replicates * casts_each * entry.count)
    return None


def measured(layout: Layout, evaluation: Evaluation) -> dict[str, Components] | None:
    """By measure, how the differences to the baseline varied in the ratings that are there already; None without any."""
    tables = {
        player: table
        for player in layout.experiment.measured()
        if (table := _rated(layout, player, evaluation)) is not None
    }
    base = tables.pop(layout.baseline, None)
    if base is None or not tables:
        return None
    found: dict[str, list[Components]] = {measure: [] for measure in MEASURES}
    for table in tables.values():
        both = table.join(base, on=_KEY, suffix="_base").sort(_KEY)
        for measure in MEASURES:
            apart = (both[measure].cast(pl.Float64) - both[f"{measure}_base"]).to_list()
            if (parts := components(apart, both["task"].to_list())) is not None:
                found[measure].append(parts)
    return {measure: pooled(parts) for measure, parts in found.items()} if all(found.values()) else None


def _rated(layout: Layout, player: str, evaluation: Evaluation) -> pl.DataFrame | None:
    """The rated seats of a player; None if a file of them is not there."""
    paths, cast = layout.study_ratings(player, evaluation), layout.tasks(evaluation.tasks)
    if not all(Path(path).exists() for path in [*paths, *cast]):
        return None
    among = places(evaluation, [task for path in cast for task in read_tasks(path)])
    rows = seats_of(read_ratings(paths), player, evaluation.partner, among)
    return rows.filter(pl.col("failure").is_null())


def told(experiment: Experiment, layout: Layout) -> Iterator[str]:
    """The plan in lines: by evaluation and dimension what could be found, and how many tasks a difference needs."""
    yield (
        "The smallest true difference of a policy to another that a paired t test by task finds 80 times in 100 "
        "(two-sided at 5 %; with Holm's correction, where it is hardest: at 5 % / 7)."
    )
    for name, evaluation in experiment.evaluations.items():
        yield ""
        planned = size(layout, evaluation)
        if planned is None:
            yield f"{name}: how many tasks it has is not known before they are there; make them first (snakemake tasks)"
            continue
        yield f"{name}: {planned.tasks} tasks, {planned.seats} seats of each policy"
        if planned.tasks < 2:
            yield "  one task tells nothing about others: nothing can be found; add tasks"
            continue
        here = measured(layout, evaluation)
        yield (
            "  spread of the differences: as in the ratings that are there"
            if here
            else "  spread of the differences: a prior, people's in the paper (Tables 5 and 6), a fifth of it between tasks"
        )
        yield f"  {'':8}{'finds':>8}{'corrected':>11}   tasks for {', '.join(f'{points:g}' for points in POINTS)} points"
        each = planned.seats / planned.tasks
        for measure in MEASURES:
            spread = here[measure] if here else published(measure)
            alone = detectable(spread, planned.tasks, each)
            corrected = detectable(spread, planned.tasks, each, ALPHA / len(KEYS)) if measure in KEYS else None
            needed = [tasks_needed(points, spread, each) for points in POINTS]
            shown = ", ".join("-" if number is None else f"{number:,}" for number in needed)
            yield f"  {_SHORT[measure]:8}{_fixed(alone):>8}{_fixed(corrected):>11}   {shown}"


def _fixed(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"
