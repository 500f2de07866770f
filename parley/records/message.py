"""A message: one part of a chat, as the OpenAI protocol spells it."""

from typing import TypedDict


class Message(TypedDict):
    """Who says what: `role` is system, user or assistant."""

    role: str
    content: str
