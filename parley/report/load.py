"""Loading: the files of an experiment's folder as findings."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from parley.config import Evaluation, Experiment
from parley.evaluation import safety
from parley.layout import TABLES, Layout
from parley.learning import selection
from parley.learning.dataset import FUNNEL
from parley.records import score
from parley.records.character import read_characters
from parley.records.rating import SCHEMA as RATINGS
from parley.records.task import read_tasks
from parley.report.findings import COUNTS, OUTCOMES, REASONS, TIMINGS, TROUBLES, USAGE, Findings, layout_of
from parley.report.shelf import Shelf, read_object
from parley.report.studies import read_studies
from parley.tables.cells import read_cells

__all__ = ["Findings", "load"]


def load(root: Path, experiment: Experiment) -> Findings:
    """Read what lies in `root`, the folder `results/{experiment}`.

    A file that is missing or cannot be read is no error: it becomes a line of `Findings.gaps`.
    """
    layout, gaps = layout_of(root, experiment), dict[str, list[str]]()
    shelf = Shelf(root, gaps)
    # Not what else lies there: other settings may have left it behind.
    used = [path for path in layout.all_usage() if Path(path).exists()]
    trained = layout.trained_policies()
    return Findings(
        root=root,
        experiment=experiment,
        tasks={name: shelf.all("tasks", layout.tasks(name), read_tasks) for name in experiment.task_sets},
        characters=shelf.take("transcripts", experiment.world.characters, read_characters) or {},
        writing=shelf.each("tasks", _funnel_files(layout), _funnel),
        ratings=_concat(list(_ratings(shelf, layout)), {**RATINGS, "task_set": pl.String()}),
        scores=_concat(shelf.each("scores", _score_files(layout), _table(score.SCHEMA)).values(), score.SCHEMA),
        differences=_concat(
            shelf.each("scores", _difference_files(layout), _table(score.DIFFERENCES)).values(), score.DIFFERENCES
        ),
        canary=shelf.each("people", {Path(path).stem: path for path in layout.all_canaries()}, _judged),
        judges=shelf.each("people", {name: layout.judges(name) for name in experiment.evaluations}, _judged),
        selections=shelf.each(
            "selection", {name: f"{root}/selections/{name}.parquet" for name in trained}, _table(selection.SCHEMA)
        ),
        datasets=shelf.each("selection", {name: f"{root}/datasets/{name}/manifest.json" for name in trained}, _dataset),
        manifests=shelf.each("training", {name: layout.manifest(name) for name in experiment.policies}, read_object),
        training=shelf.each("training", {name: f"{layout.policy(name)}/training_log.jsonl" for name in trained}, _log),
        knowledge=shelf.each("knowledge", {Path(path).stem: path for path in _side(layout, "knowledge")}, _knowledge),
        knowledge_versus=shelf.each("knowledge", _versus_files(layout), _verdicts),
        safety=_concat(shelf.all_of("safety", _side(layout, "safety"), _safety), safety.SUMMARY),
        families=_concat(shelf.all_of("safety", _families(layout), _by_family), safety.FAMILIES),
        tables=shelf.each("tables", {name: layout.table(name) for name in TABLES}, read_cells),
        usage=_concat(list(_usage(shelf, used)), USAGE),
        timings=_concat(list(_timings(shelf, layout)), TIMINGS),
        troubles=_concat(shelf.all_of("effort", used, _troubles), TROUBLES),
        reasons=_concat(shelf.all_of("effort", used, _reasons), REASONS),
        outcomes=_concat(list(_outcomes(shelf, layout)), OUTCOMES),
        **read_studies(shelf, layout),
        gaps=gaps,
    )


def _concat(frames: Iterable[pl.DataFrame], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    whole: pl.DataFrame = pl.concat([pl.DataFrame(schema=schema), *frames])
    return whole


def _table(schema: dict[str, pl.DataType]) -> Callable[[Path], pl.DataFrame]:
    return lambda path: pl.read_parquet(path).select(pl.col(name).cast(kind) for name, kind in schema.items())


def _judged(path: Path) -> dict[str, Any]:
    """A study of judges, or a canary. Raises LookupError if a row lacks what the page tells."""
    found = read_object(path)
    for part, wanted in _TOLD.items():
        for row in found.get(part, []):
            if missing := {"dimension", "low", "high", *wanted} - set(row):
                raise LookupError(f"a row of {part} has no {sorted(missing)[0]}")
    return found


_TOLD = {
    "agreement": ("judge", "other", "difference", "pearson", "spearman", "within_one"),
    "position": ("judge", "mean", "same"),
    "verbosity": ("judge", "amount", "within", "slope", "correlation"),
    "drift": ("date", "mean", "same"),
}


def _dataset(path: Path) -> dict[str, Any]:
    """What a dataset holds, and what was kept and dropped on the way to it."""
    return read_object(path) | read_object(path.with_name(FUNNEL))


def _funnel_files(layout: Layout) -> dict[str, str]:
    written = [name for name, entry in layout.experiment.task_sets.items() if entry.file is None]
    return {name: f"{layout.results}/tasks/{name}/written.funnel.json" for name in written}


def _funnel(path: Path) -> dict[str, int]:
    return {str(name): int(number) for name, number in read_object(path).items()}


def _score_files(layout: Layout) -> dict[str, str]:
    experiment = layout.experiment
    pairs = [(player, name) for player in experiment.measured() for name in experiment.evaluations]
    return {f"{player}/{name}": layout.scores(player, name) for player, name in pairs}


def _difference_files(layout: Layout) -> dict[str, str]:
    experiment = layout.experiment
    others = [player for player in experiment.measured() if player != layout.baseline]
    return {f"{player}/{name}": layout.versus(player, name) for player in others for name in experiment.evaluations}


def _side(layout: Layout, study: str) -> list[str]:
    return [path for path in layout.side_effects() if Path(path).parent.name == study]


def _ratings(shelf: Shelf, layout: Layout) -> Iterator[pl.DataFrame]:
    """The ratings of the evaluations, each file once, with the task set that they are on."""
    evaluations: list[Evaluation] = list(layout.experiment.evaluations.values())
    paths = {
        path: evaluation.tasks
        for evaluation in evaluations
        for player in layout.experiment.measured()
        for path in layout.study_ratings(player, evaluation)
    }
    for path, task_set in paths.items():
        if (frame := shelf.take("transcripts", path, _table(RATINGS))) is not None:
            yield frame.with_columns(task_set=pl.lit(task_set))


def _log(path: Path) -> list[tuple[float, float]]:
    """(step, loss) of each line of a training log."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(float(line["step"]), float(line["loss"])) for line in lines]


