"""Concordance: how alike people rate, and how far the judge goes along with them, by dimension (paper, Tables 7 and 8)."""

from typing import Any

import numpy as np
import polars as pl

from parley.evaluation.correlation import limits, pearson, spearman
from parley.evaluation.people import SEAT
from parley.evaluation.reliability import Table, alpha, categories_of, coarse, icc2k, pairwise, randolph
from parley.records.rating import DIMENSIONS, KEYS


def concordance(marks: pl.DataFrame, judged: pl.DataFrame) -> dict[str, Any]:
    """People's `marks` (of `read_marks`) among themselves, and their means against the `judged` seats, as JSON values.

    `judged` has the seats of one judge, each once, with the columns that name a seat, `failure` and the dimensions. A
    number that cannot be had is None. `n` counts the seats that both people and the judge rated. `alike` names the raters
    who gave both seats of every episode the same marks, over three episodes or more: they may not have looked.
    """
    means = marks.group_by(SEAT).agg(pl.col(key).cast(pl.Float64).mean() for key in KEYS)
    scored = judged.filter(pl.col("failure").is_null()) if "failure" in judged.columns else judged
    both = means.join(scored.select(*SEAT, *KEYS), on=SEAT, how="inner", suffix="_judge").sort(SEAT)
    dimensions = {}
    for dimension in DIMENSIONS:
        table = rating_table(marks, dimension.key)
        rough = coarse(table, dimension.low, dimension.high)
        people = both[dimension.key].to_list()
        judge = both[f"{dimension.key}_judge"].cast(pl.Float64).to_list()
        apart = limits(judge, people)
        dimensions[dimension.key] = {
            "alpha_ordinal": alpha(table, "ordinal"),
            "alpha_interval": alpha(table, "interval"),
            "icc2k": icc2k(table),
            "kappa": randolph(rough, categories_of(dimension.low, dimension.high)),
            "pairwise": pairwise(rough),
            "pearson": pearson(judge, people),
            "spearman": spearman(judge, people),
            "bias": apart.bias,
            "loa_low": apart.low,
            "loa_high": apart.high,
            "n": both.height,
        }
    return {
        "simulated": bool(marks["simulated"].any()),
        "raters": marks["rater"].n_unique(),
        "items": episodes(marks).n_unique(),
        "seats": means.height,
        "alike": alike(marks),
        "dimensions": dimensions,
    }


def rating_table(marks: pl.DataFrame, key: str) -> Table:
    """One row a seat and one column a rater; NaN where the rater did not rate the seat."""
    seats = marks.select(SEAT).unique().sort(SEAT).with_row_index("row")
    raters = {name: column for column, name in enumerate(sorted(marks["rater"].unique().to_list()))}
    table: Table = np.full((seats.height, len(raters)), np.nan)
    for row, rater, mark in marks.join(seats, on=SEAT).select("row", "rater", key).iter_rows():
        table[row, raters[rater]] = mark
    return table


def episodes(marks: pl.DataFrame) -> pl.Series:
    """Which episode each row is about: the same for both of its seats."""
    first, second = pl.col("player"), pl.col("partner")
    players = pl.when(pl.col("seat") == 0).then(first + "+" + second).otherwise(second + "+" + first)
    return marks.select(pl.concat_str("task", "cast", pl.col("replicate").cast(pl.String()), players, separator="\n"))[
        "task"
    ]


def alike(marks: pl.DataFrame, least: int = 3) -> list[str]:
    """The raters of at least so many whole episodes who always gave both seats the same seven marks."""
    rows = marks.with_columns(episodes(marks).alias("episode"))
    whole = rows.group_by("rater", "episode").agg(pl.len().alias("seats"), same=pl.struct(KEYS).n_unique() == 1)
    whole = whole.filter(pl.col("seats") == 2).group_by("rater").agg(pl.len().alias("episodes"), pl.col("same").all())
    return sorted(whole.filter(pl.col("same") & (pl.col("episodes") >= least))["rater"].to_list())
