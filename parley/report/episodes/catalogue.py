"""Catalogue: every episode of an experiment as a row to filter by, and as a play to be read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from parley.evaluation.scores import places
from parley.layout import Layout
from parley.learning.selection import OUTCOMES
from parley.learning.selection import SCHEMA as SELECTION
from parley.records.character import Character, read_characters
from parley.records.episode import ACTION_TYPES, Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import DIMENSIONS, KEYS, SCHEMA
from parley.records.task import Task, read_tasks
from parley.report import inputs
from parley.report.episodes.raters import Raters, read_raters
from parley.report.shelf import Shelf

Json = dict[str, Any]
#: What of a character is shown.
PROFILE = (
    *("name", "age", "gender", "pronouns", "occupation", "public_info", "personality_and_values"),
    *("decision_making_style", "secret"),
)
#: How an episode can end.
ENDINGS = ("left", "silence", "turns", "failed")


@dataclass(frozen=True)
class Talk:
    """An episode with all that was said of it: `row` is filtered by, `play` is read."""

    row: Json
    play: Json


@dataclass
class Names:
    """Texts that many rows share, each kept once: a row holds its number."""

    texts: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def of(self, text: str) -> int:
        """The number of a text, a new one for a new text."""
        if text not in self._places:
            self._places[text] = len(self.texts)
            self.texts.append(text)
        return self._places[text]


class Catalogue:
    """Reads an experiment's episodes; `talks` goes through them, `shared` is what their numbers stand for."""

    def __init__(self, layout: Layout, gaps: dict[str, list[str]]) -> None:
        self._layout = layout
        self._shelf = Shelf(Path(layout.results), gaps)
        self.experiment = layout.experiment
        self._people = self._raters()
        self._tasks: dict[tuple[str, str], tuple[int, Task]] = {}
        for name in self.experiment.task_sets:
            for task in self._shelf.all("transcripts", layout.tasks(name), read_tasks):
                self._tasks[name, task.name] = (len(self._tasks), task)
        self._characters: dict[str, Character] = (
            self._shelf.take("transcripts", self.experiment.world.characters, read_characters) or {}
        )
        self._sets, self._players, self._judges = list(self.experiment.task_sets), Names(), Names()
        self._failures, self._cast = Names(), Names()
        self._chosen = self._selected()
        self._seen = self._observed()
        self._views = {
            name: {(task, "+".join(cast)) for task, cast in places(entry, self._of_set(entry.tasks))}
            for name, entry in self.experiment.evaluations.items()
        }

    def talks(self) -> Iterator[Talk]:
        """Every episode once, with the ratings of all its judges, in the order in which they are played."""
        judges: dict[tuple[str, tuple[str, str]], list[str]] = {}
        for task_set, players, judge in self._layout.plays():
            judges.setdefault((task_set, players), []).append(judge)
        for (task_set, players), names in judges.items():
            episodes = self._layout.episodes(task_set, players)
            rated = [self._layout.ratings(task_set, players, judge) for judge in dict.fromkeys(names)]
            for path, *files in zip(episodes, *rated, strict=True):
                ratings = self._ratings(files)
                for episode in self._shelf.take("transcripts", path, lambda path: read_jsonl(path, Episode)) or []:
                    yield self._talk(task_set, episode, ratings.get(episode.id, []))

    def shared(self) -> Json:
        """What the numbers in rows and plays stand for. To be asked for after the last talk."""
        entries = self.experiment.evaluations.items()
        return {
            "experiment": self.experiment.experiment,
            "sets": self._sets,
            "players": self._players.texts,
            "measured": self.experiment.measured(),
            "judges": self._judges.texts,
            "dimensions": [[d.key.replace("_", " "), d.short, d.low, d.high] for d in DIMENSIONS],
            "evaluations": [[name, entry.tasks, entry.partner, entry.judge] for name, entry in entries],
            "learners": self._layout.trained_policies(),
            "simulated": self._people.simulated,
            "outcomes": list(OUTCOMES),
            "endings": list(ENDINGS),
            "actions": list(ACTION_TYPES),
            "failures": self._failures.texts,
            "tasks": [self._told(name, task) for (name, _), (_, task) in self._tasks.items()],
            "characters": [self._profile(key) for key in self._cast.texts],
        }

    # -- one episode -------------------------------------------------------------------------------------------

    def _talk(self, task_set: str, episode: Episode, ratings: list[Json]) -> Talk:
        people, cast = self._people.of(episode), "+".join(episode.cast)
        first = ratings[0]["judge"] if ratings else None
        marked = {row["seat"]: row for row in ratings if row["judge"] == first}
        whole = [row for row in marked.values() if row["failure"] is None]
        failure = episode.failure or next((row["failure"] for row in marked.values() if row["failure"]), None)
        number, task = self._tasks.get((task_set, episode.task), (-1, None))
        views = [
            (episode.task, cast) in self._views[name] and self._plays(entry, task_set, episode)
            for name, entry in self.experiment.evaluations.items()
        ]
        row = {
            "id": episode.id,
            "set": self._sets.index(task_set),
            "task": number,
            "first": self._players.of(episode.players[0]),
            "second": self._players.of(episode.players[1]),
            "cast": [self._cast.of(key) for key in episode.cast],
            "again": episode.replicate,
            "turns": len(episode.turns),
            "ending": ENDINGS.index(episode.ending),
            "failure": -1 if failure is None else self._failures.of(failure),
            "judge": -1 if first is None else self._judges.of(first),
            "views": sum(1 << place for place, seen in enumerate(views) if seen),
            "marks": [[marked[seat][key] for key in KEYS] if _rated(marked, seat) else None for seat in (0, 1)],
            "people": [_mean_of(people, seat) for seat in (0, 1)],
        }
        play = {
            "names": episode.names,
            "task": None if task else [episode.task],
            "turns": [_turn(turn) for turn in episode.turns],
            "ratings": [_rating(row) for row in ratings],
            "people": [_person(row, self._people.numbers[str(row["rater"])]) for row in people],
            "chosen": self._chosen.get(episode.id, []),
            "seen": self._seen.get(episode.id, []),
            "unrated": not whole,
        }
        return Talk(row, play)

    @staticmethod
    def _plays(entry: Any, task_set: str, episode: Episode) -> bool:
        return bool(entry.tasks == task_set and entry.partner in episode.players)

    # -- what belongs to episodes ------------------------------------------------------------------------------

    def _of_set(self, name: str) -> list[Task]:
        return [task for (task_set, _), (_, task) in self._tasks.items() if task_set == name]

    def _raters(self) -> Raters:
        path = inputs.rated_by_people(self._layout)
        named = self._layout.people() is not None
        found = self._shelf.take("transcripts", path, read_raters) if named or inputs.there(path) else None
        return found or Raters()

    def _ratings(self, paths: tuple[str, ...] | list[str]) -> dict[str, list[Json]]:
        """Rows by episode, judge after judge, each judge's by seat."""
        found: dict[str, list[Json]] = {}
        for frame in self._shelf.all_of("transcripts", list(paths), lambda path: pl.read_parquet(path).select(*SCHEMA)):
            for row in frame.sort("episode", "judge", "seat").iter_rows(named=True):
                found.setdefault(row["episode"], []).append(row)
        return found

    def _selected(self) -> dict[str, list[Json]]:
        """By episode: which seats which policy learns from, or why not."""
        found: dict[str, list[Json]] = {}
        for place, policy in enumerate(self._layout.trained_policies()):
            path = f"{self._layout.results}/selections/{policy}.parquet"
            frame = self._shelf.take("transcripts", path, lambda path: pl.read_parquet(path).select(*SELECTION))
            for row in () if frame is None else frame.sort("episode", "seat").iter_rows(named=True):
                outcome = OUTCOMES.index(row["outcome"])
                told = [place, row["seat"], int(row["kept"]), outcome, row["reason"]]
                found.setdefault(row["episode"], []).append(told)  # type: ignore[arg-type]
        return found

    def _observed(self) -> dict[str, list[Json]]:
        """By episode: what the safety study saw of whom, by the judge where it judged."""
        found: dict[str, list[Json]] = {}
        for player, path in zip(self.experiment.measured(), self._layout.all_seats(), strict=False):
            for row in self._shelf.take("transcripts", path, _lines) or []:
                judged = row.get("judged_harm") is not None or row.get("judged_prevention") is not None
                harm, prevented = (row.get(f"{'judged_' if judged else ''}{name}") for name in ("harm", "prevention"))
                told = [player, row["role"], harm, prevented, row.get("reasoning") if judged else row.get("evidence")]
                found.setdefault(row["episode"], []).append(told)  # type: ignore[arg-type]
        return found

    def _told(self, task_set: str, task: Task) -> Json:
        return {
            "set": self._sets.index(task_set),
            "name": task.name,
            "scenario": task.scenario,
            "goals": [goal.model_dump(exclude_none=True) for goal in task.goals],
            "relationship": task.relationship.name.replace("_", " "),
            "tags": list(task.tags),
            "roles": list(task.roles) if task.roles else None,
        }

    def _profile(self, key: str) -> Json:
        person = self._characters.get(key)
        return {"id": key} if person is None else {name: found for name in PROFILE if (found := getattr(person, name))}


