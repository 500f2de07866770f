"""The answer: which policy reaches its goals best, by how much over the base, and what is not certain of it."""

from dataclasses import dataclass, field

import polars as pl
from markupsafe import Markup

from parley.errors import ParleyError
from parley.evaluation.scores import paired
from parley.report import links
from parley.report.findings import Findings
from parley.report.judging import drifted, other_judges, own_pupils
from parley.report.people import Human, doubts_of_people, human
from parley.report.words import fixed, interval, p_value, signed, things

GOAL = "goal"


@dataclass(frozen=True)
class Score:
    """A player's mean on one dimension of one evaluation, both seats pooled. No mean means nothing was rated."""

    player: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    failed: int
    missing: int

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Gain:
    """A paired difference `player` - `other`."""

    player: str
    other: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    clusters: int
    p_holm: float | None = None
    effect: float | None = None

    @property
    def clear(self) -> bool:
        """True if the 95 % interval does not hold zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def in_words(self) -> str:
        """`+3.40 [2.90, 3.90]`."""
        return f"{signed(self.difference)} {interval(self.low, self.high)}"


@dataclass(frozen=True)
class Answer:
    """What an evaluation says about GOAL.

    `best` is the trained policy with the highest mean, as people would rate it if
    `human` knows that, else by the judge.
    """

    evaluation: str
    partner: str
    judge: str
    scores: list[Score]
    base: Score | None
    best: Score | None
    gain: Gain | None
    others: list[Gain] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    human: Human | None = None


def score_of(findings: Findings, evaluation: str, player: str, dimension: str = GOAL) -> Score | None:
    """A player's score, both seats pooled; None if there is no such row."""
    rows = findings.scores.filter(
        (pl.col("policy") == player)
        & (pl.col("evaluation") == evaluation)
        & (pl.col("dimension") == dimension)
        & pl.col("seat").is_null()
    )
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    counts = {name: row[name] or 0 for name in ("n", "clusters", "failed", "missing")}
    return Score(player, row["mean"], row["low"], row["high"], **counts)


def gain_of(differences: pl.DataFrame, player: str, evaluation: str, dimension: str = GOAL) -> Gain | None:
    """The difference over matched pairs; None if there is no such row."""
    rows = differences.filter(
        (pl.col("a") == player)
        & (pl.col("evaluation") == evaluation)
        & (pl.col("dimension") == dimension)
        & (pl.col("method") == "pairs")
    )
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    numbers = {name: row.get(name) for name in ("difference", "low", "high", "p", "p_holm", "effect")}
    return Gain(row["a"], row["b"], **numbers, n=row["n"] or 0, clusters=row["clusters"] or 0)


def answer(findings: Findings) -> Answer | None:
    """The answer of the main evaluation; None if no evaluation is configured."""
    if (name := findings.main) is None:
        return None
    experiment = findings.experiment
    found = [score_of(findings, name, player) for player in experiment.measured()]
    scores = [score for score in found if score is not None]
    base = next((score for score in scores if score.player == findings.baseline), None)
    trained = [score for score in scores if experiment.trained(score.player) and score.mean is not None]
    trained.sort(key=lambda score: score.mean or 0.0, reverse=True)
    people = human(findings, name)
    first = people.best([score.player for score in trained]) if people is not None else None
    best = next((score for score in trained if score.player == first), trained[0] if trained else None)
    gains = [gain for score in trained if (gain := gain_of(findings.differences, score.player, name)) is not None]
    gain = next((gain for gain in gains if best is not None and gain.player == best.player), None)
    doubts = [
        *_gain_doubts(name, gain, [other for other in gains if other is not gain]),
        *_runner_up(findings, name, trained),
        *own_pupils(findings, name),
        *drifted(findings, name),
        *(other_judges(findings, name, best.player) if best is not None else ()),
        *_failures(name, scores),
        *(doubts_of_people(people, best.player, trained[0].player, experiment.evaluations[name].judge) if best else ()),
    ]
    evaluation = experiment.evaluations[name]
    others = [other for other in gains if other is not gain]
    return Answer(name, evaluation.partner, evaluation.judge, scores, base, best, gain, others, doubts, people)


def headline(findings: Findings) -> str:
    """One or two plain lines: every player's GOAL in the main evaluation, and what the best policy gained."""
    found = answer(findings)
    if found is None or not found.scores:
        return "no scores yet"
    players = [f"{score.player} {fixed(score.mean, 1)} {_short(score)}".rstrip() for score in found.scores]
    line = f"{found.evaluation} GOAL: {' · '.join(players)}"
    if found.gain is None:
        return line
    gain = found.gain
    return (
        f"{line}; {gain.player} {_minus(gain.other)} {signed(gain.difference, 1)} {interval(gain.low, gain.high, 1)}, "
        f"n = {gain.n} in {things(gain.clusters, 'task')}"
    )


def _short(score: Score) -> str:
    return "" if score.low is None else interval(score.low, score.high, 1)


def _minus(other: str) -> str:
    return f"\N{MINUS SIGN} {other}"


def _gain_doubts(evaluation: str, gain: Gain | None, others: list[Gain]) -> list[str]:
    doubts: list[str] = []
    if gain is not None and not gain.clear:
        doubts.append(
            f"The interval of {gain.player} over {gain.other} holds zero: these data show no difference between them."
        )
    if unclear := [other for other in others if not other.clear]:
        told = [links.said("{} ({})", other.player, _linked(evaluation, other)) for other in unclear]
        doubts.append(links.said("Against {} the interval holds zero for {}.", unclear[0].other, links.listing(told)))
    return doubts


def _runner_up(findings: Findings, evaluation: str, trained: list[Score]) -> list[str]:
    """Whether the best policy is really better than the next, pair by pair."""
    if len(trained) < 2:
        return []
    best, second = trained[0].player, trained[1].player
    try:
        table = paired(findings.rated(evaluation, best), findings.rated(evaluation, second), evaluation)
    except ParleyError:
        return [f"{best} and {second} could not be compared pair by pair: ratings are missing."]
    gain = gain_of(table, best, evaluation)
    if gain is None or gain.difference is None:
        return [f"{best} and {second} have no rated pair in common."]
    verdict = "so the order of the two is clear" if gain.clear else "so which of the two is better is open"
    told = _linked(evaluation, gain, f", {p_value(gain.p)}")
    judge = findings.experiment.evaluations[evaluation].judge
    return [links.said("By {}, {} over {}, pair by pair: {}; {}.", judge, best, second, told, verdict)]


def _linked(evaluation: str, gain: Gain, more: str = "") -> Markup:
    """A difference that leads to its episodes."""
    return links.number(gain.in_words() + more, links.episodes(evaluation=evaluation, policy=gain.player))


def _failures(evaluation: str, scores: list[Score]) -> list[str]:
    doubts: list[str] = []
    if failed := {score.player: score.failed for score in scores if score.failed}:
        told = _counted(evaluation, failed, state="failed")
        doubts.append(links.said("Seats without a rating that could be read, left out of the means: {}.", told))
    if missing := {score.player: score.missing for score in scores if score.missing}:
        told = _counted(evaluation, missing)
        doubts.append(links.said("Seats that should have been rated and were not: {}.", told))
    return doubts


def _counted(evaluation: str, numbers: dict[str, int], **filters: str) -> Markup:
    """`3 of bc and 1 of sr`, each a link."""
    return links.listing(
        links.number(f"{number} of {player}", links.episodes(evaluation=evaluation, policy=player, **filters))
        for player, number in numbers.items()
    )
