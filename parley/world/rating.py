"""Rating: one judge call per episode, both seats, seven dimensions with reason and score (SOTOPIA-EVAL)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from parley.canonical import seed_from
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from parley.llm.structured import Unreadable, ask
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.message import Message
from parley.records.rating import DIMENSIONS, Mark, Rating
from parley.records.task import Task
from parley.world.observation import history_lines
from parley.world.prompts import Prompt


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


def rating_text(template: Prompt, task: Task, people: tuple[Character, Character], episode: Episode) -> str:
    """The judge's prompt: both profiles, goals and secrets, and the talk without its silent turns."""
    return template.render(
        scenario=task.scenario,
        relationship=task.relationship.name.replace("_", " "),
        people=[
            {**person.model_dump(), "name": person.name, "goal": task.goals[seat].spoken()}
            for seat, person in enumerate(people)
        ],
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
) -> list[Rating]:
    """Two ratings, one a seat. A failed episode, call or answer gives two failed ratings with the reason, never scores."""
    if episode.failed:
        return _failed(episode, judge[0], "", f"episode failed: {episode.failure}")
    people = (characters[episode.cast[0]], characters[episode.cast[1]])
    messages: list[Message] = [{"role": "user", "content": rating_text(template, task, people, episode)}]
    try:
        answer = await ask(
            judge[1],
            messages,
            Verdict,
            retry=lambda _, fault: retry.render(fault=fault),
            seed=seed_from(seed, episode.id),
            check=lambda verdict: fault_in(verdict, episode.names),
        )
    except (CallFailed, Unreadable) as failure:
        return _failed(episode, judge[0], failure.key, f"rating failed: {failure.reason}")
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
