"""What calls took: of one job as it stands on them, and of all jobs as the ledgers hold them."""

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.call import Reply
from parley.llm.siblings import open_read_only

#: One row a stage and model. Tokens, seconds and retries are of the calls that were answered; `failures` are calls
#: that were given up. `identity` is the JSON that is part of each call's key.
SCHEMA: dict[str, pl.DataType] = {
    "stage": pl.String(),
    "model": pl.String(),
    "calls": pl.Int64(),
    "prompt_tokens": pl.Int64(),
    "cached_tokens": pl.Int64(),
    "completion_tokens": pl.Int64(),
    "seconds": pl.Float64(),
    "retries": pl.Int64(),
    "failures": pl.Int64(),
    "identity": pl.String(),
}
SUMS = [name for name, kind in SCHEMA.items() if kind.is_numeric()]
CALLS = """SELECT model, count(*), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(seconds),
           sum(retries), 0 FROM calls GROUP BY model"""
FAILURES = "SELECT model, 0, 0, 0, 0, 0.0, 0, count(*) FROM failures GROUP BY model"


@dataclass
class Usage:
    """Sums over the replies that a job stands on. Equal on a replay: tokens and seconds are those of the first time.

    The tokens of replies that came in a batch are told once more by themselves: they have another price.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    retries: int = 0
    failures: int = 0
    batch_prompt_tokens: int = 0
    batch_cached_tokens: int = 0
    batch_completion_tokens: int = 0

    def add(self, reply: Reply) -> None:
        """Count one reply."""
        self.calls += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.cached_tokens += reply.cached_tokens
        self.seconds += reply.seconds
        self.retries += reply.retries
        if reply.batched:
            self.batch_prompt_tokens += reply.prompt_tokens
            self.batch_cached_tokens += reply.cached_tokens
            self.batch_completion_tokens += reply.completion_tokens

    def as_dict(self) -> dict[str, float]:
        """The sums, seconds to the hundredth."""
        return {**asdict(self), "seconds": round(self.seconds, 2)}


def usage(root: Path) -> pl.DataFrame:
    """Sums over every `{stage}/**/*.sqlite` below `root`, with the columns of `SCHEMA`, by stage and model.

    A file that cannot be read is left out, with one line on stderr.
    """
    rows: list[tuple[object, ...]] = []
    for path in sorted(root.glob("*/**/*.sqlite")):
        try:
            rows += _rows(path, path.relative_to(root).parts[0])
        except sqlite3.Error as error:
            print(f"ledger {path}: cannot be read ({error}); the usage leaves it out", file=sys.stderr, flush=True)
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    keys = [name for name in SCHEMA if name not in SUMS]
    return frame.group_by(keys).agg(pl.col(SUMS).sum()).select(list(SCHEMA)).sort("stage", "model", "identity")


def _rows(path: Path, stage: str) -> list[tuple[object, ...]]:
    with closing(open_read_only(path, timeout=30)) as connection:
        blocks = Blocks(connection)
        found = [*connection.execute(CALLS), *connection.execute(FAILURES)]
        named = [(store.identity_json(model, blocks.get), sums) for model, *sums in found]
    return [(stage, store.label(json.loads(identity)), *sums, identity) for identity, sums in named]
