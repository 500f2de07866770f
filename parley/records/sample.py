"""A sample: one kept turn as a training example, the prompt exactly as it was sent at play."""

import polars as pl

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
