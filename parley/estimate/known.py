"""What is known of the files of a run: those that stay, as they lie there, and of those to come what can be told."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from parley.config import Experiment
from parley.layout import Layout
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import read_ratings
from parley.records.task import Task, read_tasks


@dataclass
class Tasks:
    """Some tasks of a file, and how many more there will be. `casts` is how many each of those will have."""

    tasks: list[Task] = field(default_factory=list)
    unknown: float = 0.0
    casts: int = 1


@dataclass
class Episodes:
    """Some episodes of a file, and how many more there will be: likely, and if the policies stay as they are."""

    episodes: list[Episode] = field(default_factory=list)
    unknown: float = 0.0
    unknown_at_least: float = 0.0


class Known:
    """Files by path. One that a job of the plan writes is put here by its foresight; any other is read."""

    def __init__(self, experiment: Experiment) -> None:
        self.layout = Layout(experiment)
        self._tasks: dict[str, Tasks] = {}
        self._episodes: dict[str, Episodes] = {}
        self._ratings: dict[str, pl.DataFrame | None] = {}

    def put_tasks(self, path: str, tasks: Tasks) -> None:
        """What a job will write."""
        self._tasks[path] = tasks

    def put_episodes(self, path: str, episodes: Episodes) -> None:
        """What a job will write."""
        self._episodes[path] = episodes

    def put_ratings(self, path: str, ratings: pl.DataFrame | None) -> None:
        """What a job will write, None if that cannot be told."""
        self._ratings[path] = ratings

    def tasks(self, path: str) -> Tasks:
        """The tasks of a file."""
        if path not in self._tasks:
            self._tasks[path] = Tasks(read_tasks(path))
        return self._tasks[path]

    def episodes(self, path: str) -> Episodes:
        """The episodes of a file."""
        if path not in self._episodes:
            self._episodes[path] = Episodes(read_jsonl(path, Episode))
        return self._episodes[path]

    def ratings(self, path: str) -> pl.DataFrame | None:
        """The ratings of a file, None if they cannot be told."""
        if path not in self._ratings:
            self._ratings[path] = read_ratings([Path(path)])
        return self._ratings[path]