def _lines(path: Path) -> list[Json]:
    import json

    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _rated(marked: dict[int, Json], seat: int) -> bool:
    return seat in marked and marked[seat]["failure"] is None


def _mean_of(people: list[Json], seat: int) -> float | None:
    """People's mean GOAL of a seat."""
    marks = [row["goal"] for row in people if row["seat"] == seat and row["goal"] is not None]
    return round(sum(marks) / len(marks), 2) if marks else None


def _turn(turn: Any) -> list[Any]:
    """Seat, kind of action, what was said or done; then attempts and whether it was mended, where that is to be told."""
    told = [turn.seat, ACTION_TYPES.index(turn.action.action_type), turn.action.argument]
    return [*told, turn.attempts, int(turn.repaired)] if turn.attempts > 1 or turn.repaired else told


def _rating(row: Json) -> Json:
    marks = None if row["failure"] else [[row[key], row[f"{key}_reason"] or ""] for key in KEYS]
    return {"judge": row["judge"], "seat": row["seat"], "marks": marks, "failure": row["failure"]}


def _person(row: Json, number: int) -> Json:
    marks = [[row[key], row.get(f"{key}_reason") or ""] for key in KEYS]
    told = {"rater": number, "seat": row["seat"], "marks": marks}
    return told | ({"simulated": True} if row.get("simulated") else {})
