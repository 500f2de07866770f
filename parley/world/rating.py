"""Rating: one judge call per episode, both seats, seven dimensions with reason and score (SOTOPIA-EVAL)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from parley.llm.speaker import Speaker
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.rating import DIMENSIONS, Mark, Rating
from parley.records.task import Task
from parley.world.observation import history_lines
from parley.world.prompts import Prompt
from parley.world.verdict import NoVerdict, verdict_on


class JudgeMark(BaseModel):
    """One mark as the judge answers it."""

    model_config = ConfigDict(extra="forbid")

    reasoning: str
    score: int


class _Named(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


#: The marks for one participant: `name`, then a `JudgeMark` for each dimension.
ParticipantMarks: type[_Named] = create_model(
    "ParticipantMarks",
    __base__=_Named,
    **{dimension.key: (JudgeMark, ...) for dimension in DIMENSIONS},  # type: ignore[call-overload]
)


class Verdict(BaseModel):
    """The judge's whole answer."""

    model_config = ConfigDict(extra="forbid")

    ratings: list[ParticipantMarks] = Field(min_length=2, max_length=2)  # type: ignore[valid-type]


def rating_text(
    template: Prompt, task: Task, people: tuple[Character, Character], episode: Episode, swapped: bool = False
) -> str:
    """The judge's prompt: both profiles, goals and secrets, and the talk without its silent turns.

    With `swapped` the second agent is shown, and asked for, before the first. The talk is as it was.
    """
    shown = [
        {**person.model_dump(), "name": person.name, "goal": task.goals[seat].spoken()}
        for seat, person in enumerate(people)
    ]
    return template.render(
        scenario=task.scenario,
        relationship=task.relationship.name.replace("_", " "),
        people=shown[::-1] if swapped else shown,
        history=[line for line in history_lines(episode.turns) if line.action_type != "none"],
    )


def by_name(verdict: Verdict, names: tuple[str, str]) -> tuple[dict[str, Any], dict[str, Any]] | str:
    """The entries in seat order, found by name and never by position; or what is wrong with them."""
    entries = [entry.model_dump() for entry in verdict.ratings]  # type: ignore[attr-defined]
    found: list[dict[str, Any]] = []
    for name in names:
        same = [entry for entry in entries if entry["name"].strip().casefold() == name.casefold()]
        if len(same) != 1:
            given = ", ".join(repr(entry["name"]) for entry in entries)
            return f"the entries are for {given}; one must be for {name!r}"
        found.append(same[0])
    return found[0], found[1]


def fault_in(verdict: Verdict, names: tuple[str, str]) -> str | None:
    """What is wrong with a verdict of the right form: names or ranges; None if nothing."""
    entries = by_name(verdict, names)
    if isinstance(entries, str):
        return entries
    for entry in entries:
        for dimension in DIMENSIONS:
            score = entry[dimension.key]["score"]
            if not dimension.low <= score <= dimension.high:
                return f"{dimension.key} of {entry['name']} is {score}, outside {dimension.low} to {dimension.high}"
    return None


async def rate_episode(
    episode: Episode,
    task: Task,
    characters: Mapping[str, Character],
    judge: tuple[str, Speaker],
    template: Prompt,
    retry: Prompt,
    seed: int,
    swapped: bool = False,
    replicate: int = 0,
) -> list[Rating]:
    """Two ratings, one a seat. A failed episode, call or answer gives two failed ratings with the reason, never scores.

    `swapped` shows the judge the second agent first; `replicate` tells wanted repetitions of the same call apart.
    """
    answer = await verdict_on(
        episode,
        judge[1],
        lambda: rating_text(
            template, task, (characters[episode.cast[0]], characters[episode.cast[1]]), episode, swapped
        ),
        Verdict,
        lambda verdict: fault_in(verdict, episode.names),
        retry,
        seed,
        "rating",
        replicate,
    )
    if isinstance(answer, NoVerdict):
        return _failed(episode, judge[0], answer.call, answer.reason)
    entries = by_name(answer.value, episode.names)
    assert not isinstance(entries, str)
    return [
        Rating(
            **seat_of(episode, seat),
            judge=judge[0],
            call=answer.reply.key,
            marks={dimension.key: Mark(**entries[seat][dimension.key]) for dimension in DIMENSIONS},
        )
        for seat in (0, 1)
    ]


def seat_of(episode: Episode, seat: int) -> dict[str, Any]:
    """The fields of a `Rating` that say whose it is: the episode and who sat in `seat`."""
    return {
        "episode": episode.id,
        "task": episode.task,
        "cast": episode.cast,
        "seat": seat,
        "name": episode.names[seat],
        "player": episode.players[seat],
        "partner": episode.players[1 - seat],
        "replicate": episode.replicate,
    }


def _failed(episode: Episode, judge: str, call: str, reason: str) -> list[Rating]:
    return [Rating(**seat_of(episode, seat), judge=judge, call=call, marks=None, failure=reason) for seat in (0, 1)]
