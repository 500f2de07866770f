"""The judges of an evaluation side by side: agreement, order, gains, position and verbosity, against hand calculation."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from parley.evaluation.concord import agreement_rows, change, gain_rows, order_rows
from parley.evaluation.judges import Bench, compare_judges
from parley.evaluation.position import position_rows
from parley.evaluation.statistics import difference_interval, tailed_freedom
from parley.evaluation.verbosity import slope_within, talk_of, verbosity_rows
from parley.records.rating import DIMENSIONS, KEYS, Mark, Rating, ratings_frame
from tests.builders import LEAVES, SILENT, episode

CAST = ("c1", "c2")
AMONG = {(f"t{number}", CAST) for number in range(4)}
PLAYERS = ("base", "bc")
#: (task, seat) of the seats that a player has against the partner.
SEATS = [(f"t{number}", seat) for number in range(4) for seat in (0, 1)]
Goal = Callable[[str, str, int], int | None]


def ratings(judge: str, goal: Goal, players: Iterable[str] = PLAYERS) -> pl.DataFrame:
    """A judge's ratings of all plays, both seats: the lowest marks but for GOAL; None is a failed rating."""
    rows = []
    for player in players:
        for task, own in SEATS:
            seated = (player, "partner") if own == 0 else ("partner", player)
            for seat in (0, 1):
                score = goal(seated[seat], task, seat)
                marks = {d.key: Mark(reasoning="r", score=d.low) for d in DIMENSIONS}
                rows.append(
                    Rating(
                        episode=f"{task} {'+'.join(seated)}",
                        task=task,
                        cast=CAST,
                        seat=seat,
                        name="Ana",
                        player=seated[seat],
                        partner=seated[1 - seat],
                        replicate=0,
                        judge=judge,
                        call="k",
                        marks=None if score is None else {**marks, "goal": Mark(reasoning="r", score=score)},
                        failure="unreadable" if score is None else None,
                    )
                )
    return ratings_frame(rows)


def skill(player: str, task: str, seat: int) -> int:
    """A mark that depends on who plays, on what and where."""
    return {"base": 2, "bc": 5, "partner": 6}[player] + int(task[1]) % 3 + seat


def mine(frame: pl.DataFrame) -> pl.DataFrame:
    """The rated seats of those that are measured."""
    return frame.filter(pl.col("player") != "partner", pl.col("failure").is_null())


def one(rows: Iterable[dict[str, Any]], **where: object) -> dict[str, Any]:
    (found,) = [row for row in rows if all(row[key] == value for key, value in where.items())]
    return found


def talk(frame: pl.DataFrame, words: Callable[[str, int], int]) -> pl.DataFrame:
    """What was said in each seat of the episodes of a frame."""
    rows = [
        {"episode": name, "seat": seat, "words": words(name, seat), "turns": 1}
        for name in frame["episode"].unique(maintain_order=True)
        for seat in (0, 1)
    ]
    return pl.DataFrame(rows, schema_overrides={"seat": pl.Int8})


def bench(**changes: Any) -> Bench:
    frames = {"judge": ratings("judge", skill), "second": ratings("second", lambda *seat: skill(*seat) + 1)}
    fields = {
        "evaluation": "all",
        "partner": "partner",
        "players": PLAYERS,
        "baseline": "base",
        "among": AMONG,
        "ratings": frames,
        "talk": talk(frames["judge"], lambda name, seat: 10),
    }
    return Bench(**{**fields, **changes})


# -- agreement -----------------------------------------------------------------------------------------------------


