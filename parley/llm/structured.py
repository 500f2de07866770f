"""Answers of a given shape: asked for with a schema, repaired by rule, asked for once more, then given up."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

import json_repair
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from parley.canonical import whole
from parley.llm.call import Reply
from parley.llm.taken import Usage
from parley.records.jsonl import fault as first_fault
from parley.records.message import Message

T = TypeVar("T", bound=BaseModel)
FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)


class Speaks(Protocol):
    """What `ask` needs of a speaker."""

    @property
    def usage(self) -> Usage:
        """Where it is counted what could be read."""
        ...

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        seed: int | None = None,
        replicate: int = 0,
    ) -> Reply:
        """The answer to `messages`."""
        ...


class Unreadable(Exception):
    """No answer of the wanted shape came. `key` is the last call's; `reason` is one line for the record."""

    def __init__(self, reason: str, key: str, attempts: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.key = key
        self.attempts = attempts


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A value that was read, and how: from which reply, after how many attempts, and whether it had to be mended."""

    value: T
    reply: Reply
    attempts: int
    repaired: bool


@cache
def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of `kind` in the strict form that endpoints ask for: every field required, no others allowed.

    One object a kind: it is not to be changed.
    """
    return dict(_strict(kind.model_json_schema()))


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {key: _strict(value) for key, value in node.items() if key != "default"}
    if isinstance(fields := node.get("properties"), dict):
        # Here the keys are names of fields, of which one may well be called `default`.
        strict["properties"] = {name: _strict(field) for name, field in fields.items()}
        strict["required"] = list(fields)
        strict["additionalProperties"] = False
    return strict


async def ask(
    speaker: Speaks,
    messages: Sequence[Message],
    kind: type[T],
    *,
    retry: Callable[[str, str], str],
    seed: int | None,
    replicate: int = 0,
    check: Callable[[T], str | None] | None = None,
) -> Answer[T]:
    """Ask for a `kind`. `check` may find a fault that the schema cannot tell, in one line.

    An answer that cannot be read is asked for once more: the conversation so far, the bad answer, and the text that
    `retry(bad text, fault)` gives. Raises `Unreadable` if that fails too, and what `speaker.chat` raises.
    """
    schema = schema_of(kind)
    conversation = list(messages)
    troubles = speaker.usage.troubles
    troubles.answers += 1
    for attempt in (1, 2):
        reply = await speaker.chat(conversation, schema=schema, seed=seed, replicate=replicate)
        value, repaired, fault = _read(reply, kind, check)
        if value is not None:
            troubles.repaired += repaired
            return Answer(value, reply, attempt, repaired)
        troubles.count(fault)
        troubles.asked_again += attempt == 1
        conversation += [
            Message(role="assistant", content=reply.text),
            Message(role="user", content=retry(reply.text, fault)),
        ]
    troubles.unreadable += 1
    raise Unreadable(fault, reply.key, attempt)


def _read(reply: Reply, kind: type[T], check: Callable[[T], str | None] | None) -> tuple[T | None, bool, str]:
    """(value or None, repaired, fault). An answer that was cut off is read only if it is whole as it stands."""
    if reply.finish_reason in ("refusal", "content_filter"):
        return None, False, "the model refused to answer"
    text = reply.text.strip()
    if not text:
        return None, False, "the answer is empty"
    cut = reply.finish_reason == "length"
    fault = ""
    for candidate, repaired in _objects(text):
        if cut and repaired:
            break
        value, wrong = _validate(candidate, kind, check)
        if value is not None:
            return value, repaired, ""
        fault = fault or wrong
    if cut:
        return (None, False, f"the answer was cut off after {reply.completion_tokens} tokens")
    return None, False, fault or "the answer has no JSON object"


def _validate(
    candidate: dict[str, Any], kind: type[T], check: Callable[[T], str | None] | None
) -> tuple[T | None, str]:
    if not candidate.keys() & {field.alias or name for name, field in kind.model_fields.items()}:
        return None, "the answer has none of the wanted fields"
    try:
        value = kind.model_validate(candidate)
    except ValidationError as error:
        return None, first_fault(error)
    wrong = check(value) if check is not None else None
    return (None, wrong) if wrong else (value, "")


def _objects(text: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """(JSON object, repaired) that `text` may mean, the most literal reading first."""
    if (value := _load(text)) is not None:
        yield _whole(value)
        return
    inside = [match.strip() for match in FENCE.findall(text)]
    for part in inside:
        if (value := _load(part)) is not None:
            yield _whole(value)[0], True
    for value in _embedded(text):
        yield _whole(value)[0], True
    for part in [*inside, text[text.find("{") :] if "{" in text else ""]:
        if part and isinstance(mended := json_repair.loads(part), dict):
            yield _whole(mended)[0], True


def _load(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _embedded(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects between other words."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at != -1:
        try:
            value, end = decoder.raw_decode(text, at)
            yield value
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _whole(value: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """`value` with half surrogate pairs replaced, which no file could hold; and whether there were any."""
    try:
        to_json(value)
    except PydanticSerializationError:
        return dict(json.loads(whole(json.dumps(value, ensure_ascii=False)))), True
    return value, False
