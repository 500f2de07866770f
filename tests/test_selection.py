"""Selection: hand-computed cases of the two rules of the paper, and a funnel from which nothing disappears."""

from typing import Any

import polars as pl
import pytest

from parley.config import Selection
from parley.errors import ParleyError
from parley.learning.selection import OUTCOMES, SCHEMA, funnel, select
from parley.records.rating import SCHEMA as RATING_SCHEMA

BC = Selection(rule="bc")
SR = Selection(rule="sr")


def rated(task: str, seat: int, goals: list[int | None], overall: list[float] | None = None) -> list[dict[str, Any]]:
    """Rating rows of one task and seat, one cast a goal: c0+d0, c1+d1, …; None is a failed rating."""
    return [
        {
            "episode": f"{task}-{number}",
            "task": task,
            "cast": f"c{number}+d{number}",
            "seat": seat,
            "player": "expert",
            "replicate": 0,
            "judge": "judge",
            "goal": goal,
            "overall": None if goal is None else (overall[number] if overall else float(goal)),
            "failure": None if goal is not None else "rating failed: no JSON in the answer",
        }
        for number, goal in enumerate(goals)
    ]


def frame(*parts: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([row for part in parts for row in part], schema=RATING_SCHEMA)


def both(task: str, first: list[int | None], second: list[int | None]) -> pl.DataFrame:
    return frame(rated(task, 0, first), rated(task, 1, second))


def kept(selection: pl.DataFrame) -> set[tuple[str, int]]:
    rows = selection.filter("kept")
    return set(zip(rows["episode"], rows["seat"], strict=True))


def reason(selection: pl.DataFrame, episode: str, seat: int) -> str:
    row = selection.filter(pl.col("episode") == episode, pl.col("seat") == seat)
    assert len(row) == 1
    return str(row["reason"][0])


def test_bc_keeps_the_top_two_of_each_task_and_seat_whatever_their_score() -> None:
    picked = select(both("t", [1, 0, 1, 0], [0, 2, 0, 2]), BC)
    assert kept(picked) == {("t-0", 0), ("t-2", 0), ("t-1", 1), ("t-3", 1)}
    assert reason(picked, "t-2", 0) == "rank 2 of its task and seat"


def test_bc_keeps_a_further_rank_only_where_both_seats_are_above_their_bar() -> None:
    # seat 0: mean 31/5 = 6.2, so rank 3 (7) passes and rank 4 (5) fails; seat 1: mean 34/5 = 6.8, rank 3 (8) passes.
    picked = select(both("t", [9, 8, 7, 5, 2], [9, 9, 8, 7, 1]), BC)
    assert kept(picked) == {(f"t-{number}", seat) for number in (0, 1, 2) for seat in (0, 1)}
    assert (
        reason(picked, "t-2", 0) == "rank 3: each seat above its bar, this one 7.0 against min(local 6.2, global 6.2)"
    )
    # rank 4 of seat 1 is above its own bar and is dropped because of seat 0
    assert reason(picked, "t-3", 1).startswith(
        "rank 4: not each seat above its bar, this one 7.0 against min(local 6.8"
    )


def test_bc_uses_the_smaller_of_local_and_global_mean() -> None:
    hard = both("hard", [4, 4, 3, 0], [4, 4, 3, 0])  # local mean 2.75: rank 3 passes though the global mean is 5.375
    easy = both("easy", [9, 9, 7, 7], [9, 9, 7, 7])  # local mean 8: ranks 3 and 4 pass by the global mean alone
    picked = select(pl.concat([hard, easy]), BC)
    assert ("hard-2", 0) in kept(picked) and ("hard-3", 0) not in kept(picked)
    assert {("easy-2", 1), ("easy-3", 1)} <= kept(picked)
    assert select(easy, BC)["kept"].sum() == 4


def test_bc_takes_the_global_mean_of_each_seat_by_itself() -> None:
    # Global means: seat 0 = (3·6 + 3·0)/6 = 3, seat 1 = (3·6 + 3·10)/6 = 8. Pooled it would be 5.5 for both seats.
    ratings = pl.concat([both("a", [6, 6, 6], [6, 6, 6]), both("b", [0, 0, 0], [10, 10, 10])])
    picked = select(ratings, BC)
    # task a, rank 3: seat 0 has 6 > min(6, 3), seat 1 has 6, which is not > min(6, 8)
    assert ("a-2", 0) not in kept(picked)
    assert "not each seat above its bar, this one 6.0 against min(local 6.0, global 3.0)" in reason(picked, "a-2", 0)


def test_bc_a_score_equal_to_the_bar_does_not_exceed_it() -> None:
    picked = select(both("t", [5, 5, 5, 5], [5, 5, 5, 5]), BC)
    assert picked.filter("kept")["rank"].to_list() == [1, 2, 1, 2]


def test_bc_a_rank_that_one_seat_lacks_is_dropped() -> None:
    picked = select(both("t", [9, 9, 9, 1], [9, 9, None, 0]), BC)  # seat 1 has three ranks, seat 0 four
    assert reason(picked, "t-3", 0) == "rank 4: the other seat has no candidate of that rank"
    assert not picked.filter(pl.col("episode") == "t-3", pl.col("seat") == 0)["kept"][0]


def test_a_seat_that_nobody_learns_from_does_not_hold_the_other_back() -> None:
    ratings = both("t", [9, 9, 9, 1], [0, 0, 0, 0]).with_columns(
        player=pl.when(pl.col("seat") == 0).then(pl.lit("expert")).otherwise(pl.lit("partner"))
    )
    picked = select(ratings, BC, players=["expert"])
    assert kept(picked) == {("t-0", 0), ("t-1", 0), ("t-2", 0)}  # rank 3: 9 > 7
    assert reason(picked, "t-0", 1) == "played by partner, who is not learned from"


def test_ties_are_broken_by_overall_then_cast_then_replicate() -> None:
    rows = rated("t", 0, [7, 7, 7, 7], overall=[2.0, 3.0, 2.0, 2.0])
    rows[3] |= {"cast": "c0+d0", "replicate": 1}
    picked = select(frame(rows), SR)
    assert picked.sort("rank")["episode"].to_list() == ["t-1", "t-0", "t-3", "t-2"]


def test_the_order_of_the_input_does_not_matter() -> None:
    ratings = pl.concat([both("a", [5, 5, 8, 2, 5], [1, 9, 9, 9, 3]), both("b", [0, 7, 7, 7], [4, 4, 4, 4])])
    for rule in (BC, SR):
        expected = select(ratings, rule)
        for seed in range(5):
            assert select(ratings.sample(fraction=1, shuffle=True, seed=seed), rule).equals(expected)


def test_sr_keeps_the_top_share_of_each_task_and_seat() -> None:
    goals: list[int | None] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    picked = select(both("t", goals, goals[::-1]), SR)
    assert kept(picked) == {("t-9", 0), ("t-8", 0), ("t-0", 1), ("t-1", 1)}
    assert reason(picked, "t-8", 0) == "rank 2 of 10: within the top 20 % of its task and seat"
    assert reason(picked, "t-2", 0) == "rank 8 of 10: below the top 20 % of its task and seat"


@pytest.mark.parametrize(
    ("share", "count", "number"), [(0.2, 1, 1), (0.2, 6, 2), (0.2, 15, 3), (0.07, 100, 7), (1, 3, 3)]
)
def test_sr_rounds_up_and_only_up(share: float, count: int, number: int) -> None:
    picked = select(frame(rated("t", 0, [5] * count)), Selection(rule="sr", share=share))
    assert picked["kept"].sum() == number


def test_sr_looks_at_each_task_alone() -> None:
    picked = select(pl.concat([both("hard", [1, 0, 0], [1, 0, 0]), both("easy", [10, 9, 9], [10, 9, 9])]), SR)
    assert kept(picked) == {("hard-0", 0), ("hard-0", 1), ("easy-0", 0), ("easy-0", 1)}


def test_a_failed_rating_is_counted_and_is_in_no_rank_and_no_mean() -> None:
    picked = select(both("t", [None, 9, 8, 7], [6, 6, 6, 6]), BC)
    row = picked.filter(pl.col("episode") == "t-0", pl.col("seat") == 0).row(0, named=True)
    assert (row["kept"], row["rank"], row["reward"]) == (False, None, None)
    assert row["reason"] == "rating failed: no JSON in the answer"
    assert "local 8.0" in reason(picked, "t-3", 0)  # (9 + 8 + 7) / 3, not / 4


def unplayed(why: str) -> list[dict[str, Any]]:
    """Both seats of an episode that failed at play, as the ratings tell of it."""
    rows = [*rated("t", 0, [None]), *rated("t", 1, [None])]
    return [{**row, "episode": "t-x", "cast": "cx+dx", "failure": f"episode failed: {why}"} for row in rows]


def test_an_episode_that_failed_at_play_appears_once_a_seat_and_is_never_kept() -> None:
    picked = select(pl.concat([both("t", [5, 5], [5, 5]), frame(unplayed("seat 1, turn 3: timeout"))]), BC)
    assert reason(picked, "t-x", 1) == "episode failed: seat 1, turn 3: timeout"
    assert len(picked) == 6 and picked["kept"].sum() == 4


def test_every_candidate_comes_back_with_a_reason_and_a_known_outcome() -> None:
    ratings = pl.concat([both("a", [9, 8, None, 7], [9, 8, 7, 6]), both("b", [1, 2, 3, 4], [4, 3, 2, 1])])
    for rule in (BC, SR):
        picked = select(ratings, rule)
        assert picked.schema == pl.Schema(SCHEMA)
        assert len(picked) == len(ratings) and picked["reason"].null_count() == 0
        assert set(picked["outcome"]) <= set(OUTCOMES)


def test_the_funnel_counts_candidates_and_episodes_by_outcome() -> None:
    picked = select(pl.concat([both("t", [9, 8, 7, None], [9, 8, 7, 1]), frame(unplayed("x"))]), BC)
    rows = funnel(picked).rows()
    # Seat 0 has three ranks (mean 8), seat 1 four (mean 6.25); rank 3 fails for seat 0, rank 4 lacks a counterpart.
    assert rows == [
        ("episode failed", False, 2, 1),
        ("rating failed", False, 1, 1),
        ("below the bar", False, 2, 1),
        ("no counterpart", False, 1, 1),
        ("top", True, 4, 2),
    ]


def test_no_ratings_give_an_empty_selection() -> None:
    for rule in (BC, SR):
        picked = select(frame(), rule)
        assert picked.is_empty() and picked.schema == pl.Schema(SCHEMA)
        assert funnel(picked).is_empty()


def test_another_dimension_or_overall_can_be_the_reward() -> None:
    rows = rated("t", 0, [1, 2], overall=[3.5, 1.5])
    assert kept(select(frame(rows), Selection(rule="sr", reward="overall"))) == {("t-0", 0)}


def test_an_unknown_reward_is_an_error_that_names_the_dimensions() -> None:
    with pytest.raises(
        ParleyError, match=r"selection.reward: no dimension is called 'gaol'; there are: .*goal, overall"
    ):
        select(both("t", [1], [1]), Selection(rule="sr", reward="gaol"))


def test_a_seat_rated_by_two_judges_is_an_error() -> None:
    ratings = both("t", [1, 2], [3, 4])
    twice = pl.concat([ratings, ratings.with_columns(judge=pl.lit("other"))])
    with pytest.raises(ParleyError, match=r"is rated twice \(judge judge, other\)"):
        select(twice, BC)


def test_top_keeps_the_best_of_each_task_and_seat_and_nothing_else() -> None:
    picked = select(both("t", [9, 9, 9, 1], [2, 8, 8, 8]), Selection(rule="top", top=1))
    assert kept(picked) == {("t-0", 0), ("t-1", 1)}  # ties go to the first cast
    assert dict(funnel(picked).select("outcome", "candidates").iter_rows()) == {"top": 2, "below the top": 6}
    assert reason(picked, "t-1", 0) == "rank 2 of its task and seat"


def test_threshold_keeps_what_reaches_it_whatever_the_task() -> None:
    ratings = pl.concat([both("easy", [9, 8, 7], [7, 7, 7]), both("hard", [6, 1, None], [6, 7, 2])])
    picked = select(ratings, Selection(rule="threshold", threshold=7))
    assert kept(picked) == {(f"easy-{number}", seat) for number in range(3) for seat in (0, 1)} | {("hard-1", 1)}
    assert reason(picked, "hard-0", 0) == "6.0 against 7.0"
    assert reason(picked, "hard-2", 0) == "rating failed: no JSON in the answer"


def test_a_share_within_the_task_ranks_both_seats_together() -> None:
    ratings = both("t", [9, 8, 7, 6, 5], [4, 3, 2, 1, 0])
    apart = select(ratings, Selection(rule="sr", share=0.2))
    pooled = select(ratings, Selection(rule="sr", share=0.2, within="task"))
    assert kept(apart) == {("t-0", 0), ("t-0", 1)}
    assert kept(pooled) == {("t-0", 0), ("t-1", 0)}  # two of ten: the seat with the easier goal alone
    assert reason(pooled, "t-0", 1) == "rank 6 of 10: below the top 20 % of its task"


def test_overall_may_be_the_reward() -> None:
    ratings = frame(rated("t", 0, [9, 1], overall=[1.0, 4.0]), rated("t", 1, [1, 1], overall=[1.0, 2.0]))
    assert kept(select(ratings, Selection(rule="top", top=1, reward="overall"))) == {("t-1", 0), ("t-1", 1)}


def test_a_smaller_share_of_the_tasks_is_part_of_a_greater_one() -> None:
    ratings = pl.concat([both(f"task{number}", [5, 6, 7], [7, 6, 5]) for number in range(10)])
    learned: set[str] = set()
    for share, count in ((0.01, 1), (0.2, 2), (0.5, 5), (0.75, 8), (1.0, 10)):
        picked = select(ratings, Selection(rule="top", top=1, tasks=share))
        tasks = set(picked.filter("kept")["task"])
        assert learned <= tasks and len(tasks) == count
        assert len(picked) == len(ratings)  # nothing disappears
        learned = tasks
    half = select(ratings, Selection(rule="top", top=1, tasks=0.5)).filter(pl.col("outcome") == "task set aside")
    assert half["reason"].unique().to_list() == ["its task is not among the 50 % that are learned from"]
    assert half["rank"].is_null().all()


def test_tasks_that_are_set_aside_move_no_bar() -> None:
    # The global mean is of what is learned from: with the other task it would be 3, without it 6.
    ratings = pl.concat([both("a", [9, 9, 5, 1], [9, 9, 5, 1]), both("b", [0, 0, 0, 0], [0, 0, 0, 0])])
    for share in (0.5, 1.0):
        picked = select(ratings, Selection(rule="bc", tasks=share)).filter(pl.col("outcome") != "task set aside")
        known = picked.filter(pl.col("rank") == 3, pl.col("task") == "a")["reason"].to_list()
        assert all(f"global {6.0 if share < 1 else 3.0}" in line for line in known)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Selection(rule="bc"), "bc, the top 2 and what passes the bar"),
        (Selection(rule="sr", share=0.1, within="task"), "sr, the best 10 % of both seats"),
        (Selection(rule="top", top=1, reward="overall"), "the top 1 of each task and seat by overall"),
        (Selection(rule="threshold", threshold=7.5, tasks=0.25), "at least 7.5, of 25 % of the tasks"),
    ],
)
def test_a_rule_says_in_words_what_it_does(rule: Selection, words: str) -> None:
    assert rule.words() == words
