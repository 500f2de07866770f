"""Scores and paired differences from rating rows, against hand calculation."""

from collections.abc import Iterable

import polars as pl
import pytest
from scipy import stats

from parley.config import Evaluation
from parley.errors import ParleyError
from parley.evaluation.components import components
from parley.evaluation.effect import correction
from parley.evaluation.scores import MEASURES, paired, places, scores, seats_of
from parley.evaluation.statistics import clustered_score, difference_interval
from parley.records.rating import DIMENSIONS, KEYS, Mark, Rating, ratings_frame
from parley.records.score import DIFFERENCES, SCHEMA, Provenance
from parley.records.task import Goal, Task

CAST, OTHER = ("c1", "c2"), ("c3", "c4")
SOURCE = Provenance(
    policy="bc",
    evaluation="hard",
    partner="partner",
    judge="judge",
    policy_model="{bc}",
    partner_model="{partner}",
    judge_model="{judge}",
    judge_prompt="00ff",
)


def rating(task: str, seat: int, goal: int | None, player: str = "bc", partner: str = "partner", **changes) -> Rating:
    """A rating with the lowest mark everywhere but in `goal`; a failed one without."""
    marks = {d.key: Mark(reasoning="r", score=d.low) for d in DIMENSIONS}
    fields = {
        "episode": f"{task}-{seat}",
        "task": task,
        "cast": CAST,
        "seat": seat,
        "name": "Ana",
        "player": player,
        "partner": partner,
        "replicate": 0,
        "judge": "judge",
        "call": "k",
        "marks": None if goal is None else {**marks, "goal": Mark(reasoning="r", score=goal)},
        "failure": "unreadable" if goal is None else None,
    }
    return Rating(**{**fields, **changes})


def frame(*ratings: Rating) -> pl.DataFrame:
    return ratings_frame(list(ratings))


def row(table: pl.DataFrame, **where: object) -> dict[str, object]:
    found = table.filter(*[pl.col(name).eq_missing(pl.lit(value)) for name, value in where.items()])
    assert found.height == 1
    return found.row(0, named=True)


def both_seats(goals: Iterable[tuple[str, int, int]], player: str = "bc") -> list[Rating]:
    return [rating(task, seat, goal, player) for task, *pair in goals for seat, goal in enumerate(pair)]


def test_scores_have_eight_measures_for_both_seats_and_each_with_provenance_in_every_row() -> None:
    table = scores(frame(*both_seats([("a", 5, 7)])), SOURCE)
    assert dict(table.schema) == SCHEMA
    assert table.select("dimension", "seat").rows() == [(name, seat) for seat in (None, 0, 1) for name in MEASURES]
    assert (*KEYS, "overall") == MEASURES
    for name, value in SOURCE.model_dump().items():
        assert table[name].unique().to_list() == [value]


def test_the_mean_is_over_the_seats_of_the_policy_and_clustered_by_task() -> None:
    ratings = both_seats([("a", 2, 4), ("b", 8, 6), ("c", 9, 9)])
    partners = [rating(task, seat, 0, "partner", "bc") for task in "abc" for seat in (0, 1)]
    strangers = [rating("a", 0, 0, partner="someone else"), rating("a", 0, 0, "someone else")]
    table = scores(frame(*ratings, *partners, *strangers), SOURCE)
    goal = row(table, dimension="goal", seat=None)
    expected = clustered_score([2, 4, 8, 6, 9, 9], "aabbcc", 0, 10)
    assert (goal["mean"], goal["n"], goal["clusters"]) == (pytest.approx(19 / 3), 6, 3)
    assert goal["se"] == pytest.approx(stats.sem([3, 7, 9]))
    assert (goal["low"], goal["high"]) == pytest.approx((expected.low, expected.high))
    assert [row(table, dimension="goal", seat=seat)["mean"] for seat in (0, 1)] == pytest.approx([19 / 3, 19 / 3])
    assert [row(table, dimension="goal", seat=seat)["n"] for seat in (0, 1)] == [3, 3]


def test_seats_are_told_apart() -> None:
    table = scores(frame(*both_seats([("a", 1, 9), ("b", 3, 9)])), SOURCE)
    assert row(table, dimension="goal", seat=0)["mean"] == 2
    assert row(table, dimension="goal", seat=1)["mean"] == 9
    assert row(table, dimension="goal", seat=None)["mean"] == 5.5


