"""Findings: all that an experiment's folder holds for the report, with what is missing said and never made up."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from parley.config import Experiment, Seats
from parley.evaluation import safety
from parley.evaluation.scores import places
from parley.layout import Layout
from parley.records import score
from parley.records.calibration import CALIBRATION
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import SCHEMA as RATINGS
from parley.records.task import Task
from parley.report.shelf import Shelf
from parley.tables.views import main_evaluation

TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")
#: One row a job and speaker. `model` is what spoke, `wall` the time on the clock of the job, null if it is not known;
#: `batch_…` is the part of the tokens that came in batches.
USAGE: dict[str, pl.DataType] = {
    "stage": pl.String(),
    "speaker": pl.String(),
    "model": pl.String(),
    **{name: pl.Int64() for name in ("calls", *TOKENS, *(f"batch_{name}" for name in TOKENS))},
    "seconds": pl.Float64(),
    "retries": pl.Int64(),
    "failures": pl.Int64(),
    "wall": pl.Float64(),
}
#: What is counted of a speaker's calls and answers in a job, and one row a job and speaker.
COUNTS = ["calls", "failures", "retried", "answers", "repaired", "asked_again", "unreadable"]
TROUBLES: dict[str, pl.DataType] = {
    "stage": pl.String(),
    "speaker": pl.String(),
    **{name: pl.Int64() for name in COUNTS},
}
#: One row a job, speaker and kind of reason: why tries failed and answers could not be used.
REASONS: dict[str, pl.DataType] = {
    "stage": pl.String(),
    "speaker": pl.String(),
    "kind": pl.String(),
    "n": pl.Int64(),
}
#: How many episodes ended in a failure, of themselves or of their rating; `failure` is null for those that did not.
OUTCOMES: dict[str, pl.DataType] = {
    "task_set": pl.String(),
    "players": pl.String(),
    "judge": pl.String(),
    "failure": pl.String(),
    "n": pl.Int64(),
}
#: One row a job: wall seconds and the most memory in MiB.
TIMINGS: dict[str, pl.DataType] = {"stage": pl.String(), "seconds": pl.Float64(), "max_rss": pl.Float64()}


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
    canary: dict[str, dict[str, Any]] = field(default_factory=dict)
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)
    selections: dict[str, pl.DataFrame] = field(default_factory=dict)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    knowledge: dict[str, dict[str, Any]] = field(default_factory=dict)
    knowledge_versus: dict[str, dict[str, Any]] = field(default_factory=dict)
    safety: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=safety.SUMMARY))
    families: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=safety.FAMILIES))
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    usage: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=USAGE))
    timings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TIMINGS))
    troubles: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TROUBLES))
    reasons: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REASONS))
    outcomes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OUTCOMES))
    calibration: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CALIBRATION))
    calibrated_gains: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CALIBRATION))
    agreement: dict[str, Any] = field(default_factory=dict)
    gaps: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def main(self) -> str | None:
        """The evaluation that the answer is about: `hard`, or the first that looks at a tag, or the first.

        If people's ratings say nothing of it but of others, the first of those: what people say goes before the rest.
        """
        wanted, rated = main_evaluation(self.experiment), set(self.calibration["evaluation"].to_list())
        if not rated or wanted in rated:
            return wanted
        return next((name for name in self.experiment.evaluations if name in rated), wanted)

    @cached_property
    def baseline(self) -> str:
        """The policy that the others are compared with."""
        return Layout(self.experiment).baseline

    def places(self, name: str) -> set[tuple[str, str]]:
        """The tasks and casts (joined by `+`) that an evaluation looks at."""
        evaluation = self.experiment.evaluations[name]
        return {(task, "+".join(cast)) for task, cast in places(evaluation, self.tasks.get(evaluation.tasks, []))}

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
            shelf = Shelf(self.root, self.gaps)
            paths = layout_of(self.root, self.experiment).episodes(task_set, players)
            found = [shelf.take("transcripts", path, lambda path: read_jsonl(path, Episode)) for path in paths]
            self._read[task_set, players] = {episode.id: episode for part in found for episode in part or []}
        return self._read[task_set, players]

    @cached_property
    def _read(self) -> dict[tuple[str, Seats], dict[str, Episode]]:
        return {}


def layout_of(root: Path, experiment: Experiment) -> Layout:
    """Where the experiment's files lie if `root` is its folder."""
    layout = Layout(experiment)
    layout.results = str(root)
    return layout
