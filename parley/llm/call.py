"""A call: one request to a model and its reply. A request's key decides whether it has been paid for already."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from parley.canonical import digest
from parley.records.message import Message


class CallFailed(Exception):
    """A call that has no usable answer after all retries. `reason` is one line for the record.

    `failures` are the reasons of all its tries, in order.
    """

    def __init__(self, key: str, reason: str, failures: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason
        self.failures = tuple(failures) or (reason,)


@dataclass(frozen=True)
class Request:
    """What is asked. Two equal requests are one call; `replicate` tells wanted repetitions apart.

    `model` is the identity of the speaker (`Model.identity()`, and for a local model the hash of its weights).
    """

    model: dict[str, Any]
    messages: tuple[Message, ...]
    seed: int | None = None
    schema: dict[str, Any] | None = None
    replicate: int = 0

    @cached_property
    def key(self) -> str:
        """The SHA-256 of the canonical request, in hex: the call's name in the ledger."""
        return digest([self.model, self.messages, self.seed, self.schema, self.replicate])


@dataclass(frozen=True)
class Reply:
    """What came back, and what it took. Tokens as the endpoint counted them; `seconds` of the last try alone.

    An answer that came in a batch took no time of its own: its `seconds` are 0, and those of no other are.
    """

    key: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    seconds: float
    retries: int = 0
    failures: tuple[str, ...] = field(default=())  # why earlier tries were retried, in order
    replayed: bool = False  # came from the ledger; nothing was sent

    @property
    def batched(self) -> bool:
        """True if the answer came in a batch, at the price of one."""
        return self.seconds == 0
