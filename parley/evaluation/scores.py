"""Scores of one policy, and paired differences between two, from ratings (paper, Tables 2, 5 and 6)."""

from collections.abc import Collection, Iterable, Iterator
from itertools import zip_longest
from typing import Any, Literal, get_args

import polars as pl

from parley.config import Evaluation
from parley.errors import ParleyError
from parley.evaluation.effect import standardised
from parley.evaluation.multiplicity import holm
from parley.evaluation.statistics import (
    cluster_means,
    clustered_mean,
    clustered_score,
    paired_by_means,
    paired_difference,
)
from parley.records.rating import KEYS, RANGES
from parley.records.score import DIFFERENCES, SCHEMA, Provenance
from parley.records.task import Cast, Task

#: What is scored, in the order of the tables.
MEASURES: tuple[str, ...] = (*KEYS, "overall")
Method = Literal["pairs", "task_means"]
#: Which seats an evaluation looks at: (task name, cast).
Places = Collection[tuple[str, Cast]]

_PLACE = ["task", "cast"]
_KEY = [*_PLACE, "seat", "replicate"]


def places(evaluation: Evaluation, tasks: Iterable[Task]) -> set[tuple[str, Cast]]:
    """The (task, cast) pairs that an evaluation measures: tasks with its tag, and the first so many casts of each."""
    return {
        (task.name, cast)
        for task in tasks
        if evaluation.tag is None or evaluation.tag in task.tags
        for cast in task.casts[: evaluation.casts]
    }


def scale(measure: str) -> tuple[float, float]:
    """The least step of a difference on a dimension and the largest that there can be, as `paired_difference` takes them."""
    least, most, step = RANGES[measure]
    return step, most - least


def seats_of(ratings: pl.DataFrame, player: str, partner: str, among: Places | None = None) -> pl.DataFrame:
    """The rows (of `parley.records.rating.SCHEMA`) that rate `player` sitting with `partner`, in either seat, sorted.

    Swap the names for the partner's own scores (paper, Table 9). `among` keeps only those tasks and casts.
    Raises `ParleyError` if the rows come from several judges or rate a seat twice: no mean over such rows is right.
    """
    rows = ratings.filter((pl.col("player") == player) & (pl.col("partner") == partner))
    if among is not None:
        rows = seats_among(rows, among)
    judges = sorted(rows["judge"].unique().to_list())
    if len(judges) > 1:
        raise ParleyError(f"the ratings of {player} mix the judges {', '.join(judges)}; give the files of one judge")
    if (twice := rows.filter(pl.struct(_KEY).is_duplicated())).height:
        task, cast, seat, replicate = twice.select(_KEY).sort(_KEY).row(0)
        raise ParleyError(
            f"{player} is rated twice in seat {seat} of task {task!r}, cast {cast}, replicate {replicate}; "
            "give each rating file once"
        )
    return rows.sort(_KEY)


def seats_among(rows: pl.DataFrame, among: Places) -> pl.DataFrame:
    """Those of the rows that are of these tasks and casts."""
    return rows.join(_places(among), on=_PLACE, how="semi")


def scores(ratings: pl.DataFrame, source: Provenance, among: Places | None = None, replicates: int = 1) -> pl.DataFrame:
    """One row a dimension and seat (0, 1, null = both pooled) with the columns of `parley.records.score.SCHEMA`.

    Means and intervals are clustered by task, and no interval leaves the range of its dimension. Failed ratings are
    counted, not averaged. With `among` every listed task and cast should have been played `replicates` times with the
    policy in each seat; what was not is `missing`.
    """
    rows = seats_of(ratings, source.policy, source.partner, among)
    _same_judge(rows, source.judge)
    absent = None if among is None else _absent(rows, among, replicates)
    provenance = source.model_dump()
    table = []
    for seat in (None, 0, 1):
        part = rows if seat is None else rows.filter(pl.col("seat") == seat)
        rated = part.filter(pl.col("failure").is_null())
        missing = None if absent is None else absent.height if seat is None else (absent["seat"] == seat).sum()
        counts = {"seat": seat, "failed": part.height - rated.height, "missing": missing}
        for measure in MEASURES:
            estimate = clustered_score(rated[measure].to_list(), rated["task"].to_list(), *RANGES[measure])
            table.append({**provenance, **counts, "dimension": measure, **vars(estimate)})
    return pl.DataFrame(table, schema=SCHEMA)


