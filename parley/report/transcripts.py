"""Transcripts: a few episodes to read, chosen by rule, with what the judge said of each seat."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from parley.canonical import digest
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.rating import DIMENSIONS
from parley.records.task import Task
from parley.report.answer import GOAL, Answer
from parley.report.findings import Findings

#: How many transcripts the page shows.
MOST = 10
_PLACE = ["task", "cast", "seat", "replicate"]
ENDINGS = {
    "left": "ends because someone leaves",
    "silence": "ends in silence",
    "turns": "ends at the turn limit",
    "failed": "breaks off: a call failed",
}


@dataclass(frozen=True)
class Side:
    """One seat of a transcript. `marks` are (short name, score, reason); None where the rating failed."""

    name: str
    player: str
    character: Character | None
    goal: str | None
    marks: list[tuple[str, int, str]] | None
    overall: float | None
    failure: str | None


@dataclass(frozen=True)
class Transcript:
    """An episode to read: `player` sits in `seat`, and `why` says how it was chosen."""

    evaluation: str
    player: str
    seat: int
    why: str
    goal: int
    episode: Episode
    task: Task | None
    sides: tuple[Side, Side]

    @property
    def ending(self) -> str:
        """How the episode ends, in words."""
        return ENDINGS[self.episode.ending]


@dataclass(frozen=True)
class _Pick:
    evaluation: str
    why: str
    row: dict[str, object]


def transcripts(findings: Findings, found: Answer | None) -> list[Transcript]:
    """At most ten: the same task by the base and by the best policy, then best, worst and median talks in turn.

    The choice depends on the ratings alone. Tasks and kinds of task that were not shown yet are preferred.
    """
    if found is None:
        return []
    chooser = _Chooser(findings, found.evaluation)
    picks = chooser.same_task(findings.baseline, found.best.player) if found.best is not None else []
    picks += chooser.in_turn(_turns(findings, found), MOST - len(picks))
    shown = [_transcript(findings, pick) for pick in picks]
    return [one for one in shown if one is not None]


def _turns(findings: Findings, found: Answer) -> Iterator[tuple[str, str]]:
    """(player, which) for the picks after the first two: the best policy first, then the others."""
    others = [name for name in findings.experiment.measured() if found.best is None or name != found.best.player]
    players = [*([found.best.player] if found.best else []), *others]
    for round_ in range(3):
        for place, player in enumerate(players):
            yield player, ("best", "worst", "median")[(round_ + place) % 3]


class _Chooser:
    """Chooses rated seats of one evaluation and remembers what was shown."""

    def __init__(self, findings: Findings, evaluation: str) -> None:
        self._findings = findings
        self._evaluation = evaluation
        self._tags = {task.name: task.tags for tasks in findings.tasks.values() for task in tasks}
        self._episodes: set[str] = set()
        self._seen: Counter[str] = Counter()

    def same_task(self, base: str, best: str) -> list[_Pick]:
        """The same task, cast and seat by both, where the difference is nearest to the median of all differences."""
        columns = ["goal", "episode"]
        mine = self._rated(best).select(*_PLACE, *columns)
        pairs = mine.join(self._rated(base).select(*_PLACE, *columns), on=_PLACE, suffix="_base")
        if pairs.is_empty():
            return []
        pairs = pairs.with_columns(gap=pl.col("goal") - pl.col("goal_base")).sort(*_PLACE)
        middle = pairs["gap"].sort()[(len(pairs) - 1) // 2]
        pairs = pairs.filter(pl.col("gap") == middle)
        place = min(pairs.iter_rows(named=True), key=lambda row: digest([row[name] for name in _PLACE]))
        why = f"the same task by {base} and by {best}, where the difference in GOAL is the median one"
        return [self._take(player, place, why) for player in (base, best)]

    def in_turn(self, turns: Iterator[tuple[str, str]], number: int) -> list[_Pick]:
        """The next `number` picks of those that can be had."""
        picks: list[_Pick] = []
        for player, which in turns:
            if len(picks) == number:
                break
            if (pick := self._extreme(player, which)) is not None:
                picks.append(pick)
        return picks

    def _extreme(self, player: str, which: str) -> _Pick | None:
        rows = [row for row in self._rated(player).iter_rows(named=True) if row["episode"] not in self._episodes]
        if not rows:
            return None
        goals = sorted(int(row["goal"]) for row in rows)
        wanted = {"best": goals[-1], "worst": goals[0], "median": goals[(len(goals) - 1) // 2]}[which]
        rows = [row for row in rows if row["goal"] == wanted]
        row = min(rows, key=lambda row: (self._familiar(row["task"]), digest([row[name] for name in _PLACE])))
        return self._took(row, f"{'a' if which == 'median' else 'the'} {which} GOAL of {player}")

    def _familiar(self, task: str) -> int:
        """How often its kinds, and above all the task itself, were shown already."""
        return 10 * self._seen[f"task {task}"] + sum(self._seen[tag] for tag in self._tags.get(task, ()))

    def _rated(self, player: str) -> pl.DataFrame:
        rows = self._findings.rated(self._evaluation, player)
        return rows.filter(pl.col("failure").is_null() & pl.col(GOAL).is_not_null())

    def _take(self, player: str, place: dict[str, object], why: str) -> _Pick:
        here = [pl.col(name) == place[name] for name in _PLACE]
        return self._took(self._rated(player).filter(*here).row(0, named=True), why)

    def _took(self, row: dict[str, object], why: str) -> _Pick:
        task = str(row["task"])
        self._episodes.add(str(row["episode"]))
        self._seen.update([f"task {task}", *self._tags.get(task, ())])
        return _Pick(self._evaluation, why, row)


def _transcript(findings: Findings, pick: _Pick) -> Transcript | None:
    """The episode of a pick with both its ratings; None if its file does not hold it."""
    evaluation = findings.experiment.evaluations[pick.evaluation]
    player, partner, seat = str(pick.row["player"]), str(pick.row["partner"]), int(str(pick.row["seat"]))
    players = (player, partner) if seat == 0 else (partner, player)
    episode = findings.episode(evaluation.tasks, players, str(pick.row["episode"]))
    if episode is None:
        return None
    task = next((task for task in findings.tasks.get(evaluation.tasks, []) if task.name == episode.task), None)
    ratings = findings.ratings.filter((pl.col("episode") == episode.id) & (pl.col("judge") == evaluation.judge))
    rated = {row["seat"]: row for row in ratings.iter_rows(named=True)}
    sides = (_side(findings, episode, task, 0, rated), _side(findings, episode, task, 1, rated))
    goal = int(str(pick.row["goal"]))
    return Transcript(pick.evaluation, player, seat, pick.why, goal, episode, task, sides)


def _side(
    findings: Findings, episode: Episode, task: Task | None, seat: int, rated: dict[int, dict[str, object]]
) -> Side:
    row = rated.get(seat, {"failure": "it was not rated"})
    marks = None
    if row["failure"] is None:
        marks = [(d.short, int(str(row[d.key])), str(row[f"{d.key}_reason"] or "")) for d in DIMENSIONS]
    return Side(
        name=episode.names[seat],
        player=episode.players[seat],
        character=findings.characters.get(episode.cast[seat]),
        goal=None if task is None else task.goals[seat].spoken(),
        marks=marks,
        overall=None if marks is None else float(str(row["overall"])),
        failure=None if row["failure"] is None else str(row["failure"]),
    )
