"""Tables on disk: Parquet files written whole or not at all."""

from pathlib import Path

import polars as pl

from parley.errors import ParleyError
from parley.records.jsonl import CUT_OFF
from parley.records.published import published


def write_parquet(path: str | Path, frame: pl.DataFrame) -> None:
    """Write `frame` atomically; the same rows give the same bytes."""
    with published(Path(path)) as part:
        frame.write_parquet(part)


def read_parquet(path: str | Path) -> pl.DataFrame:
    """The table that a job wrote. Raises `ParleyError` if it is missing or not whole."""
    try:
        # Read by us: a path to `read_parquet` may name a folder or a pattern, and its errors differ by version.
        return pl.read_parquet(Path(path).read_bytes())
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; build it first") from None
    except pl.exceptions.PolarsError:
        raise ParleyError(f"{path}: {CUT_OFF}") from None
