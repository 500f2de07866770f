"""The released file: SOTOPIA's published episodes, one a line (`sotopia_episodes_v1.jsonl`, `sotopia_pi_episodes.jsonl`).

What the format has no place for is in a key of its own, `parley`, which sotopia's loader passes over.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from parley.canonical import whole
from parley.errors import ParleyError
from parley.exchange.prose import as_prose, from_prose, is_private
from parley.records.episode import Ending, Turn
from parley.records.jsonl import Record, fault
from parley.records.rating import Mark

ENVIRONMENT = "Environment"
STARTS = "Conversation Starts:"

#: A sender, a receiver and the prose between them.
Message = tuple[str, str, str]


class Fault(Exception):
    """What is wrong with a line, and what to do about it."""

    def __init__(self, what: str, remedy: str = "mend or delete the line") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class Rated(Record):
    """What the format has no place for in a rating. `marks` only if scores and comments do not give them back."""

    seat: Literal[0, 1]
    call: str
    failure: str | None = None
    marks: dict[str, Mark] | None = None


class Beside(Record):
    """What the format has no place for in an episode of ours; `calls` are (call, attempts, repaired) of the turns.

    `turns` only if the prose does not give them back: a silent turn out of order, or words with a silent one.
    """

    task_id: str
    replicate: int
    ending: Ending
    failure: str | None = None
    calls: tuple[tuple[str, int, bool], ...] = ()
    turns: tuple[Turn, ...] | None = None
    ratings: tuple[Rated, ...] = ()


class Line(BaseModel):
    """One episode as it is published. Keys that are not known are in `model_extra`."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    episode_id: str = Field(min_length=1)
    environment_id: str = Field(min_length=1)
    agent_ids: tuple[str, str]
    experiment_tag: str | None = ""
    experiment_model_name_pairs: tuple[str, str, str] = Field(description="judge, agent 1, agent 2")
    raw_messages: list[list[Message]] = Field(description="by turn")
    raw_rewards: tuple[Any, Any] = Field(description="[overall, scores], or a bare number where the judge failed")
    raw_rewards_prompt: str | None = ""
    scenario: str | None = ""
    codename: str | None = ""
    agents_background: dict[str, str] | None = None
    social_goals: dict[str, str] | None = None
    social_interactions: str | None = ""
    reasoning: str | None = ""
    rewards: Any = None
    parley: Beside | None = None

    @field_validator("agent_ids", "experiment_model_name_pairs", "raw_rewards", mode="before")
    @classmethod
    def _as_many(cls, value: Any, info: Any) -> Any:
        wanted, each = (3, "the judge and each agent") if "model" in info.field_name else (2, "each agent")
        if not isinstance(value, list) or len(value) != wanted:
            found = len(value) if isinstance(value, list) else repr(value)
            raise ValueError(f"{found} where there must be {wanted}, one for {each}")
        return value

    @field_validator("raw_messages", mode="before")
    @classmethod
    def _messages(cls, value: Any) -> Any:
        if not isinstance(value, list) or not value or not all(isinstance(group, list) for group in value):
            raise ValueError("must be a list with a list of messages for each turn")
        for number, group in enumerate(value):
            for message in group:
                if not (isinstance(message, list) and len(message) == 3 and all(isinstance(x, str) for x in message)):
                    raise ValueError(f"turn {number} has a message that is not [sender, receiver, text]")
        return value

    @field_validator("raw_rewards", mode="after")
    @classmethod
    def _reward(cls, value: tuple[Any, Any]) -> tuple[Any, Any]:
        for number, reward in enumerate(value):
            bare = reward is None or isinstance(reward, int | float)
            if not bare and not (isinstance(reward, list) and len(reward) == 2 and isinstance(reward[1], dict)):
                raise ValueError(f"entry {number} is neither a number nor [overall, scores by dimension]")
        return value


def lines(path: Path) -> Iterator[tuple[int, str, Line | Fault]]:
    """Yield (number from 1, text, the line or what is wrong with it) for each line that is not empty.

    Raises `ParleyError` for a file that is missing, empty or not text. One line is in memory at a time: the published
    file has 184 MB.
    """
    number = 0
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield number, text, parsed(text)
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; correct the path") from None
    except UnicodeDecodeError as error:
        raise ParleyError(f"{path}: not UTF-8 text ({error.reason} after line {number}); get the file again") from None
    if number == 0:
        raise ParleyError(f"{path}: empty; get the file again")