def _safety(path: Path) -> pl.DataFrame:
    return pl.DataFrame(json.loads(path.read_text(encoding="utf-8")), schema=safety.SUMMARY)


def _families(layout: Layout) -> list[str]:
    return [path for path in layout.all_seats() if path.endswith(".families.json")]


def _by_family(path: Path) -> pl.DataFrame:
    return pl.DataFrame(json.loads(path.read_text(encoding="utf-8")), schema=safety.FAMILIES)


def _knowledge(path: Path) -> dict[str, Any]:
    """A policy's results as `parley.evaluation.knowledge.measure` gives them. Raises LookupError if one is missing."""
    found = read_object(path)
    if missing := {"overall", "categories", "chance", "answers"} - set(found):
        raise LookupError(f"it has no {sorted(missing)[0]}")
    for part in (found["overall"], *found["categories"].values()):
        if missing := {"acc", "se", "n"} - set(part):
            raise LookupError(f"an accuracy has no {sorted(missing)[0]}")
    return found


def _versus_files(layout: Layout) -> dict[str, str]:
    others = [name for name in layout.experiment.policies if name != layout.baseline]
    return {name: layout.knowledge_versus(name) for name in others} if layout.experiment.knowledge else {}


def _verdicts(path: Path) -> dict[str, Any]:
    """A policy's knowledge beside the base's, by way. Raises LookupError if something is missing."""
    found = read_object(path)
    for told in dict(found["ways"]).values():
        if missing := {"verdict", "difference", "least", "most"} - set(told):
            raise LookupError(f"a verdict has no {sorted(missing)[0]}")
    return found


def _usage(shelf: Shelf, used: list[str]) -> Iterator[pl.DataFrame]:
    """What the calls of each job took, with the time that the job took."""
    for path in used:
        if (found := shelf.take("effort", path, _job_usage)) is not None:
            timing = (shelf.root / "timings" / Path(path).relative_to(shelf.root / "usage")).with_suffix(".tsv")
            timed = shelf.take("effort", timing, _benchmark) if timing.exists() else None
            yield found.with_columns(wall=pl.lit(None if timed is None else timed["s"].sum(), pl.Float64))


def _job_usage(path: Path) -> pl.DataFrame:
    found = read_object(path)
    columns = [name for name in USAGE if name not in ("stage", "speaker", "wall")]
    rows = [
        {"stage": found["stage"], "speaker": name, "wall": None, **{key: sums.get(key) for key in columns}}
        for name, sums in found["speakers"].items()
    ]
    return pl.DataFrame(rows, schema=USAGE)


def _troubles(path: Path) -> pl.DataFrame:
    found = read_object(path)
    rows = [
        {"stage": found["stage"], "speaker": name, **dict.fromkeys(COUNTS, 0), **sums, **sums.get("troubles", {})}
        for name, sums in found["speakers"].items()
    ]
    return pl.DataFrame(rows, schema=TROUBLES)


def _reasons(path: Path) -> pl.DataFrame:
    found = read_object(path)
    rows = [
        (found["stage"], name, kind, number)
        for name, sums in found["speakers"].items()
        for kind, number in sums.get("troubles", {}).get("reasons", {}).items()
    ]
    return pl.DataFrame(rows, schema=REASONS, orient="row")


def _outcomes(shelf: Shelf, layout: Layout) -> Iterator[pl.DataFrame]:
    """How the episodes of each play ended: with a rating, or why not."""
    for task_set, players, judge in layout.plays():
        for path in layout.ratings(task_set, players, judge):
            if (frame := shelf.take("failures", path, _failures)) is not None:
                named = {"task_set": task_set, "players": "+".join(players), "judge": judge}
                yield frame.select(**{name: pl.lit(value) for name, value in named.items()}, failure="failure", n="n")


def _failures(path: Path) -> pl.DataFrame:
    """Episodes by failure; both seats of an episode have the same."""
    first = pl.read_parquet(path, columns=["seat", "failure"]).filter(pl.col("seat") == 0)
    counted: pl.DataFrame = first.group_by("failure", maintain_order=True).agg(n=pl.len().cast(pl.Int64))
    return counted


def _timings(shelf: Shelf, layout: Layout) -> Iterator[pl.DataFrame]:
    """What each job took, by stage: the first folder below `timings`."""
    folder = shelf.root / "timings"
    for path in map(Path, layout.all_timings()):
        if path.exists() and (frame := shelf.take("effort", path, _benchmark)) is not None:
            yield frame.select(stage=pl.lit(path.relative_to(folder).parts[0]), seconds="s", max_rss="max_rss")


def _benchmark(path: Path) -> pl.DataFrame:
    """Snakemake's measurements of a job; it writes NA or - for what it could not measure."""
    frame = pl.read_csv(path, separator="\t", null_values=["NA", "-"])
    return frame.select(pl.col("s", "max_rss").cast(pl.Float64))