def test_overall_is_the_mean_of_the_overalls() -> None:
    table = scores(frame(*both_seats([("a", 0, 7)])), SOURCE)
    lowest = sum(d.low for d in DIMENSIONS)
    assert row(table, dimension="overall", seat=None)["mean"] == pytest.approx((lowest + 3.5) / 7)


def test_failed_ratings_are_counted_and_never_averaged() -> None:
    table = scores(frame(rating("a", 0, 8), rating("a", 1, None), rating("b", 0, 6), rating("b", 1, 4)), SOURCE)
    pooled = row(table, dimension="goal", seat=None)
    assert (pooled["mean"], pooled["n"], pooled["failed"]) == (6, 3, 1)
    assert [row(table, dimension="goal", seat=seat)["failed"] for seat in (0, 1)] == [0, 1]


def test_a_policy_with_nothing_but_failures_has_no_mean() -> None:
    goal = row(scores(frame(rating("a", 0, None), rating("b", 0, None)), SOURCE), dimension="goal", seat=None)
    assert goal["mean"] is goal["se"] is goal["low"] is None
    assert (goal["n"], goal["clusters"], goal["failed"]) == (0, 0, 2)


def test_one_task_gives_a_mean_without_an_interval() -> None:
    goal = row(scores(frame(*both_seats([("a", 3, 5)])), SOURCE), dimension="goal", seat=None)
    assert goal["mean"] == 4
    assert goal["low"] is goal["high"] is goal["se"] is None


def test_an_evaluation_looks_only_at_its_tasks_and_casts() -> None:
    ratings = [*both_seats([("a", 2, 2), ("b", 6, 6)]), rating("a", 0, 10, cast=OTHER), rating("c", 0, 10)]
    table = scores(frame(*ratings), SOURCE, among={("a", CAST), ("b", CAST)})
    assert row(table, dimension="goal", seat=None)["mean"] == 4
    assert row(table, dimension="goal", seat=None)["n"] == 4


def test_a_cast_is_an_ordered_pair() -> None:
    rows = seats_of(frame(rating("a", 0, 5)), "bc", "partner", among=[("a", CAST[::-1])])
    assert rows.is_empty()


def test_what_should_have_been_rated_and_was_not_is_missing() -> None:
    ratings = [rating("a", 0, 5), rating("a", 1, None), rating("b", 1, 5), rating("b", 1, 5, replicate=1)]
    table = scores(frame(*ratings), SOURCE, among=[("a", CAST), ("b", CAST)], replicates=2)
    pooled = row(table, dimension="goal", seat=None)
    assert (pooled["n"], pooled["failed"], pooled["missing"]) == (3, 1, 4)
    assert [row(table, dimension="goal", seat=seat)["missing"] for seat in (0, 1)] == [3, 1]


def test_without_a_list_of_places_missing_is_unknown_rather_than_none() -> None:
    assert scores(frame(rating("a", 0, 5)), SOURCE)["missing"].null_count() == 24


def test_the_partners_own_scores_come_from_swapped_names() -> None:
    ratings = frame(rating("a", 0, 9), rating("a", 1, 3, "partner", "bc"))
    swapped = SOURCE.model_copy(update={"policy": "partner", "partner": "bc"})
    assert row(scores(ratings, swapped), dimension="goal", seat=None)["mean"] == 3


def test_a_player_against_itself_counts_in_both_seats() -> None:
    ratings = frame(*[rating("a", seat, 4 + seat, "partner", "partner") for seat in (0, 1)])
    source = SOURCE.model_copy(update={"policy": "partner"})
    assert row(scores(ratings, source), dimension="goal", seat=None)["n"] == 2


def test_the_order_of_rows_changes_no_bit() -> None:
    ratings = frame(*both_seats([(f"t{i}", i % 7, (3 * i) % 10) for i in range(30)]))
    shuffled = ratings.sample(fraction=1, shuffle=True, seed=4)
    assert scores(ratings, SOURCE).equals(scores(shuffled, SOURCE))


def test_a_seat_that_is_rated_twice_is_an_error_that_names_it() -> None:
    with pytest.raises(ParleyError, match=r"rated twice in seat 0 of task 'a', cast c1\+c2, replicate 0"):
        seats_of(frame(rating("a", 0, 5), rating("a", 0, 5)), "bc", "partner")