def paired(a: pl.DataFrame, b: pl.DataFrame, evaluation: str) -> pl.DataFrame:
    """Differences a - b per dimension, by both methods, with the columns of `parley.records.score.DIFFERENCES`.

    `a` and `b` are results of `seats_of` for two policies with the same partner and judge. A failed rating has no
    difference, and its counterpart counts as unmatched.
    """
    names = {"a": _one(a, "player"), "b": _one(b, "player"), "evaluation": evaluation}
    for column in ("partner", "judge"):
        names[column] = _one(a, column)
        if names[column] != (other := _one(b, column)):
            raise ParleyError(
                f"{names['a']} and {names['b']} differ in their {column} ({names[column]}, {other}); "
                "only policies measured alike can be compared"
            )
    a, b = (side.filter(pl.col("failure").is_null()) for side in (a, b))
    table = [{**names, **row} for method in get_args(Method) for row in _differences(a, b, method)]
    return pl.DataFrame(table, schema=DIFFERENCES)


def _differences(a: pl.DataFrame, b: pl.DataFrame, method: Method) -> Iterator[dict[str, Any]]:
    key = _KEY if method == "pairs" else ["task"]
    a_used, b_used = a.join(b, on=key, how="semi"), b.join(a, on=key, how="semi")
    unmatched = {"unmatched_a": a.height - a_used.height, "unmatched_b": b.height - b_used.height}
    a_used, b_used = a_used.sort(_KEY), b_used.sort(_KEY)
    tasks_a, tasks_b = a_used["task"].to_list(), b_used["task"].to_list()
    rows: list[dict[str, Any]] = []
    for measure in MEASURES:
        of_a, of_b = a_used[measure].to_list(), b_used[measure].to_list()
        if method == "pairs":
            result = paired_difference(of_a, of_b, tasks_a, *scale(measure))
            mean_a, mean_b = clustered_mean(of_a, tasks_a).mean, clustered_mean(of_b, tasks_b).mean
        else:
            result = paired_by_means(of_a, tasks_a, of_b, tasks_b, *scale(measure))
            mean_a, mean_b = _mean_of_means(of_a, tasks_a), _mean_of_means(of_b, tasks_b)
        fields = dict(vars(result))
        row = {"dimension": measure, "method": method, "mean_a": mean_a, "mean_b": mean_b, **unmatched}
        effect = standardised(result.mean, of_a, tasks_a, of_b, tasks_b)
        rows.append({**row, "difference": fields.pop("mean"), **fields, "effect": effect})
    corrected = holm([row["p"] for row in rows if row["dimension"] in KEYS])
    yield from ({**row, "p_holm": p} for row, p in zip_longest(rows, corrected))  # `overall` is last, and apart


def _mean_of_means(values: list[float], tasks: list[str]) -> float | None:
    means = cluster_means(values, tasks)
    return clustered_mean(list(means.values()), list(means)).mean


def _places(among: Places) -> pl.DataFrame:
    rows = sorted({(task, "+".join(cast)) for task, cast in among})
    return pl.DataFrame(rows, schema={"task": pl.String(), "cast": pl.String()}, orient="row")


def _absent(rows: pl.DataFrame, among: Places, replicates: int) -> pl.DataFrame:
    """The task, cast, seat and replicate of every seat that should have a row and has none."""
    seats = pl.DataFrame({"seat": [0, 1]}, schema={"seat": pl.Int8()})
    repeats = pl.DataFrame({"replicate": range(replicates)}, schema={"replicate": pl.Int32()})
    return _places(among).join(seats, how="cross").join(repeats, how="cross").join(rows, on=_KEY, how="anti")


def _same_judge(rows: pl.DataFrame, judge: str) -> None:
    if rows.height and (found := str(rows["judge"][0])) != judge:
        raise ParleyError(f"the ratings are by the judge {found}, not by {judge}; give the files of {judge}")


def _one(rows: pl.DataFrame, column: str) -> str:
    values = sorted(rows[column].unique().to_list())
    if len(values) != 1:
        raise ParleyError(
            f"a comparison needs the rows of one {column}, these have {', '.join(values) or 'no rows'}; "
            "take them from `seats_of`"
        )
    return str(values[0])