def test_a_judge_who_is_a_mark_kinder_agrees_in_all_but_the_level() -> None:
    a, b = mine(ratings("a", skill)), mine(ratings("b", lambda *seat: skill(*seat) + 1))
    goal = one(agreement_rows(a, b), dimension="goal")
    assert (goal["n"], goal["clusters"]) == (16, 4)
    reach = stats.t.ppf(0.975, 3) * 2 / 4  # as if one task of four had been two marks off
    assert (goal["difference"], goal["low"], goal["high"]) == pytest.approx((-1, -1 - reach, -1 + reach))
    assert goal["pearson"] == pytest.approx(1) and goal["spearman"] == pytest.approx(1)
    assert (goal["exact"], goal["within_one"]) == (0, 1)
    still = one(agreement_rows(a, b), dimension="secret")  # nobody varies there: no correlation can be told
    assert (still["difference"], still["exact"], still["pearson"], still["spearman"]) == (0, 1, None, None)
    overall = one(agreement_rows(a, b), dimension="overall")
    assert overall["difference"] == pytest.approx(-1 / 7) and overall["exact"] is None


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=16, max_size=16))
@settings(max_examples=30)
def test_correlations_and_intervals_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    places = [(player, task, seat) for player in PLAYERS for task, seat in SEATS]
    given_ = dict(zip(places, pairs, strict=True))
    a, b = (mine(ratings("x", lambda *seat, of=of: given_.get(seat, (0, 0))[of])) for of in (0, 1))
    row = one(agreement_rows(a, b), dimension="goal")
    x, y = (np.array([pair[of] for pair in pairs], float) for of in (0, 1))
    if x.std() > 0 and y.std() > 0:
        assert row["pearson"] == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-9)
        assert row["spearman"] == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-9)
    else:
        assert row["pearson"] is row["spearman"] is None
    assert row["exact"] == np.mean(x == y) and row["within_one"] == np.mean(abs(x - y) <= 1)
    by_task = {task: [] for task, _ in SEATS}
    for (_, task, _), first, second in zip(places, x, y, strict=True):
        by_task[task].append(first - second)
    means = [np.mean(apart) for apart in by_task.values()]  # as many seats on each task: the t interval of the means
    if np.std(means) > 1e-9:
        degrees = tailed_freedom(3, means)
        low, high = difference_interval(np.mean(means), stats.sem(means), degrees, (x - y).tolist())
        assert (row["low"], row["high"]) == pytest.approx((max(-10, low), min(10, high)))


def test_only_seats_that_both_could_rate_are_compared() -> None:
    def sometimes(player: str, task: str, seat: int) -> int | None:
        return None if task == "t0" else skill(player, task, seat)

    row = one(agreement_rows(mine(ratings("a", skill)), mine(ratings("b", sometimes))), dimension="goal")
    assert (row["n"], row["clusters"], row["exact"]) == (12, 3, 1)


def test_no_seat_in_common_is_no_number() -> None:
    a = mine(ratings("a", skill))
    row = one(agreement_rows(a, a.clear()), dimension="goal")
    told = ("difference", "low", "pearson", "spearman", "exact", "within_one")
    assert row["n"] == 0 and all(row[name] is None for name in told)


# -- order and gains -----------------------------------------------------------------------------------------------


def test_judges_who_order_players_alike_or_not() -> None:
    a = mine(ratings("a", skill))
    upside_down = mine(ratings("b", lambda player, task, seat: 9 - skill(player, task, seat)))
    alike = one(order_rows(a, a, PLAYERS), dimension="goal")
    assert (alike["a"], alike["b"], alike["alike"], alike["reversed"]) == (["bc", "base"], ["bc", "base"], True, [])
    goal = one(order_rows(a, upside_down, PLAYERS), dimension="goal")
    assert (goal["a"], goal["b"], goal["alike"]) == (["bc", "base"], ["base", "bc"], False)
    (told,) = goal["reversed"]
    assert (told["first"], told["second"], told["clear"]) == ("base", "bc", True)
    assert (told["a"]["difference"], told["b"]["difference"]) == (-3, 3)


def test_a_reversal_that_may_be_chance_is_not_clear() -> None:
    def wavers(player: str, task: str, seat: int) -> int:
        return 5 + (player == "base") * (3 if task == "t0" else -1 if task == "t1" else 0)

    (told,) = one(order_rows(mine(ratings("a", skill)), mine(ratings("b", wavers)), PLAYERS), dimension="goal")[
        "reversed"
    ]
    assert told["b"]["difference"] == 0.5 and told["b"]["low"] < 0 < told["b"]["high"] and not told["clear"]


