"""A relationship profile: SOTOPIA's line for how two agents know each other; and the number of a relationship."""

from typing import Any

from parley.canonical import digest
from parley.exchange.sotopia.line import Readers, text
from parley.records.character import Acquaintance, Relationship

ALIASES = {"pk": "relationship_id", "agent_1_id": "agent1_id", "agent_2_id": "agent2_id"}
KEYS = ["agent1_id", "agent2_id", "relationship", "background_story"]


def relationship(value: Any) -> str:
    """The name of a relationship from its number, which may be a text of digits. Raises `ValueError` for any other."""
    try:
        return Relationship(int(value)).name
    except (TypeError, ValueError):
        there_are = ", ".join(f"{kind.value} {kind.name}" for kind in Relationship)
        raise ValueError(f"no relationship has the number {value!r}; there are: {there_are}") from None


def number(kind: Relationship) -> str:
    """The number of a relationship as the files write it."""
    return str(int(kind))


READERS: Readers = {
    "characters": lambda values: (values.get("agent1_id"), values.get("agent2_id")),
    "relationship": lambda values: relationship(values.get("relationship")),
    "background": lambda values: text(values.get("background_story")),
}


def name_of(pair: Acquaintance) -> str:
    """What a leftover calls a relationship."""
    return f"{'+'.join(pair.characters)} {pair.relationship.name}"


def published(pair: Acquaintance, own_id: str | None = None) -> dict[str, Any]:
    """The line of a relationship, under the id that its source gave it or one made of its content."""
    return {
        "relationship_id": own_id or digest([*pair.characters, pair.relationship.name], 26).upper(),
        "agent1_id": pair.characters[0],
        "agent2_id": pair.characters[1],
        "relationship": number(pair.relationship),
        "background_story": pair.background,
    }
