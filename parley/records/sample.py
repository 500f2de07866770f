"""A sample: one kept turn as a training example, the prompt exactly as it was sent at play."""

from typing import TypedDict

import polars as pl


class Message(TypedDict):
    """One message of a chat, as the OpenAI protocol spells it."""

    role: str
    content: str


#: One row a kept turn. `prompt` and `completion` are lists of messages: the shape that trl's SFTTrainer takes.
MESSAGES = pl.List(pl.Struct({"role": pl.String(), "content": pl.String()}))
SCHEMA: dict[str, pl.DataType] = {
    "prompt": MESSAGES,
    "completion": MESSAGES,
    "episode": pl.String(),
    "task": pl.String(),
    "seat": pl.Int8(),
    "turn": pl.Int16(),
    "call": pl.String(),
}