def test_the_gain_that_one_judge_sees_more_of_is_taken_seat_by_seat() -> None:
    def partial(player: str, task: str, seat: int) -> int:
        return skill(player, task, seat) + (player == "bc") * (1 + (task == "t3"))

    a, b = mine(ratings("a", partial)), mine(ratings("b", skill))
    (row,) = [row for row in gain_rows(a, b, PLAYERS, "base") if row["dimension"] == "goal"]
    assert (row["player"], row["baseline"], row["n"], row["clusters"]) == ("bc", "base", 8, 4)
    assert row["a"]["difference"] == 4.25 and row["b"]["difference"] == 3
    assert row["difference"] == 1.25
    sem, degrees = stats.sem([1, 1, 1, 2]), tailed_freedom(3, [1, 1, 1, 2])
    expected = difference_interval(1.25, sem, degrees, [1, 1, 1, 2])
    assert (row["low"], row["high"]) == pytest.approx(expected)
    assert change(a, "bc", "base", "goal")["difference"] == 4.25


# -- position ------------------------------------------------------------------------------------------------------


def test_a_bonus_for_who_is_shown_first_is_found_in_either_seat() -> None:
    first = mine(ratings("a", lambda player, task, seat: skill(player, task, seat) + 2 * (seat == 0) - seat))
    second = mine(ratings("a", lambda player, task, seat: skill(player, task, seat) + 2 * (seat == 1) - seat))
    goal = one(position_rows(first, second), dimension="goal")
    assert (goal["mean"], goal["moved"], goal["same"]) == (2, 2, 0)
    assert 0 < goal["low"] < 2 < goal["high"] and goal["p"] < 0.05
    other = one(position_rows(first, second), dimension="believability")
    assert (other["mean"], other["moved"], other["same"]) == (0, 0, 1)
    assert one(position_rows(second, first), dimension="goal")["mean"] == -2


def test_marks_that_move_either_way_are_no_effect_of_the_position() -> None:
    first = mine(ratings("a", skill))
    second = mine(ratings("a", lambda player, task, seat: skill(player, task, seat) + (1 if player == "bc" else -1)))
    goal = one(position_rows(first, second), dimension="goal")
    assert goal["mean"] == 0 and goal["moved"] == 1 and goal["same"] == 0


# -- verbosity -----------------------------------------------------------------------------------------------------


def test_words_and_turns_are_those_of_each_seat() -> None:
    played = episode(("speak", "One two  three."), SILENT, ("action", "sits down"), ("speak", "Yes."), LEAVES)
    table = talk_of([played])
    assert table.select("seat", "words", "turns").rows() == [(0, 5, 3), (1, 1, 1)]
    assert set(table["episode"]) == {played.id}


def test_marks_that_rise_with_words_show_a_slope_and_those_of_better_tasks_do_not() -> None:
    def wordy(player: str, task: str, seat: int) -> int:
        return 1 + int(task[1]) + 2 * (seat == 1)

    frame = mine(ratings("a", wordy))
    said = talk(frame, lambda name, seat: 50 * seat + 100 * int(name[1]))  # the task's own level tells nothing
    rows = list(verbosity_rows(frame, said))
    words = one(rows, dimension="goal", amount="words", within="task")
    assert (words["n"], words["clusters"], words["per"]) == (16, 4, 100)
    assert words["slope"] == pytest.approx(4) and words["correlation"] == pytest.approx(1)
    turns = one(rows, dimension="goal", amount="turns", within="task")
    assert turns["slope"] is turns["low"] is turns["correlation"] is None  # everybody has one turn
    assert (turns["n"], turns["clusters"]) == (16, 4)


def test_better_players_who_talk_more_do_not_count_within_a_player() -> None:
    frame = mine(ratings("a", lambda player, task, seat: 3 + 4 * (player == "bc")))
    said = talk(frame, lambda name, seat: (200 if "bc" in name else 100) + 10 * seat)
    rows = list(verbosity_rows(frame, said))
    assert one(rows, dimension="goal", amount="words", within="task")["slope"] > 3
    assert one(rows, dimension="goal", amount="words", within="task and player")["slope"] == pytest.approx(0, abs=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_the_slope_and_its_error_are_those_of_a_regression_with_dummies(seed: int) -> None:
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(6), 5)
    x = random.normal(size=30) + clusters
    y = 0.4 * x + random.normal(size=6)[clusters] + random.normal(size=30)
    found = slope_within(x.tolist(), y.tolist(), clusters.tolist(), clusters.tolist())
    design = np.column_stack([x, *(clusters == number for number in range(6))]).astype(float)
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residuals = y - design @ coefficients
    scores = np.array([design[clusters == g].T @ residuals[clusters == g] for g in range(6)])
    variance = (6 / 5 * inverse @ scores.T @ scores @ inverse)[0, 0]
    reach = stats.t.ppf(0.975, 5) * math.sqrt(variance)
    assert found.change.mean == pytest.approx(coefficients[0])
    assert found.change.se == pytest.approx(math.sqrt(variance))
    assert found.change.high == pytest.approx(coefficients[0] + reach)