def read_ids(path: Path) -> dict[str, str]:
    """A map from the ids of released files to ours: one JSON object, or the leftovers of an import of profiles.

    Leftovers are JSON lines, each with the `noun` it is about, its `id` in SOTOPIA, and `of`, our name of it. Raises
    `ParleyError` for anything else, and if two ids stand for the same one of ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
            ids = {row["id"]: row["of"] for row in rows if row["noun"] in ("environment", "agent")}
        else:
            ids = json.loads(text)
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; correct the path") from None
    except (TypeError, KeyError):
        raise ParleyError(f"{path}: its lines must have noun, id and of; give the leftovers of an import") from None
    except ValueError as error:
        raise ParleyError(f"{path}: not JSON ({error}); mend it") from None
    if not isinstance(ids, dict) or not all(isinstance(ours, str) for ours in ids.values()):
        raise ParleyError(f'{path}: must be one JSON object, {{"their id": "our id", …}}; mend it')
    if len({*ids.values()}) < len(ids):
        raise ParleyError(f"{path}: two ids stand for the same one of ours; give each its own")
    return ids


def parsed(text: str) -> Line | Fault:
    """A line, or what is wrong with it."""
    try:
        value = json.loads(text.strip())
        return Line.model_validate(_whole(value) if "\\ud" in text.lower() else value)
    except json.JSONDecodeError as error:
        return Fault(f"not JSON ({error.msg} at column {error.colno})")
    except ValidationError as error:
        return Fault(f"not an episode ({fault(error)})")


def _whole(value: Any) -> Any:
    """`value` with half characters replaced in all of its strings."""
    if isinstance(value, dict):
        return {whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return whole(value) if isinstance(value, str) else value


def names_in(line: Line) -> tuple[str, str]:
    """Both agents' names in seat order, as the first turn gives them. Raises `Fault` if there are not two."""
    ends = [end for group in line.raw_messages for sender, receiver, _ in group for end in (receiver, sender)]
    names = [*dict.fromkeys(end for end in ends if end != ENVIRONMENT)]
    if len(names) != 2:
        raise Fault(f"the messages are between {len(names)} agents ({', '.join(names)}), not two")
    return names[0], names[1]


def turns_in(line: Line, names: tuple[str, str], call: str) -> tuple[list[Turn], list[str]]:
    """The turns that the messages tell of, each from `call`, and what of them is told otherwise here.

    Who waits is logged as one who did nothing. So a turn is who did something; if nobody did, it was the turn of whom
    it was not before. If both did something, both have a turn, the first agent first. Raises `Fault` for prose that tells
    of no action.
    """
    turns: list[Turn] = []
    notes: list[str] = []
    for number, group in enumerate(line.raw_messages):
        acts = [(names.index(sender), text) for sender, _, text in group if sender != ENVIRONMENT]
        if not acts:
            continue
        try:
            done = [(seat, from_prose(text)) for seat, text in acts]
        except ValueError as error:
            raise Fault(f"turn {number}: {error}") from None
        if any(is_private(text) for _, text in acts):
            notes.append("who alone should hear an action; it is for both here")
        did = sorted((item for item in done if item[1].action_type != "none"), key=lambda item: item[0])
        if len(did) > 1:
            notes.append("that both acted at once; the first agent comes first here")
        waiting = did or done[:1]
        if not did and len(done) > 1 and turns:
            waiting = [(1 - turns[-1].seat, done[0][1])]
        for seat, action in waiting:
            turns.append(Turn(seat=1 if seat else 0, speaker=names[seat].strip(), action=action, call=call))
    return turns, notes


def messages_of(turns: Sequence[Turn], names: tuple[str, str], contexts: Sequence[str]) -> list[list[Message]]:
    """The messages of an episode by turn: what both are shown, and what both did; at the end what they are shown."""
    groups: list[list[Message]] = []
    shown = [f"\n{context}\n{STARTS}\n" for context in contexts]
    for number, turn in enumerate(turns):
        did = as_prose(turn.action)
        acts = [did if turn.seat == seat else "did nothing" for seat in (0, 1)]
        groups.append(
            [(ENVIRONMENT, name, text) for name, text in zip(names, shown, strict=True)]
            + [(name, ENVIRONMENT, text) for name, text in zip(names, acts, strict=True)]
        )
        happened = "" if turn.action.action_type == "none" else f"{names[turn.seat]} {did}"
        shown = [f"Turn #{number}: {happened}\n"] * 2
    groups.append([(ENVIRONMENT, name, text) for name, text in zip(names, shown, strict=True)])
    return groups
