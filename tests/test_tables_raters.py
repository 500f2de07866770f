"""Tables 7 and 8: people as raters, beside the paper's."""

from pathlib import Path

import polars as pl
import pytest
from scipy import stats

from parley.config import Published
from parley.evaluation.people import PEOPLE
from parley.evaluation.reliability import categories_of
from parley.layout import Layout
from parley.records.rating import DIMENSIONS
from parley.tables.catalogue import make
from parley.tables.raters import KAPPA, SHARE
from tests.test_tables_rated import first_casts, layout, marks, other, rated  # noqa: F401

ALIKE = Published(paper="sotopia_pi")


def test_table_7_correlates_the_judge_with_the_mean_of_a_seats_raters(rated: Layout) -> None:  # noqa: F811
    cells = make("table_7", rated)
    assert cells["player"].unique(maintain_order=True).to_list() == ["base", "bc_sr"]
    seats = first_casts(rated, "bc_sr").filter(pl.col("failure").is_null()).sort("task", "cast", "seat")
    given = pl.DataFrame([row for row in marks(rated) if row["player"] == "bc_sr"])
    means = given.group_by("task", "cast", "seat").agg(pl.col("goal").mean().alias("people"))
    both = seats.join(means, on=["task", "cast", "seat"])
    for measure, by in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        cell = cells.filter(player="bc_sr", measure=measure).row(0, named=True)
        assert cell["value"] == pytest.approx(by(both["goal"], both["people"])[0])
        assert (cell["n"], cell["clusters"], cell["rater"]) == (8, 4, PEOPLE)


def test_the_paper_s_correlations_stand_beside(rated: Layout) -> None:  # noqa: F811
    beside = make("table_7", other(rated, published=ALIKE)).filter(origin="paper")
    assert beside.select("player", "measure", "value").rows() == [("base", "pearson", 0.76), ("bc_sr", "pearson", 0.58)]


def test_table_8_has_every_dimension_and_its_kappa_follows_from_the_share(rated: Layout) -> None:  # noqa: F811
    cells = make("table_8", rated)
    assert cells["block"].unique(maintain_order=True).to_list() == [SHARE, KAPPA]
    for dimension in DIMENSIONS:
        share, kappa = (
            cells.filter(block=block, measure=dimension.key).row(0, named=True)["value"] for block in (SHARE, KAPPA)
        )
        chance = 1 / categories_of(dimension.low, dimension.high)
        assert kappa == pytest.approx((share - chance) / (1 - chance))
    # two raters who say the same but for some GOAL; both seats of two players' first casts
    assert cells.filter(block=SHARE, measure="believability")["value"].to_list() == [1.0]
    assert cells.filter(block=SHARE, measure="goal")["value"][0] < 1
    assert set(cells["clusters"]) == {4}


def test_the_paper_s_agreement_stands_beside(rated: Layout) -> None:  # noqa: F811
    beside = make("table_8", other(rated, published=ALIKE)).filter(origin="paper")
    assert beside.filter(block=SHARE, measure="goal")["value"].to_list() == [0.801]
    assert beside.filter(block=KAPPA, measure="goal")["value"].to_list() == [0.602]
    assert beside.height == 14


@pytest.mark.parametrize("name", ["table_7", "table_8"])
def test_without_people_or_their_seats_there_is_no_number(layout: Layout, name: str, tmp_path: Path) -> None:  # noqa: F811
    assert make(name, other(layout, published=ALIKE)).is_empty()
    elsewhere = pl.DataFrame([{**row, "task": f"other {row['task']}"} for row in marks(layout)])
    elsewhere.write_parquet(tmp_path / "people.parquet")
    assert make(name, other(layout, published=ALIKE, human_ratings=str(tmp_path / "people.parquet"))).is_empty()
