"""What all tools are asked: the same fourteen numbers and reasons, under the names of the app's own form."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from parley.annotate.forms import BadForm, field, marks_of, read_entries
from parley.annotate.guide import guide
from parley.canonical import digest
from parley.errors import ParleyError
from parley.records.annotation import Annotation
from parley.records.item import Item, Profile
from parley.records.jsonl import fault


@dataclass(frozen=True)
class Question:
    """A score that is asked for: its field, whom and what it is about, and its range. The reason's field has `-why`."""

    name: str
    seat: int
    title: str
    asks: str
    low: int
    high: int

    @property
    def scores(self) -> list[str]:
        """The possible answers."""
        return [str(score) for score in range(self.low, self.high + 1)]


def questions() -> Iterator[Question]:
    """The fourteen scores, in the order of seats and dimensions."""
    for seat, whose in enumerate(("first participant", "second participant")):
        for dimension, told in guide().listed():
            title = f"{told.title} of the {whose} ({dimension.low} to {dimension.high})"
            yield Question(field(seat, dimension.key), seat, title, told.asks, dimension.low, dimension.high)


def profile(person: Profile) -> str:
    """A participant in a few lines of text."""
    who = f"{person.name}, {person.age}, {person.gender} ({person.pronouns}), {person.occupation}. {person.public_info}"
    return f"{who} {person.personality_and_values}\nGoal: {person.goal}\nSecret: {person.secret}"


def lines(item: Item) -> list[tuple[str, str]]:
    """The talk as (who, what) pairs; what is done rather than said stands in brackets."""
    return [
        (turn.speaker, turn.argument if turn.action_type == "speak" else f"[{turn.argument or 'leaves'}]")
        for turn in item.talk
    ]


def annotation_of(
    path: Path, item: object, rater: object, sent: Mapping[str, object], seconds: float | None = None
) -> Annotation:
    """An annotation from a tool's answers by field. Raises `ParleyError` naming file, item and what is wrong."""
    text = {name: str(value) for name, value in sent.items() if value is not None}
    try:
        # 7.0 is how some tools write 7.
        text = {name: value.removesuffix(".0") if not name.endswith("-why") else value for name, value in text.items()}
        return Annotation(item=str(item), rater=str(rater), marks=marks_of(read_entries(text)), seconds=seconds)
    except (BadForm, ValidationError) as error:
        told = fault(error) if isinstance(error, ValidationError) else str(error)
        raise ParleyError(
            f"{path}: the answers of {rater} about the item {item!r}: {told}; mend or leave them out"
        ) from None


def finished_of(path: Path, given: Iterable[tuple[object, str, Mapping[str, object]]]) -> list[Annotation]:
    """The annotations of those (item, rater, answers by field) that have all scores.

    Some tools give out what a rater has only begun; it is left out, and how often is told.
    """
    rows = [*given]
    whole = [row for row in rows if all(row[2].get(question.name) not in (None, "") for question in questions())]
    if left := len(rows) - len(whole):
        print(f"{path}: {left} begun and not finished, left out", file=sys.stderr)
    return [annotation_of(path, item, rater, sent) for item, rater, sent in whole]


def rater_of(tool: str, user: object) -> str:
    """The name that a tool's user gets here: always the same, and not who it is."""
    return f"{tool}-{digest([tool, str(user)], 8)}"


def read_tool_json(path: Path) -> Any:
    """A JSON file that a tool wrote. Raises `ParleyError` if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file") from None
    except ValueError:
        raise ParleyError(f"{path}: not JSON; export it from the tool again") from None
