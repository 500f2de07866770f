"""Failures: the share of calls, answers, episodes and ratings that went wrong, and the reasons."""

from dataclasses import dataclass

import polars as pl

from parley.llm.troubles import kind_of
from parley.report.effort import STAGES
from parley.report.findings import COUNTS, Findings

#: How many reasons are shown.
MOST = 10


@dataclass(frozen=True)
class Share:
    """`n` of `of`; `share` is None of nothing."""

    n: int
    of: int

    @property
    def share(self) -> float | None:
        """From 0 to 1."""
        return self.n / self.of if self.of else None


@dataclass(frozen=True)
class Asked:
    """A speaker in a stage: calls that failed and that were tried again, answers that were mended and asked for again."""

    stage: str
    speaker: str
    failed: Share
    retried: Share
    repaired: Share
    asked_again: Share
    unreadable: Share


@dataclass(frozen=True)
class Played:
    """Two players on a task set: episodes that failed, and of the others those that `judge` could not rate."""

    task_set: str
    players: str
    judge: str
    episodes: Share
    ratings: Share


@dataclass(frozen=True)
class Reason:
    """A kind of reason in a stage: how many tries and answers it spoiled."""

    stage: str
    speaker: str
    kind: str
    n: int


@dataclass(frozen=True)
class Failures:
    """All of it. `played` has only those in which something failed; `total` is over all."""

    asked: list[Asked]
    played: list[Played]
    total: Played
    reasons: list[Reason]
    other_reasons: int
    lost: list[tuple[int, str, str]]  # how many episodes and ratings failed, and why

    @property
    def none(self) -> bool:
        """True if nothing went wrong at all."""
        return not self.reasons and not self.lost and not any(row.repaired.n or row.failed.n for row in self.asked)


def failures(findings: Findings) -> Failures:
    """What went wrong, by stage and speaker in the order of the stages and of the experiment."""
    played = [_played(row) for row in _by_play(findings.outcomes).iter_rows(named=True)]
    reasons = _reasons(findings)
    return Failures(
        asked=[_asked(row) for row in _ordered(findings, findings.troubles, COUNTS)],
        played=[row for row in played if row.episodes.n or row.ratings.n],
        total=_total(played),
        reasons=reasons[:MOST],
        other_reasons=sum(reason.n for reason in reasons[MOST:]),
        lost=_lost(findings.outcomes),
    )


def _ordered(findings: Findings, frame: pl.DataFrame, sums: list[str]) -> list[dict[str, int | str]]:
    """Sums by stage and speaker in the order of the page."""
    speakers = [*findings.experiment.measured(), *findings.experiment.models]
    whole = frame.group_by("stage", "speaker").agg(pl.col(sums).sum())

    def place(row: dict[str, int | str]) -> tuple[int, int, str]:
        stage, speaker = row["stage"], str(row["speaker"])
        return (
            STAGES.index(str(stage)) if stage in STAGES else len(STAGES),
            speakers.index(speaker) if speaker in speakers else len(speakers),
            speaker,
        )

    return sorted(whole.iter_rows(named=True), key=place)


def _asked(row: dict[str, int | str]) -> Asked:
    number = {name: int(row[name]) for name in COUNTS}
    return Asked(
        stage=str(row["stage"]),
        speaker=str(row["speaker"]),
        failed=Share(number["failures"], number["calls"] + number["failures"]),
        retried=Share(number["retried"], number["calls"]),
        repaired=Share(number["repaired"], number["answers"]),
        asked_again=Share(number["asked_again"], number["answers"]),
        unreadable=Share(number["unreadable"], number["answers"]),
    )


_UNPLAYED = pl.col("failure").str.starts_with("episode failed").fill_null(False)


def _by_play(outcomes: pl.DataFrame) -> pl.DataFrame:
    sums = {
        "episodes": pl.col("n").sum(),
        "unplayed": pl.col("n").filter(_UNPLAYED).sum(),
        "unrated": pl.col("n").filter(pl.col("failure").is_not_null() & ~_UNPLAYED).sum(),
    }
    keys = ["task_set", "players", "judge"]
    return outcomes.group_by(keys, maintain_order=True).agg(**sums)


def _played(row: dict[str, int | str]) -> Played:
    episodes, unplayed, unrated = (int(row[name]) for name in ("episodes", "unplayed", "unrated"))
    return Played(
        task_set=str(row["task_set"]),
        players=str(row["players"]),
        judge=str(row["judge"]),
        episodes=Share(unplayed, episodes),
        ratings=Share(unrated, episodes - unplayed),
    )


def _total(plays: list[Played]) -> Played:
    """Over all plays; the episodes of two players that have several judges are counted once."""
    once = {(row.task_set, row.players): row.episodes for row in plays}.values()
    episodes = Share(sum(cell.n for cell in once), sum(cell.of for cell in once))
    ratings = Share(sum(row.ratings.n for row in plays), sum(row.ratings.of for row in plays))
    return Played("", "", "", episodes, ratings)


def _reasons(findings: Findings) -> list[Reason]:
    """The reasons, the most common first."""
    sums = findings.reasons.group_by("stage", "speaker", "kind").agg(pl.col("n").sum())
    rows = [Reason(**row) for row in sums.iter_rows(named=True)]
    return sorted(rows, key=lambda row: (-row.n, row.kind, row.stage, row.speaker))


def _lost(outcomes: pl.DataFrame) -> list[tuple[int, str, str]]:
    """(how many, of what, why) of episodes and ratings that failed, the most common first."""
    found: dict[tuple[str, str], int] = {}
    judges: dict[tuple[str, str], str] = {}
    for row in outcomes.filter(pl.col("failure").is_not_null()).iter_rows(named=True):
        unplayed = row["failure"].startswith("episode failed")
        if unplayed and judges.setdefault((row["task_set"], row["players"]), row["judge"]) != row["judge"]:
            continue  # another judge has not rated the same episode
        key = ("episode" if unplayed else "rating", kind_of(row["failure"]))
        found[key] = found.get(key, 0) + row["n"]
    return sorted(((n, *key) for key, n in found.items()), key=lambda row: (-row[0], row[1:]))
