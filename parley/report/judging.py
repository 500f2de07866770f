"""Judging: what a reader should know of the judges behind a score, in plain sentences."""

from collections.abc import Iterator
from typing import Any

from parley.evaluation.teaching import pupils
from parley.report import links
from parley.report.findings import Findings
from parley.report.words import interval, listed, signed


def own_pupils(findings: Findings, evaluation: str) -> list[str]:
    """A sentence if the judge of an evaluation marks those that learned from what its ratings selected."""
    judge = findings.experiment.evaluations[evaluation].judge
    if not (found := pupils(findings.experiment, judge)):
        return []
    return [
        links.said(
            "{} marks its own pupils: its ratings selected what {} learned from. In the study that this follows such a "
            "judge overrated what it had taught ({}).",
            *(judge, listed(found), links.FIGURE_4),
        )
    ]


def other_judges(findings: Findings, evaluation: str, player: str) -> Iterator[str]:
    """What every other judge of an evaluation says `player` has over the baseline in GOAL, and how sure the gap is."""
    told = findings.judges.get(evaluation, {})
    first = findings.experiment.evaluations[evaluation].judge
    for row in told.get("gains", []):
        if (row["judge"], row["player"], row["dimension"]) == (first, player, "goal") and row["difference"] is not None:
            taught = " (which taught it)" if row["other"] in row["taught_by"] else ""
            href = links.episodes(evaluation=evaluation, policy=player)
            yield links.said(
                "By {}{} {} has {} over {}; on the same seats {} sees {} more of it.",
                *(row["other"], taught, player, links.number(_told(row["b"]), href)),
                *(row["baseline"], first, links.number(_told(row), href)),
            )
    for row in told.get("orders", []):
        if row["judge"] == first and row["dimension"] == "goal" and not row["alike"]:
            swaps = listed([f"{one['first']} and {one['second']}" for one in row["reversed"]])
            yield f"{row['other']} puts {swaps} the other way round by GOAL."


def drifted(findings: Findings, evaluation: str) -> list[str]:
    """What the frozen episodes say of the judge of an evaluation: how its GOAL has moved since it was first asked."""
    judge = findings.experiment.evaluations[evaluation].judge
    told = findings.canary.get(judge, {})
    rows = [row for row in told.get("drift", []) if row["dimension"] == "goal" and row["mean"] is not None]
    if not rows:
        return []
    last, sure = rows[-1], rows[-1]["low"] is not None and not rows[-1]["low"] <= 0 <= rows[-1]["high"]
    seen = "has drifted" if sure else "shows no drift that could not be chance"
    moved = f"GOAL {signed(last['mean'])} {interval(last['low'], last['high'])} on {last['date']}"
    href = links.file(f"canary/{judge}.json")
    return [
        links.said(
            "{} {} on {}: {} against {}.",
            *(judge, seen, links.number(f"{told['episodes']} frozen episodes", href)),
            *(links.number(moved, href), links.number(str(told["reference"]), href)),
        )
    ]


def _told(row: dict[str, Any]) -> str:
    """A difference of GOAL with its interval."""
    return f"{signed(row['difference'])} {interval(row['low'], row['high'])}"
