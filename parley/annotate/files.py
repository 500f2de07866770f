"""The study's files: items and key in, ratings out."""

from pathlib import Path

import polars as pl

from parley.annotate.study import Study
from parley.config import Experiment
from parley.errors import ParleyError
from parley.records.annotation import annotations_frame
from parley.records.frames import read_parquet, write_parquet
from parley.records.item import KEY, Item
from parley.records.jsonl import read_jsonl


def study_path(experiment: Experiment) -> Path:
    """Where an experiment's study lies: beside the results, so that nobody cleans it away with them."""
    return Path("studies") / f"{experiment.experiment}.sqlite"


def read_key(path: Path) -> pl.DataFrame:
    """The key of a study. Raises `ParleyError` for a file that is missing or something else."""
    key = read_parquet(path)
    if absent := [name for name in KEY if name not in key.columns]:
        raise ParleyError(f"{path}: a key has the column {absent[0]!r}; sample the items again")
    return key


def read_items(items: Path, key: pl.DataFrame) -> tuple[list[Item], dict[str, str]]:
    """The items of a study and their strata, whose episode each is. Raises `ParleyError` for an item without a key."""
    found = read_jsonl(items, Item)
    strata = dict(key.select("item", "player").iter_rows())
    if unknown := [item.id for item in found if item.id not in strata]:
        raise ParleyError(f"{items}: the key does not have the item {unknown[0]!r}; sample the items again")
    return found, strata


def export(study: Study, key: pl.DataFrame, out: Path) -> int:
    """Write all finished ratings as a table; how many annotations it has. Raises `ParleyError` if there is none."""
    given = study.work.annotations()
    if not given:
        raise ParleyError(f"{study.database.path}: nothing is rated yet; nothing was written")
    write_parquet(out, annotations_frame(given, key))
    return len(given)
