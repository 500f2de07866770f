"""People's ratings on their way into the tables: read, checked, averaged over the raters of a seat."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.errors import ParleyError
from parley.evaluation.people import COLUMNS, PEOPLE, SIMULATED, read_people
from parley.records.rating import DIMENSIONS, KEYS


def row(rater: str = "ann", **changes: Any) -> dict[str, Any]:
    """A row of people's ratings: the middle of every range."""
    seat = {"task": "sale", "cast": "c1+c2", "seat": 0, "player": "bc", "partner": "partner"}
    return {**seat, "rater": rater, **{d.key: (d.low + d.high) // 2 for d in DIMENSIONS}, **changes}


def read(path: Path, *rows: dict[str, Any]) -> pl.DataFrame:
    pl.DataFrame(list(rows)).write_parquet(path / "people.parquet")
    return read_people(path / "people.parquet")


def test_the_raters_of_a_seat_are_averaged(tmp_path: Path) -> None:
    found = read(tmp_path, row("ann", goal=4), row("bob", goal=7), row("ann", seat=1, goal=2))
    assert found.select("seat", "goal").rows() == [(0, 5.5), (1, 2.0)]
    assert found["judge"].unique().to_list() == [PEOPLE]
    assert found["failure"].null_count() == found.height


def test_overall_is_the_mean_of_the_seven_means(tmp_path: Path) -> None:
    lowest = {d.key: d.low for d in DIMENSIONS}
    found = read(tmp_path, row("ann", **lowest), row("bob", **{**lowest, "goal": 7}))
    assert found["overall"].to_list() == [pytest.approx((sum(lowest.values()) + 3.5) / 7)]


def test_replicates_are_told_apart_where_they_are_given(tmp_path: Path) -> None:
    assert read(tmp_path, row())["replicate"].to_list() == [0]
    found = read(tmp_path, row(replicate=0, goal=1), row(replicate=1, goal=9))
    assert found.select("replicate", "goal").rows() == [(0, 1.0), (1, 9.0)]


def test_marks_need_not_be_whole_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, row(goal=4.5))["goal"].to_list() == [4.5]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(ParleyError, match=f"people's ratings have no column '{column}'; add it"):
        read(tmp_path, {name: value for name, value in row().items() if name != column})


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("outside", [-11, 11])
def test_a_mark_outside_its_range_is_told_with_who_gave_it(tmp_path: Path, key: str, outside: int) -> None:
    with pytest.raises(ParleyError, match=rf"bob gave {outside} for {key} in seat 1 of task 'sale'; give "):
        read(tmp_path, row(), row("bob", seat=1, **{key: outside}))


def test_a_mark_that_is_missing_is_no_zero(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="bob gave None for goal"):
        read(tmp_path, row(), row("bob", goal=None))


def test_marks_in_words_are_told(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="'goal' does not hold numbers"):
        read(tmp_path, row(goal="high"))


def test_one_person_rates_a_seat_once(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="ann rated seat 0 of task 'sale' twice; keep one row"):
        read(tmp_path, row(), row("bob"), row(goal=3))


def test_a_file_that_is_missing_or_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="no such file"):
        read_people(tmp_path / "people.parquet")
    (tmp_path / "people.parquet").write_text("task,cast\n")
    with pytest.raises(ParleyError, match="not whole"):
        read_people(tmp_path / "people.parquet")


def test_raters_are_called_simulated_if_any_of_them_is(tmp_path: Path) -> None:
    assert set(read(tmp_path, row(simulated=False), row("bob", simulated=False))["judge"]) == {PEOPLE}
    mixed = read(tmp_path, row(simulated=False), row("bob", simulated=True), row(seat=1, simulated=False))
    assert mixed["judge"].to_list() == [SIMULATED, SIMULATED]
