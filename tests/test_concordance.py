"""How alike people rate and the judge with them: the numbers of a file of ratings."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from parley.evaluation.concordance import alike, concordance, rating_table
from parley.evaluation.correlation import pearson
from parley.evaluation.reliability import alpha
from parley.records.rating import DIMENSIONS, KEYS
from tests.test_people import read, row

NUMBERS = ["alpha_ordinal", "alpha_interval", "icc2k", "kappa", "pairwise", "pearson", "spearman", "bias", "loa_low"]
NUMBERS += ["loa_high", "n"]


@pytest.fixture
def study(tmp_path, monkeypatch) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two raters of twelve episodes, both seats; the judge gives what the first of them does and two of GOAL more."""
    from parley.evaluation import people

    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number in range(12):
        for seat, (player, partner) in enumerate([("bc", "partner"), ("partner", "bc")]):
            place = {"task": f"t{number}", "seat": seat, "player": player, "partner": partner}
            given = {d.key: int(rng.integers(d.low, d.high - 1)) for d in DIMENSIONS}
            rows.append(row("ann", **place, **given))
            rows.append(row("bob", **place, **{key: mark + 1 for key, mark in given.items()}, simulated=False))
    path = tmp_path / "people.parquet"
    pl.DataFrame(rows).write_parquet(path)
    marks = people.read_marks(path)
    judged = marks.filter(rater="ann").with_columns(pl.col("goal") + 2, failure=pl.lit(None, dtype=pl.String))
    return marks, judged


def test_it_has_every_number_of_every_dimension(study) -> None:
    found = concordance(*study)
    assert (found["raters"], found["items"], found["seats"], found["simulated"]) == (2, 12, 24, False)
    assert list(found["dimensions"]) == list(KEYS)
    for numbers in found["dimensions"].values():
        assert sorted(numbers) == sorted(NUMBERS)
        assert all(number is not None for number in numbers.values())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_judge_is_compared_with_the_mean_of_a_seats_raters(study) -> None:
    goal = concordance(*study)["dimensions"]["goal"]
    assert goal["bias"] == pytest.approx(2 - 0.5)
    assert (goal["loa_low"], goal["loa_high"]) == pytest.approx((1.5, 1.5))
    assert goal["pearson"] == goal["spearman"] == pytest.approx(1)
    assert goal["n"] == 24
    secret = concordance(*study)["dimensions"]["secret"]
    assert secret["bias"] == pytest.approx(-0.5)


def test_raters_are_compared_seat_by_seat(study) -> None:
    marks, judged = study
    table = rating_table(marks, "goal")
    assert table.shape == (24, 2)
    assert np.array_equal(table[:, 1], table[:, 0] + 1)
    assert concordance(marks, judged)["dimensions"]["goal"]["alpha_interval"] == alpha(table, "interval")


def test_a_seat_that_the_judge_failed_or_did_not_see_is_not_compared(study) -> None:
    marks, judged = study
    failed = judged.with_row_index().with_columns(failure=pl.when(pl.col("index") == 0).then(pl.lit("unreadable")))
    assert concordance(marks, failed.drop("index"))["dimensions"]["goal"]["n"] == 23
    few = concordance(marks, judged.head(1))["dimensions"]["goal"]
    assert few["n"] == 1
    assert few["bias"] is not None
    assert few["pearson"] is few["loa_low"] is None
    none = concordance(marks, judged.clear())["dimensions"]["goal"]
    assert none["n"] == 0
    assert none["bias"] is none["spearman"] is None


def test_the_correlation_does_not_hang_on_the_order_of_the_rows(study) -> None:
    marks, judged = study
    mixed = concordance(marks.reverse(), judged.sample(fraction=1, shuffle=True, seed=1))
    assert mixed == concordance(marks, judged)


def test_one_rater_alone_can_be_compared_with_the_judge_and_with_nobody_else(study) -> None:
    marks, judged = study
    alone = concordance(marks.filter(rater="ann"), judged)
    goal = alone["dimensions"]["goal"]
    assert alone["raters"] == 1
    assert goal["alpha_ordinal"] is goal["icc2k"] is goal["kappa"] is goal["pairwise"] is None
    assert goal["bias"] == pytest.approx(2)


def test_no_rating_at_all_has_no_number(study) -> None:
    marks, judged = study
    found = concordance(marks.clear(), judged)
    assert (found["raters"], found["items"], found["seats"], found["alike"]) == (0, 0, 0, [])
    assert {number for numbers in found["dimensions"].values() for number in numbers.values()} == {None, 0}


def test_one_simulated_rating_makes_it_simulated(study) -> None:
    marks, judged = study
    some = marks.with_row_index().with_columns(simulated=pl.col("index") == 3).drop("index")
    assert concordance(some, judged)["simulated"] is True


def test_who_rated_both_seats_alike_throughout_is_named(study) -> None:
    marks, judged = study
    assert alike(marks) == []
    same = marks.with_columns(
        pl.when(pl.col("rater") == "bob").then(0).otherwise(pl.col(key)).alias(key) for key in KEYS
    )
    assert alike(same) == concordance(same, judged)["alike"] == ["bob"]
    twice = same.filter(pl.col("task").is_in(["t1", "t2"]))
    assert alike(twice) == [], "two episodes may well be alike"
    assert alike(same.filter(seat=0)) == [], "one seat cannot be alike"


def test_marks_keep_who_gave_them(tmp_path) -> None:
    assert read(tmp_path, row("ann", goal=4), row("bob", goal=7))["goal"].to_list() == [5.5]
    assert pearson([1, 2], [2, 4]) == pytest.approx(1)