def test_ratings_of_two_judges_are_never_mixed() -> None:
    mixed = frame(rating("a", 0, 5), rating("b", 0, 5, judge="strict"))
    with pytest.raises(ParleyError, match="mix the judges judge, strict"):
        scores(mixed, SOURCE)
    with pytest.raises(ParleyError, match="by the judge strict, not by judge"):
        scores(mixed.filter(pl.col("judge") == "strict"), SOURCE)


def test_places_are_the_first_casts_of_the_tasks_with_the_tag() -> None:
    goals = (Goal(text="Sell it."), Goal(text="Buy it."))
    fields = {"scenario": "At a market stall.", "goals": goals, "relationship": "friend", "casts": (CAST, OTHER)}
    tasks = [Task(name="easy", **fields), Task(name="hard", tags=("hard",), **fields)]
    every = Evaluation(tasks="t", partner="p", judge="j")
    assert places(every, tasks) == {(name, cast) for name in ("easy", "hard") for cast in (CAST, OTHER)}
    assert places(every.model_copy(update={"casts": 1}), tasks) == {("easy", CAST), ("hard", CAST)}
    assert places(every.model_copy(update={"tag": "hard", "casts": 1}), tasks) == {("hard", CAST)}


# -- differences -----------------------------------------------------------------------------------------------------

A = both_seats([("a", 7, 5), ("b", 9, 8), ("c", 4, 6)])
SEATS = [("a", 0), ("a", 1), ("b", 0), ("c", 0)]
B = both_seats([("a", 5, 5), ("b", 6, 8), ("c", 3, 2)], "base")


