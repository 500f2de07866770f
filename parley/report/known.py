"""The knowledge test as the page shows it: a table a way, with differences to the base and what they come to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parley.errors import ParleyError
from parley.evaluation import knowledge
from parley.report.answer import Gain
from parley.report.findings import Findings
from parley.report.words import percent, things


@dataclass(frozen=True)
class Known:
    """A policy's accuracies by category (`acc`, `se`, `n`; None where it has none), `overall` first.

    `gain` is the paired difference to the base in percentage points, `verdict` what it comes to; None where it was not
    compared. `doubts` are what makes the numbers suspect.
    """

    policy: str
    cells: list[dict[str, Any] | None]
    gain: Gain | None
    verdict: dict[str, Any] | None
    doubts: list[str]


@dataclass(frozen=True)
class Way:
    """The table of one way, and the accuracies by subject: (subject, one cell a policy)."""

    name: str
    categories: list[str]
    rows: list[Known]
    subjects: list[tuple[str, list[dict[str, Any] | None]]]


def ways(findings: Findings) -> list[Way]:
    """The tables of the ways in which anything was measured; empty if nothing was."""
    names = dict.fromkeys(name for result in findings.knowledge.values() for name in knowledge.ways(result))
    return [_way(findings, name) for name in names]


def limits(findings: Findings) -> list[str]:
    """What keeps the test from being the whole one, in words."""
    found = dict.fromkeys(
        line for result in findings.knowledge.values() for line in _limits(result, findings.experiment.knowledge)
    )
    return list(found)


def _limits(result: dict[str, Any], settings: Any) -> Iterator[str]:
    if limit := result.get("limit"):
        yield f"A quick look: only the first {things(limit, 'question')} of each subject were asked."
    if missing := result.get("missing_subjects"):
        yield f"Not all of MMLU: {things(len(missing), 'subject')} of 57 were not in the folder."
    if settings is not None and result.get("source", settings.source) != settings.source:
        yield "A result is of another test than the config names."


def _way(findings: Findings, way: str) -> Way:
    parts = {
        name: found[way] for name, result in findings.knowledge.items() if way in (found := knowledge.ways(result))
    }
    categories = ["overall", *dict.fromkeys(name for part in parts.values() for name in part["categories"])]
    rows = [_known(findings, name, part, way, parts.get(findings.baseline), categories) for name, part in parts.items()]
    subjects = dict.fromkeys(name for part in parts.values() for name in part.get("subjects", {}))
    by_subject = [(name, [part.get("subjects", {}).get(name) for part in parts.values()]) for name in sorted(subjects)]
    return Way(way, categories, rows, by_subject)


def _known(findings: Findings, policy: str, part: Any, way: str, base: Any | None, categories: list[str]) -> Known:
    accuracies = {"overall": part["overall"], **part["categories"]}
    compared = policy != findings.baseline
    verdict = findings.knowledge_versus.get(policy, {}).get("ways", {}).get(way) if compared else None
    return Known(
        policy,
        [accuracies.get(name) for name in categories],
        _gain(policy, part, findings.baseline, base) if compared else None,
        verdict,
        list(_doubts(policy, part)),
    )


def _gain(policy: str, part: Any, other: str, base: Any | None) -> Gain | None:
    try:
        found = knowledge.gap(part, base) if base is not None else None
    except (ParleyError, LookupError):
        return None
    if found is None:
        return None
    points = {name: None if found[key] is None else 100 * found[key] for name, key in _POINTS.items()}
    return Gain(policy, other, **points, p=found["p"], n=found["n"], clusters=found["clusters"])


_POINTS = {"difference": "mean", "low": "low", "high": "high"}


def _doubts(policy: str, part: Any) -> Iterator[str]:
    if truncated := part.get("truncated"):
        yield f"{truncated} prompts were longer than the context of {policy} and lost their beginning."
    letters = part.get("letters") or {}
    letter = max(letters, key=lambda one: letters[one], default=None)
    if letter is not None and letters[letter] > 0.8 * sum(letters.values()):
        share = percent(letters[letter] / sum(letters.values()))
        yield f"{policy} answered {letter} to {share} of the questions, whatever was asked."
    if part.get("guessed"):
        share = percent(part["guessed"] / part["overall"]["n"])
        yield f"{share} of the answers of {policy} have no letter and were drawn at random."
