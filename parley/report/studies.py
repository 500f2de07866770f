"""Studies that not every experiment has: what people say, alone and to correct the judge. Read where they are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from parley.layout import Layout
from parley.records.calibration import CALIBRATION
from parley.report import inputs
from parley.report.shelf import Shelf, read_object


def read_studies(shelf: Shelf, layout: Layout) -> dict[str, Any]:
    """The fields of `Findings` that hold them; empty where there is no such study, and a gap where it cannot be read."""

    def take(path: str, read: Callable[[Path], Any], otherwise: Any) -> Any:
        found = shelf.take("people", path, read) if inputs.there(path) else None
        return otherwise if found is None else found

    nobody = pl.DataFrame(schema=CALIBRATION)
    return {
        "calibration": take(layout.calibration(), _calibration, nobody),
        "calibrated_gains": take(layout.calibration_versus(), _calibration, nobody),
        "agreement": take(layout.agreement(), read_object, {}),
    }


def _calibration(path: Path) -> pl.DataFrame:
    """Raises LookupError if a column is missing."""
    table = pl.read_parquet(path)
    if missing := [name for name in CALIBRATION if name not in table.columns]:
        raise LookupError(f"it has no column {missing[0]!r}")
    return table.select(pl.col(name).cast(kind, strict=False) for name, kind in CALIBRATION.items())