def sides(a: list[Rating], b: list[Rating]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return seats_of(frame(*a), "bc", "partner"), seats_of(frame(*b), "base", "partner")


def test_differences_have_every_measure_by_both_methods() -> None:
    table = paired(*sides(A, B), "hard")
    assert dict(table.schema) == DIFFERENCES
    assert table.select("method", "dimension").rows() == [
        (m, name) for m in ("pairs", "task_means") for name in MEASURES
    ]
    assert table.select("a", "b", "evaluation", "partner", "judge").unique().rows() == [
        ("bc", "base", "hard", "partner", "judge")
    ]


def test_with_as_many_pairs_in_each_task_both_methods_are_the_t_test_of_task_means() -> None:
    table, expected = paired(*sides(A, B), "hard"), stats.ttest_rel([6, 8.5, 5], [5, 7, 2.5])
    for method, n in (("pairs", 6), ("task_means", 3)):
        goal = row(table, dimension="goal", method=method)
        assert goal["difference"] == pytest.approx(10 / 6)
        assert (goal["mean_a"], goal["mean_b"]) == pytest.approx((6.5, 29 / 6))
        assert (goal["t"], goal["p"]) == pytest.approx((expected.statistic, expected.pvalue))
        apart = [2, 0, 3, 0, 1, 4] if method == "pairs" else [1, 1.5, 2.5]
        interval = difference_interval(10 / 6, 10 / 6 / expected.statistic, 2, apart)
        assert (goal["low"], goal["high"]) == pytest.approx(interval)
        assert (goal["n"], goal["clusters"]) == (n, 3)
        assert (goal["unmatched_a"], goal["unmatched_b"]) == (0, 0)


def test_pairs_match_on_task_cast_seat_and_replicate() -> None:
    a = [rating("a", 0, 9), rating("b", 0, 5), rating("b", 1, 5), rating("c", 0, 5, replicate=1)]
    b = [rating("a", 0, 4, "base"), rating("b", 0, 4, "base", cast=OTHER), rating("b", 1, 6, "base")]
    goal = row(paired(*sides(a, [*b, rating("c", 0, 1, "base")]), "hard"), dimension="goal", method="pairs")
    assert (goal["difference"], goal["n"], goal["clusters"]) == (2, 2, 2)
    assert (goal["mean_a"], goal["mean_b"]) == (7, 5)
    assert (goal["unmatched_a"], goal["unmatched_b"]) == (2, 2)


def test_task_means_use_every_rated_row_of_the_common_tasks() -> None:
    a = [rating("a", 0, 9), rating("a", 1, 5), rating("b", 0, 8), rating("only a", 0, 1)]
    b = [rating("a", 0, 4, "base", cast=OTHER), rating("b", 0, 5, "base")]
    goal = row(paired(*sides(a, b), "hard"), dimension="goal", method="task_means")
    assert (goal["mean_a"], goal["mean_b"], goal["difference"]) == (7.5, 4.5, 3)
    assert (goal["n"], goal["unmatched_a"], goal["unmatched_b"]) == (2, 1, 0)


def test_a_failed_rating_takes_its_pair_out() -> None:
    table = paired(*sides([rating("a", 0, None), *A[1:]], B), "hard")
    goal = row(table, dimension="goal", method="pairs")
    assert (goal["n"], goal["unmatched_a"], goal["unmatched_b"]) == (5, 0, 1)


def test_dimensions_on_which_nothing_differs_have_no_p() -> None:
    secret = row(paired(*sides(A, B), "hard"), dimension="secret", method="pairs")
    assert (secret["difference"], secret["t"], secret["p"]) == (0, None, None)


def with_all(task: str, seat: int, marks: dict[str, int], player: str = "bc") -> Rating:
    """A rating with these marks, and the lowest elsewhere."""
    lowest = {d.key: Mark(reasoning="r", score=d.low) for d in DIMENSIONS}
    given = {key: Mark(reasoning="r", score=score) for key, score in marks.items()}
    return rating(task, seat, 0, player, marks={**lowest, **given})


def test_p_values_are_corrected_over_the_seven_dimensions_and_overall_stands_apart() -> None:
    goals, beliefs = (7, 9, 8, 9), (5, 7, 6, 7)
    mine = [with_all(t, s, {"goal": goals[i], "believability": beliefs[i]}) for i, (t, s) in enumerate(SEATS)]
    theirs = [with_all(t, s, {"goal": 1, "believability": 4}, "base") for t, s in SEATS]
    table = paired(*sides(mine, theirs), "hard")
    for method in ("pairs", "task_means"):
        goal, belief, overall, secret = (
            row(table, dimension=name, method=method) for name in ("goal", "believability", "overall", "secret")
        )
        first, second = sorted([goal, belief], key=lambda one: one["p"])
        assert first["p_holm"] == pytest.approx(min(1, 7 * first["p"]))
        assert second["p_holm"] == pytest.approx(min(1, max(6 * second["p"], 7 * first["p"])))
        assert overall["p"] is not None
        assert overall["p_holm"] is None
        assert secret["p"] is secret["p_holm"] is secret["effect"] is None


def test_an_effect_is_the_difference_in_units_of_the_spread_of_a_seat() -> None:
    table = paired(*sides(A, B), "hard")
    for method in ("pairs", "task_means"):
        goal = row(table, dimension="goal", method=method)
        unit = [components(side, "aabbcc").total for side in ([7, 5, 9, 8, 4, 6], [5, 5, 6, 8, 3, 2])]
        assert goal["effect"] == pytest.approx(correction(2) * (10 / 6) / (sum(unit) / 2) ** 0.5)


def test_policies_without_a_common_task_have_no_difference() -> None:
    table = paired(*sides([rating("a", 0, 5)], [rating("b", 0, 5, "base")]), "hard")
    goal = row(table, dimension="goal", method="pairs")
    assert goal["difference"] is goal["mean_a"] is None
    assert (goal["n"], goal["unmatched_a"], goal["unmatched_b"]) == (0, 1, 1)


def test_only_policies_measured_alike_are_compared() -> None:
    a = seats_of(frame(rating("a", 0, 5)), "bc", "partner")
    b = seats_of(frame(rating("a", 0, 5, "base", "expert")), "base", "expert")
    with pytest.raises(ParleyError, match=r"bc and base differ in their partner \(partner, expert\)"):
        paired(a, b, "hard")


def test_a_side_that_holds_no_row_or_two_players_is_an_error() -> None:
    a, b = sides(A, B)
    with pytest.raises(ParleyError, match="rows of one player, these have no rows"):
        paired(a.clear(), b, "hard")
    with pytest.raises(ParleyError, match="rows of one player, these have base, bc"):
        paired(pl.concat([a, b]), b, "hard")
