"""Calibrated scores of an experiment: which seats count, which evaluations, and what is told of the rest."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.canonical import seed_from
from parley.errors import ParleyError
from parley.evaluation.calibration import differences, means, rated, sampled
from parley.evaluation.concordance import concordance
from parley.evaluation.scores import MEASURES, paired, seats_of
from parley.evaluation.statistics import clustered_score
from parley.evaluation.study import Study
from parley.layout import Layout
from parley.records.calibration import CALIBRATION
from parley.records.frames import read_parquet, write_parquet
from parley.records.rating import KEYS
from tests.report_sample import make_sample

Rows = list[dict[str, Any]]
Change = Callable[[Rows], Rows]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("sample")
    _, sample = make_sample(folder)
    return Layout(sample, str(folder / "results"))


def marks(layout: Layout) -> Iterator[dict[str, Any]]:
    """What two people say of both seats of the hard tasks' first casts: the judge's mark, or a little less of GOAL."""
    for player in ("base", "bc", "bc_sr"):
        paths = layout.study_ratings(player, layout.experiment.evaluations["hard"])
        rows = pl.concat([read_parquet(path) for path in paths]).filter(pl.col("failure").is_null(), cast="c1+c2")
        for row in rows.filter(pl.col("task").is_in([f"evaluation_{n}" for n in (1, 3, 5, 7)])).iter_rows(named=True):
            seat = {name: row[name] for name in ("task", "cast", "seat", "player", "partner", "replicate", *KEYS)}
            less = seed_from(row["task"], row["seat"], row["player"]) % 3
            yield {**seat, "rater": "ann", "simulated": False}
            yield {**seat, "rater": "bob", "simulated": False, "goal": max(0, row["goal"] - less)}


@pytest.fixture
def study(layout: Layout, tmp_path: Path) -> Callable[..., Study]:
    """A study with the ratings of `marks` after a change."""

    def make(change: Change = lambda rows: rows) -> Study:
        write_parquet(tmp_path / "people.parquet", pl.DataFrame(change([*marks(layout)])))
        people = layout.experiment.model_copy(update={"human_ratings": str(tmp_path / "people.parquet")})
        return Study(Layout(people, str(Path(layout.results).parent)))

    return make


def one(table: pl.DataFrame, **where: object) -> dict[str, Any]:
    found = table.filter(**where)
    assert found.height == 1
    return found.row(0, named=True)


# -- the tables --------------------------------------------------------------------------------------------------------


def test_every_player_whom_people_rated_has_every_measure_by_every_method(study) -> None:
    table = means(study().rated(), simulated=False)
    assert dict(table.schema) == CALIBRATION
    found = table.select("player", "evaluation").unique(maintain_order=True).rows()
    assert found == [(name, "hard") for name in ("base", "bc", "bc_sr")]
    assert table.height == 3 * len(MEASURES) * 3
    assert table["judge"].unique().to_list() == ["judge"]
    assert table["partner"].unique().to_list() == ["partner"]


def test_the_judge_s_row_is_the_score_and_people_s_the_mean_of_their_seats(layout: Layout, study) -> None:
    table = means(study().rated(), simulated=False)
    score = one(read_parquet(layout.scores("bc", "hard")).filter(pl.col("seat").is_null()), dimension="goal")
    judge = one(table, player="bc", dimension="goal", method="judge")
    assert [judge[name] for name in ("mean", "low", "high")] == [score[name] for name in ("mean", "low", "high")]
    assert (judge["n_judge"], judge["clusters"], judge["weight"]) == (score["n"], score["clusters"], None)
    rows = pl.DataFrame([row for row in marks(layout) if row["player"] == "bc"])
    seats = rows.group_by("task", "seat").agg(pl.col("goal").mean()).sort("task", "seat")
    expected = clustered_score(seats["goal"].to_list(), seats["task"].to_list(), 0, 10)
    people = one(table, player="bc", dimension="goal", method="people")
    assert (people["mean"], people["low"]) == (pytest.approx(expected.mean), pytest.approx(expected.low))
    assert (people["n_people"], people["n_judge"]) == (8, 16)


def test_the_judge_s_difference_is_that_of_the_scores(layout: Layout, study) -> None:
    table = differences(study().rated(), "base", simulated=False)
    assert table.select("player", "evaluation").unique(maintain_order=True).rows() == [
        ("bc", "hard"),
        ("bc_sr", "hard"),
    ]
    versus = one(read_parquet(layout.versus("bc", "hard")), dimension="goal", method="pairs")
    judge = one(table, player="bc", dimension="goal", method="judge")
    assert judge["mean"] == pytest.approx(versus["difference"])
    assert (judge["se"], judge["low"], judge["high"]) == pytest.approx(tuple(versus[n] for n in ("se", "low", "high")))


def test_people_s_difference_is_paired_as_the_paper_pairs_it(layout: Layout, study) -> None:
    sides = []
    for player in ("bc", "base"):
        people = study().people.with_columns(judge=pl.lit("people"))
        sides.append(seats_of(people, player, "partner", study().places["hard"]))
    expected = one(paired(*sides, "hard"), dimension="goal", method="pairs")
    found = one(differences(study().rated(), "base", simulated=False), player="bc", dimension="goal", method="people")
    assert (found["mean"], found["se"]) == (pytest.approx(expected["difference"]), pytest.approx(expected["se"]))


def test_no_calibrated_interval_is_wider_than_people_s(study) -> None:
    for table in (means(study().rated(), simulated=False), differences(study().rated(), "base", simulated=False)):
        width = pl.col("high") - pl.col("low")
        by = {name: table.filter(method=name).select(width).to_series() for name in ("people", "calibrated")}
        assert (by["calibrated"] <= by["people"] + 1e-12).all()


def test_simulated_ratings_make_everything_simulated(study) -> None:
    def simulate(rows: Rows) -> Rows:
        return [{**row, "simulated": row["rater"] == "bob"} for row in rows]

    found = study(simulate)
    assert found.simulated
    assert means(found.rated(), found.simulated)["simulated"].all()
    assert not study().simulated


# -- which seats and evaluations ---------------------------------------------------------------------------------------


def test_an_evaluation_of_which_people_saw_one_kind_of_task_alone_is_not_calibrated(study) -> None:
    found = study()
    assert found.evaluations == ["hard"]
    assert "all is not calibrated: people rated none of it, or only tasks of a narrower evaluation" in [*found.told()]


@pytest.mark.parametrize(
    ("people_rated", "expected"),
    [
        ({("h", "1"), ("e", "1")}, ["all", "hard"]),
        ({("h", "1"), ("h", "2")}, ["hard"]),
        ({("e", "1")}, ["all"]),
        ({("x", "1")}, []),
        (set(), []),
    ],
)
def test_evaluations_are_told_from_those_with_some_of_their_tasks(people_rated, expected) -> None:
    def places(*names: str) -> set:
        return {(name[0], (name[1], "c2")) for name in names}

    known = {"all": places("h1", "e1", "e2"), "hard": places("h1", "h2")}
    assert sampled(known, {(task, (cast, "c2")) for task, cast in people_rated}) == expected


def test_two_evaluations_of_the_same_tasks_can_both_be_calibrated() -> None:
    few, many = {("h", ("1", "2"))}, {("h", ("1", "2")), ("h", ("3", "4"))}
    assert sampled({"hard": many, "once": few}, few) == ["hard", "once"]


def test_a_half_finished_study_is_calibrated_as_far_as_it_goes(study) -> None:
    found = study(lambda rows: [row for row in rows if row["player"] == "bc" and row["task"] == "evaluation_1"])
    table = means(found.rated(), simulated=False)
    assert table["player"].unique().to_list() == ["bc"]
    goal = one(table, dimension="goal", method="calibrated")
    assert goal["mean"] is not None and goal["n_people"] == 2
    assert goal["se"] is goal["low"] is goal["halving"] is None, "one task says nothing of the spread between tasks"
    assert differences(found.rated(), "base", simulated=False).is_empty()


def test_a_study_without_a_rating_yet_has_empty_tables(study) -> None:
    found = study()
    found.marks, found.people = found.marks.clear(), found.people.clear()
    assert found.rated() == {}
    assert dict(means({}, simulated=False).schema) == CALIBRATION
    assert concordance(found.marks, found.judged())["seats"] == 0


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_ratings_of_another_experiment_are_told(study) -> None:
    found = study(lambda rows: [{**row, "task": f"other {row['task']}"} for row in rows])
    with pytest.raises(ParleyError, match=r"people.parquet: none of the \d+ seats that people rated is played"):
        found.rated()


def test_ratings_of_what_is_not_evaluated_are_counted_and_told(study) -> None:
    def add(rows: Rows) -> Rows:
        return [*rows, {**rows[0], "task": "gone"}, {**rows[0], "player": "stranger"}]

    told = [*study(add).told()]
    assert any("2 seats that people rated are not of this experiment's evaluations" in line for line in told)
    assert means(study(add).rated(), simulated=False).equals(means(study().rated(), simulated=False))


def test_a_seat_that_the_judge_s_files_do_not_have_is_named(layout: Layout, study) -> None:
    found = study()
    ratings = found._judge("hard", "bc").filter(pl.col("task") != "evaluation_3")
    source = {"player": "bc", "partner": "partner", "evaluation": "hard", "judge": "judge"}
    with pytest.raises(
        ParleyError, match=r"people rated bc in seat 0 of task 'evaluation_3', cast c1.c2, replicate 0, which"
    ):
        rated(ratings, found.people, source, found.places["hard"])


def test_a_seat_whose_rating_by_the_judge_failed_is_left_out(study) -> None:
    found = study()
    ratings = found._judge("hard", "bc")
    failed = pl.when(pl.col("task") == "evaluation_3").then(pl.lit("unreadable"))
    source = {"player": "bc", "partner": "partner", "evaluation": "hard", "judge": "judge"}
    seats = rated(ratings.with_columns(failure=failed), found.people, source, found.places["hard"])
    assert (seats.rows.height, seats.by_people) == (12, 6)


def test_without_people_there_is_no_study(layout: Layout) -> None:
    with pytest.raises(ParleyError, match="nobody has rated yet; give people's ratings"):
        Study(layout)


def test_the_judge_is_compared_over_both_seats_of_every_episode(study) -> None:
    found = study()
    goal = concordance(found.marks, found.judged())["dimensions"]["goal"]
    assert goal["n"] == found.people.height == 3 * 4 * 2 * 2
    assert goal["bias"] > 0
