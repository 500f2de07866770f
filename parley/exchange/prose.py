"""Prose: how SOTOPIA's logs write an action, and the action read back from it.

    said: "I would take twelve."        speak
    [action] puts the lamp on the table
    [non-verbal communication] nods
    did nothing                         none
    left the conversation               leave

Nothing in it is escaped, yet nothing is lost: an utterance reaches from the first quote to the last, whatever is between.
"""

import re

from parley.records.episode import Action

_SAID = 'said: "'
_TAGS = {"[action]": "action", "[non-verbal communication]": "non-verbal communication"}
_WORDLESS = {"did nothing": "none", "left the conversation": "leave"}
#: Later versions of sotopia begin each action with a space, and name the hearers of one that is not for all.
_LEAD = re.compile(r"\s*(?P<private>\[private to [^\]]*\]+\s*)?")


def as_prose(action: Action) -> str:
    """The action in prose. The argument of `none` and `leave`, which play never gives, has no place in it."""
    match action.action_type:
        case "none":
            return "did nothing"
        case "leave":
            return "left the conversation"
        case "speak":
            return f'{_SAID}{action.argument}"'
        case kind:
            return f"[{kind}] {action.argument}"


def from_prose(text: str) -> Action:
    """The action that prose tells of, with or without the leading space. Raises `ValueError` if it tells of none."""
    body = text[_lead(text).end() :]
    if (wordless := _WORDLESS.get(body.rstrip())) is not None:
        return Action.model_validate({"action_type": wordless, "argument": ""})
    if body.startswith(_SAID) and len(body) > len(_SAID) and body.endswith('"'):
        return Action(action_type="speak", argument=body[len(_SAID) : -1])
    for tag, kind in _TAGS.items():
        if body.startswith(tag):
            return Action.model_validate({"action_type": kind, "argument": body[len(tag) :].removeprefix(" ")})
    raise ValueError(f"no action in {text[:60]!r}")


def is_private(text: str) -> bool:
    """True if the prose names hearers: Parley's actions are for both."""
    return _lead(text)["private"] is not None


def _lead(text: str) -> re.Match[str]:
    lead = _LEAD.match(text)
    assert lead is not None  # it matches nothing, too
    return lead
