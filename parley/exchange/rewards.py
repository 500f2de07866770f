"""Rewards: an agent's scores as SOTOPIA's logs hold them, `[overall, {dimension: score, …, "overall_score": overall}]`.

Where the judge failed, a bare number stands there, mostly 0.0. It is no score.
"""

from collections.abc import Mapping
from typing import Any

from parley.exchange.comments import comments_on, reasons_in
from parley.exchange.released import Line
from parley.records.rating import DIMENSIONS, KEYS, Mark, Rating

OVERALL = "overall_score"
#: How far a written overall score may be from the mean of the seven: two decimals are usual.
ROUNDED = 0.0051


class Unrated(Exception):
    """Why a reward gives no marks."""


def as_reward(rating: Rating | None) -> float | list[Any]:
    """The reward that a rating stands for; 0.0, which is how the format says "none", if it failed or is not there."""
    if rating is None or rating.marks is None or rating.overall is None:
        return 0.0
    scores = {key: float(mark.score) for key, mark in rating.marks.items()}
    return [rating.overall, {**scores, OVERALL: rating.overall}]


def scores_in(reward: Any) -> dict[str, int]:
    """The seven scores in the order of the file. Raises `Unrated` if there are not seven whole ones within their ranges."""
    if not isinstance(reward, list):
        raise Unrated(f"the file has the bare number {reward} where scores should be")
    scores = {key: score for key, score in reward[1].items() if key in KEYS}
    if missing := [key for key in KEYS if scores.get(key) is None]:
        raise Unrated(f"the file has no score for {', '.join(missing)}")
    for dimension in DIMENSIONS:
        score = scores[dimension.key]
        if not isinstance(score, int | float) or not float(score).is_integer():
            raise Unrated(f"{dimension.key} is {score!r}, not a whole number")
        if not dimension.low <= score <= dimension.high:
            raise Unrated(f"{dimension.key} is {score}, outside {dimension.low} to {dimension.high}")
    return {key: int(score) for key, score in scores.items()}


def marks_in(line: Line, seat: int) -> tuple[dict[str, Mark], list[str]]:
    """The marks for a seat, and what of them is told otherwise here. Raises `Unrated` if there are none."""
    scores = scores_in(line.raw_rewards[seat])
    notes = _aside(line.raw_rewards[seat], scores)
    reasons, before = reasons_in(comments_on(line.reasoning or "", seat), list(scores))
    if before.strip():
        first = next(iter(scores))
        reasons[first] = before + reasons.get(first, "")
        notes.append(f"comments that are not divided by dimension; they are all at {first} here")
    elif len(reasons) < len(scores):
        notes.append("the reasons for some scores: there are none; they are empty here")
    return {key: Mark(reasoning=reasons.get(key, ""), score=score) for key, score in scores.items()}, notes


def _aside(reward: list[Any], scores: Mapping[str, int]) -> list[str]:
    notes = [f"the score of {key!r}, which is no dimension here" for key in reward[1] if key not in (*KEYS, OVERALL)]
    mean = sum(scores.values()) / len(scores)
    given = [overall for overall in (reward[0], reward[1].get(OVERALL)) if isinstance(overall, int | float)]
    if any(abs(overall - mean) > ROUNDED for overall in given):
        notes.append("an overall score that is not the mean of the seven; it is the mean here")
    return notes
