"""An agent profile: SOTOPIA's line for a character."""

from typing import Any

from parley.exchange.sotopia.line import Readers, text, words
from parley.records.character import Character

ALIASES = {"pk": "agent_id"}

#: Our field, its published key. In the order of the published files.
_TEXTS = {
    "first_name": "first_name",
    "last_name": "last_name",
    "occupation": "occupation",
    "gender": "gender",
    "pronouns": "gender_pronoun",
    "public_info": "public_info",
    "big_five": "big_five",
    "personality_and_values": "personality_and_values",
    "decision_making_style": "decision_making_style",
    "secret": "secret",
    "mbti": "mbti",
}

#: The published keys that a character holds.
KEYS = [*_TEXTS.values(), "age", "moral_values", "schwartz_personal_values"]


def _name(value: Any) -> str:
    return value.strip() if value == "nan" else text(value)  # someone may be called so


def _reader(key: str) -> Any:
    clean = _name if key.endswith("_name") else text
    return lambda values: clean(values.get(key))


READERS: Readers = {
    "id": lambda values: values.get("agent_id"),
    "age": lambda values: values.get("age") or 0,
    "moral_values": lambda values: words(values.get("moral_values")),
    "schwartz_values": lambda values: words(values.get("schwartz_personal_values")),
    **{field: _reader(key) for field, key in _TEXTS.items()},
}


def published(character: Character) -> dict[str, Any]:
    """The line of a character. `model_id` is there because the sotopia package cannot load a line without it."""
    return {
        "agent_id": character.id,
        "first_name": character.first_name,
        "last_name": character.last_name,
        "age": character.age,
        "occupation": character.occupation,
        "gender": character.gender,
        "gender_pronoun": character.pronouns,
        "public_info": character.public_info,
        "big_five": character.big_five,
        "moral_values": list(character.moral_values),
        "schwartz_personal_values": list(character.schwartz_values),
        "personality_and_values": character.personality_and_values,
        "decision_making_style": character.decision_making_style,
        "secret": character.secret,
        "mbti": character.mbti,
        "model_id": "",
    }