def test_intervals_of_slopes_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    clusters = np.repeat(np.arange(20), 8)
    held = 0
    for _ in range(400):
        x = random.normal(size=160) + random.normal(size=20)[clusters]
        slopes = 0.5 + 0.3 * random.normal(size=20)  # marks of one task go alike
        y = slopes[clusters] * x + random.normal(size=20)[clusters] + random.normal(size=160)
        change_ = slope_within(x.tolist(), y.tolist(), clusters.tolist(), clusters.tolist()).change
        assert change_.low is not None and change_.high is not None
        held += change_.low <= 0.5 <= change_.high
    assert 0.92 <= held / 400 <= 0.98


# -- the whole -----------------------------------------------------------------------------------------------------


def test_every_judge_has_scores_and_every_two_are_compared() -> None:
    three = {name: ratings(name, skill) for name in ("judge", "second", "third")}
    found = compare_judges(bench(ratings=three))
    assert found["judges"] == ["judge", "second", "third"]
    pairs = [("judge", "second"), ("judge", "third"), ("second", "third")]
    assert [(row["judge"], row["other"]) for row in found["orders"]] == [pair for pair in pairs for _ in (0, 1)]
    assert len(found["agreement"]) == 3 * 8 and len(found["scores"]) == 3 * 2 * 8
    goal = one(found["scores"], judge="second", player="bc", dimension="goal")
    assert goal["mean"] == np.mean([skill("bc", task, seat) for task, seat in SEATS])
    assert (goal["n"], goal["clusters"], goal["failed"]) == (8, 4, 0) and goal["low"] < goal["mean"] < goal["high"]
    assert found["position"] == []  # nobody was asked twice
    assert {row["judge"] for row in found["verbosity"]} == set(three)


def test_one_judge_alone_is_scored_and_compared_with_nobody() -> None:
    found = compare_judges(bench(ratings={"judge": ratings("judge", skill)}))
    assert found["agreement"] == found["orders"] == found["gains"] == []
    assert len(found["scores"]) == 16 and found["verbosity"]


def test_a_judge_that_taught_is_marked_where_it_marks_its_pupils() -> None:
    found = compare_judges(bench(taught={"judge": ["bc"]}))
    assert found["taught"] == {"judge": ["bc"], "second": []}
    assert {(row["judge"], row["player"]) for row in found["scores"] if row["taught"]} == {("judge", "bc")}
    assert {row["player"]: row["taught_by"] for row in found["gains"]} == {"bc": ["judge"]}


def test_failed_ratings_are_counted_and_never_a_mark() -> None:
    def fails(player: str, task: str, seat: int) -> int | None:
        return None if (player, task) == ("bc", "t0") else skill(player, task, seat)

    found = compare_judges(bench(ratings={"judge": ratings("judge", fails), "second": ratings("second", skill)}))
    goal = one(found["scores"], judge="judge", player="bc", dimension="goal")
    assert (goal["n"], goal["failed"], goal["clusters"]) == (6, 2, 3)


def test_only_the_tasks_of_the_evaluation_count_in_every_part() -> None:
    frames = {name: ratings(name, skill) for name in ("judge", "second")}
    few = compare_judges(bench(ratings=frames, swapped=frames, among={("t0", CAST), ("t1", CAST)}))
    assert {row["clusters"] for part in ("scores", "agreement", "gains", "position") for row in few[part]} == {2}
    everybody = one(few["position"], judge="judge", dimension="goal")
    assert everybody["n"] == 2 * 2 * 2 * 2  # both players and, across from each, the partner; both seats, two tasks


def test_every_dimension_is_there() -> None:
    found = compare_judges(bench(swapped={"judge": ratings("judge", skill)}))
    for part in ("scores", "agreement", "position"):
        assert {row["dimension"] for row in found[part]} == {*KEYS, "overall"}
