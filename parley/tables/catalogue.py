"""The tables by name, and how each is made."""

from collections.abc import Callable, Iterator

import polars as pl

from parley.layout import Layout
from parley.tables import rated, raters, studied
from parley.tables.cells import Row, frame
from parley.tables.material import Material

MAKERS: dict[str, Callable[[Material], Iterator[Row]]] = {
    "table_1": rated.table_1,
    "table_2": rated.table_2,
    "table_3": studied.table_3,
    "table_4": studied.table_4,
    "table_5": rated.table_5,
    "table_6": rated.table_6,
    "table_7": raters.table_7,
    "table_8": raters.table_8,
    "table_9": rated.table_9,
    "figure_4": rated.figure_4,
}


def make(name: str, layout: Layout) -> pl.DataFrame:
    """A table of an experiment from its results, one row a number; no rows where nothing of it can be measured.

    Raises `ParleyError` for a result that is missing or broken.
    """
    return frame(name, MAKERS[name](Material(layout)))
