"""Tables on disk: Parquet files written whole or not at all."""

import os
from pathlib import Path

import polars as pl


def write_parquet(path: str | Path, frame: pl.DataFrame) -> None:
    """Write `frame` atomically; the same rows give the same bytes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        frame.write_parquet(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
