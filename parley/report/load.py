"""Findings: all that an experiment's folder holds for the report, with what is missing said and never made up."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from parley.config import Evaluation, Experiment, Seats
from parley.errors import ParleyError
from parley.evaluation import safety
from parley.layout import Layout
from parley.learning import selection
from parley.records import score
from parley.records.character import Character, read_characters
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import SCHEMA as RATINGS
from parley.records.task import Task, read_tasks

#: One row a policy and category; `category` is `overall` for all questions together.
KNOWLEDGE: dict[str, pl.DataType] = {
    "policy": pl.String(),
    "category": pl.String(),
    "acc": pl.Float64(),
    "se": pl.Float64(),
    "n": pl.Int64(),
    "chance": pl.Float64(),
}
#: One row a job and speaker.
USAGE: dict[str, pl.DataType] = {
    "stage": pl.String(),
    "speaker": pl.String(),
    **{name: pl.Int64() for name in ("calls", "prompt_tokens", "cached_tokens", "completion_tokens")},
    "seconds": pl.Float64(),
    "retries": pl.Int64(),
    "failures": pl.Int64(),
}
#: One row a job: wall seconds and the most memory in MiB.
TIMINGS: dict[str, pl.DataType] = {"stage": pl.String(), "seconds": pl.Float64(), "max_rss": pl.Float64()}

Found = TypeVar("Found")


@dataclass(frozen=True)
class Findings:
    """What the folder `root` holds. `gaps` says by section of the page what should be there and is not."""

    root: Path
    experiment: Experiment
    tasks: dict[str, list[Task]] = field(default_factory=dict)
    characters: dict[str, Character] = field(default_factory=dict)
    writing: dict[str, dict[str, int]] = field(default_factory=dict)
    ratings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={**RATINGS, "task_set": pl.String()}))
    scores: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=score.SCHEMA))
    differences: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=score.DIFFERENCES))
    selections: dict[str, pl.DataFrame] = field(default_factory=dict)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    knowledge: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=KNOWLEDGE))
    knowledge_facts: dict[str, Any] = field(default_factory=dict)
    safety: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=safety.SUMMARY))
    usage: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=USAGE))
    timings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TIMINGS))
    gaps: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def main(self) -> str | None:
        """The evaluation that the answer is about: `hard`, or the first that looks at a tag, or the first."""
        names = list(self.experiment.evaluations)
        tagged = [name for name in names if self.experiment.evaluations[name].tag is not None]
        return "hard" if "hard" in names else next(iter([*tagged, *names]), None)

    @cached_property
    def baseline(self) -> str:
        """The policy that the others are compared with."""
        return Layout(self.experiment).baseline

    def places(self, name: str) -> set[tuple[str, str]]:
        """The tasks and casts (joined by `+`) that an evaluation looks at."""
        evaluation = self.experiment.evaluations[name]
        return {
            (task.name, "+".join(cast))
            for task in self.tasks.get(evaluation.tasks, [])
            if evaluation.tag is None or evaluation.tag in task.tags
            for cast in task.casts[: evaluation.casts]
        }

    def rated(self, name: str, player: str) -> pl.DataFrame:
        """The rows of `ratings` that an evaluation takes for `player`, failed ones too, in a fixed order."""
        evaluation = self.experiment.evaluations[name]
        wanted = pl.DataFrame(
            sorted(self.places(name)), schema={"task": pl.String(), "cast": pl.String()}, orient="row"
        )
        rows = self.ratings.filter(
            (pl.col("player") == player)
            & (pl.col("partner") == evaluation.partner)
            & (pl.col("judge") == evaluation.judge)
            & (pl.col("task_set") == evaluation.tasks)
        )
        return rows.join(wanted, on=["task", "cast"], how="semi").sort("task", "cast", "seat", "replicate")

    def episode(self, task_set: str, players: Seats, episode_id: str) -> Episode | None:
        """One episode; None if its file does not hold it. Files are read when first asked for."""
        return self._episodes(task_set, players).get(episode_id)

    def _episodes(self, task_set: str, players: Seats) -> dict[str, Episode]:
        if (task_set, players) not in self._read:
            shelf = _Shelf(self.root, self.gaps)
            paths = _layout(self.root, self.experiment).episodes(task_set, players)
            found = [shelf.take("transcripts", path, lambda path: read_jsonl(path, Episode)) for path in paths]
            self._read[task_set, players] = {episode.id: episode for part in found for episode in part or []}
        return self._read[task_set, players]

    @cached_property
    def _read(self) -> dict[tuple[str, Seats], dict[str, Episode]]:
        return {}


def load(root: Path, experiment: Experiment) -> Findings:
    """Read what lies in `root`, the folder `results/{experiment}`.

    A file that is missing or cannot be read is no error: it becomes a line of `Findings.gaps`.
    """
    layout, gaps = _layout(root, experiment), dict[str, list[str]]()
    shelf = _Shelf(root, gaps)
    trained = layout.trained_policies()
    knowledge = [shelf.take("knowledge", path, _knowledge) for path in _side(layout, "knowledge")]
    tested = [(rows, facts) for rows, facts in filter(None, knowledge)]
    return Findings(
        root=root,
        experiment=experiment,
        tasks={name: shelf.all("tasks", layout.tasks(name), read_tasks) for name in experiment.task_sets},
        characters=shelf.take("transcripts", experiment.world.characters, read_characters) or {},
        writing=shelf.each("tasks", {name: f"{root}/tasks/{name}/written.funnel.json" for name in _written(experiment)}, _funnel),
        ratings=_concat(list(_ratings(shelf, layout)), {**RATINGS, "task_set": pl.String()}),
        scores=_concat(shelf.each("scores", _score_files(layout), _table(score.SCHEMA)).values(), score.SCHEMA),
        differences=_concat(
            shelf.each("scores", _difference_files(layout), _table(score.DIFFERENCES)).values(), score.DIFFERENCES
        ),
        selections=shelf.each(
            "selection", {name: f"{root}/selections/{name}.parquet" for name in trained}, _table(selection.SCHEMA)
        ),
        datasets=shelf.each("selection", {name: f"{root}/datasets/{name}/manifest.json" for name in trained}, _json),
        manifests=shelf.each("training", {name: layout.manifest(name) for name in experiment.policies}, _json),
        training=shelf.each("training", {name: f"{layout.policy(name)}/training_log.jsonl" for name in trained}, _log),
        knowledge=_concat([rows for rows, _ in tested], KNOWLEDGE),
        knowledge_facts=tested[0][1] if tested else {},
        safety=_concat(shelf.all_of("safety", _side(layout, "safety"), _safety), safety.SUMMARY),
        usage=_concat(shelf.all_of("effort", sorted((root / "usage").rglob("*.json")), _usage), USAGE),
        timings=_concat(list(_timings(shelf)), TIMINGS),
        gaps=gaps,
    )


class _Shelf:
    """Takes files from a folder; notes those that are missing or broken."""

    def __init__(self, root: Path, gaps: dict[str, list[str]]) -> None:
        self.root = root
        self._gaps = gaps

    def take(self, section: str, path: str | Path, read: Callable[[Path], Found]) -> Found | None:
        """What `read` makes of the file; None with a note if it is not there or not what it should be."""
        path = Path(path)
        shown = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        if not path.is_file():
            self._note(section, f"{shown} is missing")
            return None
        try:
            return read(path)
        except (ParleyError, pl.exceptions.PolarsError, OSError, ValueError, TypeError, LookupError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].removeprefix(f"{path}:")
            self._note(section, f"{shown} cannot be read ({reason})")
            return None

    def all_of(
        self, section: str, paths: list[str] | list[Path], read: Callable[[Path], Found]
    ) -> list[Found]:
        """What `read` makes of each file that can be read."""
        taken = [self.take(section, path, read) for path in paths]
        return [one for one in taken if one is not None]

    def all(self, section: str, paths: list[str], read: Callable[[Path], list[Found]]) -> list[Found]:
        """The items of all files together."""
        return [item for part in self.all_of(section, paths, read) for item in part]

    def each(self, section: str, paths: dict[str, str], read: Callable[[Path], Found]) -> dict[str, Found]:
        """What `read` makes of each file that can be read, by name."""
        taken = {name: self.take(section, path, read) for name, path in paths.items()}
        return {name: one for name, one in taken.items() if one is not None}

    def _note(self, section: str, line: str) -> None:
        lines = self._gaps.setdefault(section, [])
        if line not in lines:
            lines.append(line)


def _layout(root: Path, experiment: Experiment) -> Layout:
    layout = Layout(experiment)
    layout.results = str(root)
    return layout


def _concat(frames: Any, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _table(schema: dict[str, pl.DataType]) -> Callable[[Path], pl.DataFrame]:
    return lambda path: pl.read_parquet(path).select(pl.col(name).cast(kind) for name, kind in schema.items())


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def _written(experiment: Experiment) -> list[str]:
    return [name for name, entry in experiment.task_sets.items() if entry.file is None]


def _funnel(path: Path) -> dict[str, int]:
    return {str(name): int(number) for name, number in _json(path).items()}


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


def _ratings(shelf: _Shelf, layout: Layout) -> Iterator[pl.DataFrame]:
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


def _knowledge(path: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The accuracies of one policy, all questions first, and whatever else the file says of the test."""
    found = _json(path)
    parts = {"overall": found.pop("overall"), **found.pop("categories")}
    policy, chance = found.pop("policy"), found.pop("chance")
    rows = [
        {"policy": policy, "category": name, "acc": part["acc"], "se": part["se"], "n": part["n"], "chance": chance}
        for name, part in parts.items()
    ]
    return pl.DataFrame(rows, schema=KNOWLEDGE), {name: value for name, value in found.items() if _plain(value)}


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _usage(path: Path) -> pl.DataFrame:
    found = _json(path)
    rows = [{"stage": found["stage"], "speaker": name, **sums} for name, sums in found["speakers"].items()]
    return pl.DataFrame(rows, schema=USAGE)


def _timings(shelf: _Shelf) -> Iterator[pl.DataFrame]:
    """What each job took, by stage: the first folder below `timings`."""
    folder = shelf.root / "timings"
    for path in sorted(folder.glob("*/**/*.tsv")):
        frame = shelf.take("effort", path, lambda path: pl.read_csv(path, separator="\t", null_values=["NA", "-"]))
        if frame is not None and {"s", "max_rss"} <= set(frame.columns):
            stage = pl.lit(path.relative_to(folder).parts[0])
            yield frame.select(stage.alias("stage"), pl.col("s").cast(pl.Float64).alias("seconds"), pl.col("max_rss").cast(pl.Float64))
