"""A character: who an agent pretends to be; and a relationship: how two characters know each other."""

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from parley.errors import ParleyError
from parley.records.jsonl import Record, iterate_jsonl


class Relationship(IntEnum):
    """How two characters know each other; the order and numbers are SOTOPIA's."""

    stranger = 0
    know_by_name = 1
    acquaintance = 2
    friend = 3
    romantic = 4
    family = 5


def _named(value: object) -> object:
    if isinstance(value, str):
        if value not in Relationship.__members__:
            raise ValueError(f"unknown relationship {value!r}; one of {', '.join(Relationship.__members__)}")
        return Relationship[value]
    return value


#: A relationship that files spell by its name.
RelationshipName = Annotated[
    Relationship, BeforeValidator(_named), PlainSerializer(lambda kind: kind.name, return_type=str)
]


class Character(Record):
    """One person of the social world, with the profile fields of SOTOPIA (arXiv 2310.11667, section 3)."""

    id: str
    first_name: str
    last_name: str
    age: int = Field(ge=0, le=120)
    gender: str
    pronouns: str
    occupation: str
    public_info: str
    big_five: str = ""
    moral_values: tuple[str, ...] = ()
    schwartz_values: tuple[str, ...] = ()
    personality_and_values: str = ""
    decision_making_style: str = ""
    mbti: str = ""
    secret: str = ""

    @property
    def name(self) -> str:
        """First and last name, as prompts and ratings spell it."""
        return f"{self.first_name} {self.last_name}".strip()


class Acquaintance(Record):
    """Two characters and how they know each other. The pair has no order: a cast may seat them either way."""

    characters: tuple[str, str]
    relationship: RelationshipName
    background: str = ""


def read_characters(path: str | Path) -> dict[str, Character]:
    """Characters by id. Raises `ParleyError` if two share an id or a name, since ratings are mapped by name."""
    characters = [character for _, character in iterate_jsonl(path, Character)]
    for what, values in (("id", [c.id for c in characters]), ("name", [c.name for c in characters])):
        if twice := [value for value, count in Counter(values).items() if count > 1]:
            raise ParleyError(f"{path}: the {what} {twice[0]!r} is used twice; give each character its own")
    return {character.id: character for character in characters}


def read_relationships(path: str | Path, characters: Sequence[str] | dict[str, Character]) -> list[Acquaintance]:
    """Relationships between two who exist. Raises `ParleyError` with the line for any other, and for a repeated one."""
    pairs: list[Acquaintance] = []
    seen: set[tuple[frozenset[str], Relationship]] = set()
    for number, pair in iterate_jsonl(path, Acquaintance):
        for end in pair.characters:
            if end not in characters:
                raise ParleyError(f"{path}:{number}: no character has the id {end!r}; add it or delete the line")
        mark = (frozenset(pair.characters), pair.relationship)
        if len(mark[0]) == 1:
            raise ParleyError(f"{path}:{number}: nobody knows themselves; delete the line")
        if mark in seen:
            raise ParleyError(f"{path}:{number}: a line above says the same of the same two; delete one of them")
        seen.add(mark)
        pairs.append(pair)
    return pairs
