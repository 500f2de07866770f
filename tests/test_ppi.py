"""Prediction-powered estimates: by hand, against ppi-python, and in simulated studies whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.evaluation.ppi import Powered, Seats, by_judge, by_people, calibrated, halving
from parley.evaluation.statistics import clustered_mean, clustered_score, paired_difference
from tests import oracle

NAN = float("nan")


def seats(judge: Sequence[float], people: Sequence[float], tasks: Sequence[object] | None = None) -> Seats:
    """Seats at places 0, 1, …, each a task of its own if no tasks are given."""
    names = list(range(len(judge))) if tasks is None else list(tasks)
    return Seats(list(range(len(judge))), names, np.array(judge, dtype=float), np.array(people, dtype=float))


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_people_alone_are_the_clustered_mean_of_what_they_rated() -> None:
    found = by_people(seats([5, 6, 7, 8, 9, 9], [4, 6, 7, 9, NAN, NAN], "aabbcc"))
    expected = clustered_mean([4, 6, 7, 9], "aabb")
    assert (found.mean, found.se, found.low, found.high) == (expected.mean, expected.se, expected.low, expected.high)
    assert (found.n_people, found.n_judge, found.clusters, found.weight) == (4, 6, 2, 0)


def test_the_judge_alone_is_the_mean_of_all_its_seats() -> None:
    found = by_judge(seats([5, 6, 7, 8, 9, 9], [4, NAN, NAN, NAN, NAN, NAN], "aabbcc"), within=(0, 10, 1))
    expected = clustered_score([5, 6, 7, 8, 9, 9], "aabbcc", 0, 10)
    assert (found.mean, found.low, found.high) == (expected.mean, expected.low, expected.high)
    assert (found.weight, found.clusters) == (None, 3)


def test_a_judge_who_says_what_people_say_but_for_its_bias_is_believed() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(5, 2, 90)
    people = np.where(np.arange(90) < 14, truth, NAN)
    found = calibrated(seats(truth + 1.4, people))
    assert found.weight is not None and found.weight > 0.8
    assert found.mean == pytest.approx(truth.mean(), abs=0.1)
    alone = by_people(seats(truth + 1.4, people))
    assert found.se is not None and alone.se is not None
    assert found.se < 0.6 * alone.se


def test_a_judge_who_says_the_same_of_everything_is_not_believed() -> None:
    rated = seats([7] * 30, [*np.random.default_rng(2).normal(5, 2, 20), *[NAN] * 10])
    assert calibrated(rated) == by_people(rated)
    assert calibrated(rated).weight == 0


def test_a_judge_who_says_the_contrary_is_not_believed() -> None:
    truth = np.random.default_rng(3).normal(5, 2, 60)
    people = np.where(np.arange(60) < 20, truth, NAN)
    assert calibrated(seats(-truth, people)) == by_people(seats(-truth, people))


def test_where_people_rated_everything_the_judge_adds_nothing() -> None:
    truth = np.random.default_rng(4).normal(5, 2, 28)
    rated = seats(truth + np.tile([0.5, -0.5], 14), truth, np.repeat(np.arange(14), 2))
    assert calibrated(rated) == by_people(rated)


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_too_few_tasks_tell_nothing_about_a_weight(tasks: int) -> None:
    rated = seats([5.0, 6, 7, 8, 9, 4], [4.0, 5, 7, NAN, NAN, NAN], [place % tasks for place in range(6)])
    found = calibrated(rated)
    assert found == by_people(rated)
    assert found.mean == pytest.approx(16 / 3)
    assert (found.low is None) == (found.se is None) == (tasks == 1)


def test_nobody_rated_anything() -> None:
    for found in (by_people(seats([5, 6], [NAN, NAN])), calibrated(seats([5, 6], [NAN, NAN]))):
        assert found.mean is found.se is found.low is found.weight is None
        assert (found.n_people, found.n_judge, found.clusters) == (0, 2, 0)


def test_a_difference_of_the_same_seats_is_paired() -> None:
    rng = np.random.default_rng(5)
    tasks = np.repeat(np.arange(14), 4).tolist()
    common = rng.normal(5, 3, 56)
    a, b = (common + rng.normal(0, 0.5, 56) + gain for gain in (1, 0))
    some = np.arange(56) % 4 < 2
    first, second = (seats(side + 1, np.where(some, side, NAN), tasks) for side in (a, b))
    people = by_people(first, second)
    expected = paired_difference(a[some].tolist(), b[some].tolist(), np.repeat(np.arange(14), 2).tolist())
    assert (people.mean, people.se, people.low) == (expected.mean, expected.se, expected.low)
    judge = by_judge(first, second)
    expected = paired_difference(a.tolist(), b.tolist(), tasks)
    assert (judge.mean, judge.se, judge.high) == pytest.approx((expected.mean, expected.se, expected.high))


def test_a_difference_of_other_seats_of_the_same_tasks_still_knows_the_tasks() -> None:
    rng = np.random.default_rng(6)
    tasks = np.repeat(np.arange(14), 4).tolist()
    hard = np.repeat(rng.normal(0, 3, 14), 4)  # what a task is worth to both
    first, second = (
        seats(NAN_FREE + hard, np.where(np.arange(56) % 4 == seat, hard + rng.normal(0, 0.3, 56), NAN), tasks)
        for seat, NAN_FREE in ((0, 1.0), (1, 0.5))
    )
    found = by_people(first, second)
    assert found.se is not None and found.se < 0.3  # that of one side alone is 3 / sqrt(14)
    assert found.mean == pytest.approx(0, abs=0.4)
    assert halving(found, first, second) is None, (
        "no seat has both ratings, so nothing says how their difference varies"
    )


def test_a_player_against_itself_differs_by_nothing() -> None:
    truth = np.random.default_rng(7).normal(5, 2, 40)
    rated = seats(truth, np.where(np.arange(40) < 20, truth, NAN))
    assert calibrated(rated, rated).mean == by_judge(rated, rated).mean == 0


# -- properties --------------------------------------------------------------------------------------------------------


@st.composite
def studies(draw: st.DrawFn) -> Seats:
    """Whole marks in 4 to 12 tasks of 1 to 4 seats, some of which people rated."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=4, max_size=12))
    mark = st.integers(0, 10)
    n = sum(sizes)
    judge = draw(st.lists(mark, min_size=n, max_size=n))
    people = draw(st.lists(st.one_of(mark, st.just(NAN)), min_size=n, max_size=n))
    return seats(judge, people, [task for task, size in enumerate(sizes) for _ in range(size)])


@given(studies(), st.integers(-20, 20))
def test_what_the_judge_adds_to_every_mark_changes_nothing(rated: Seats, bias: int) -> None:
    moved = Seats(rated.places, rated.tasks, rated.judge + bias, rated.people)
    before, after = calibrated(rated), calibrated(moved)
    assert [getattr(after, name) for name in ("mean", "low", "high")] == pytest.approx(
        [getattr(before, name) for name in ("mean", "low", "high")], abs=1e-6
    )


@given(studies())
def test_it_is_never_less_sure_than_people_alone(rated: Seats) -> None:
    together, alone = calibrated(rated, within=(0, 10, 1)), by_people(rated, within=(0, 10, 1))
    assert (together.low is None) == (alone.low is None)
    if together.low is not None and together.high is not None and alone.low is not None and alone.high is not None:
        assert together.high - together.low <= alone.high - alone.low
        assert together.weight is not None and 0 <= together.weight <= 1


@given(studies())
def test_a_mean_in_a_range_has_an_interval_in_it(rated: Seats) -> None:
    for by in (by_people, by_judge, calibrated):
        found = by(rated, within=(0, 10, 1))
        if found.low is not None and found.high is not None:
            assert -1e-9 <= found.low <= found.high <= 10 + 1e-9


@given(studies())
def test_a_turn_of_the_sides_turns_the_sign(rated: Seats) -> None:
    other = Seats(rated.places, rated.tasks, rated.judge[::-1], rated.people[::-1])
    there, back = calibrated(rated, other), calibrated(other, rated)
    assert (there.mean is None) == (back.mean is None)
    if there.mean is not None and back.mean is not None:
        assert there.mean == pytest.approx(-back.mean, abs=1e-9)
        assert there.se == pytest.approx(back.se, abs=1e-9)


@given(studies())
def test_halving_is_a_number_of_seats_that_are_there(rated: Seats) -> None:
    found = calibrated(rated)
    more = halving(found, rated)
    assert more is None or 0 <= more <= found.n_judge - found.n_people
    assert halving(by_judge(rated), rated) is None


# -- another library ---------------------------------------------------------------------------------------------------


def test_it_agrees_with_ppi_python_on_independent_rows() -> None:
    people, judge, others = oracle.data("people"), oracle.data("judge"), oracle.data("others")
    rated = seats([*judge, *others], [*people, *[NAN] * others.size])
    found, told = calibrated(rated), oracle.read()["ppi"]
    mean, low, high = told["tuned"]
    assert found.mean is not None and found.low is not None and found.high is not None and found.weight is not None
    # Its unrated rows are apart from the rated ones, ours are all rows: a weight is another by that share.
    share = others.size / (others.size + people.size)
    slope = told["whole"][0] - told["none"][0]
    assert found.mean == pytest.approx(told["none"][0] + found.weight * share * slope, abs=1e-9)
    assert found.mean == pytest.approx(mean, abs=0.05 * (high - low))
    assert found.high - found.low == pytest.approx(high - low, rel=0.05)
    assert by_people(rated).mean == pytest.approx(told["none"][0], abs=1e-9)


# -- studies with a known truth ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Design:
    """Tasks, the seats of each, and in how many tasks people rate how many of them."""

    tasks: int
    seats: int
    rated_tasks: int
    rated: int


#: The paper's study on its 14 hard tasks; people's 28 seats out of all 180; one seat of each of 90 tasks.
DESIGNS = {
    "28 of 140": Design(14, 10, 14, 2),
    "28 of 180": Design(90, 2, 14, 2),
    "90 of 180": Design(90, 2, 90, 1),
}
TRUTH = 4.6
STUDIES = 800


def study(rng: np.random.Generator, design: Design, follows: float, gain: float = 0.0) -> list[Seats]:
    """A player (and with a gain a better one on the same seats) whom the judge overrates, the better one more.

    `follows` is the correlation of the judge's mark with what a seat is worth, between tasks and within them.
    """
    tasks = np.repeat(np.arange(design.tasks), design.seats)
    rated = np.zeros(tasks.size, dtype=bool)
    for task in rng.choice(design.tasks, design.rated_tasks, replace=False):
        rated[task * design.seats + rng.choice(design.seats, design.rated, replace=False)] = True

    def drawn(sd: float) -> np.ndarray:
        return rng.normal(0, 0.55 * sd, design.tasks)[tasks] + rng.normal(0, 0.83 * sd, tasks.size)

    common = drawn(1.8)
    found = []
    for over in (gain, 0.0) if gain else (0.0,):
        worth = TRUTH + over + (common if not gain else 0.7 * common + drawn(1.2))
        judge = 6 + follows * (worth - TRUTH) + (1 - follows**2) ** 0.5 * drawn(1.8) + (2 if over else 0.3)
        people = worth + rng.normal(0, 1, tasks.size)
        names = tasks.tolist()
        found.append(seats(np.round(judge, 2), np.where(rated, people, NAN), names))
    return found


def looked_at(found: Sequence[Powered], truth: float) -> tuple[float, float, float, float]:
    """Bias, root of the mean square error, mean width, and share that holds the truth."""
    means = np.array([one.mean for one in found], dtype=float)
    low, high = (np.array([getattr(one, end) for one in found], dtype=float) for end in ("low", "high"))
    held = ((low <= truth) & (truth <= high)).mean()
    return float(means.mean() - truth), float(((means - truth) ** 2).mean() ** 0.5), float((high - low).mean()), held


@pytest.mark.parametrize("follows", [0.0, 0.9])
@pytest.mark.parametrize("name", DESIGNS)
def test_a_calibrated_mean_has_no_bias_and_covers_and_is_never_worse(name: str, follows: float) -> None:
    rng = np.random.default_rng(77)
    drawn = [study(rng, DESIGNS[name], follows)[0] for _ in range(STUDIES)]
    together, alone, judge = ([by(one) for one in drawn] for by in (calibrated, by_people, by_judge))
    bias, error, width, held = looked_at(together, TRUTH)
    _, error_alone, width_alone, _ = looked_at(alone, TRUTH)
    assert abs(bias) < 4 * error / STUDIES**0.5
    assert 0.93 <= held <= 0.97
    assert error < 1.02 * error_alone
    assert width <= width_alone
    assert looked_at(judge, TRUTH)[3] < 0.1, "the judge alone is sure of what is wrong"
    if follows == 0.9:
        assert error < 0.95 * error_alone


@pytest.mark.parametrize("follows", [0.0, 0.8])
@pytest.mark.parametrize("name", ["28 of 140", "28 of 180"])
def test_a_calibrated_difference_has_no_bias_and_covers_and_is_never_worse(name: str, follows: float) -> None:
    rng = np.random.default_rng(78)
    drawn = [study(rng, DESIGNS[name], follows, gain=1.0) for _ in range(STUDIES)]
    together, alone, judge = ([by(*one) for one in drawn] for by in (calibrated, by_people, by_judge))
    bias, error, width, held = looked_at(together, 1.0)
    _, error_alone, width_alone, _ = looked_at(alone, 1.0)
    assert abs(bias) < 4 * error / STUDIES**0.5
    assert 0.93 <= held <= 0.97
    assert error < 1.02 * error_alone
    assert width <= width_alone
    assert abs(looked_at(judge, 1.0)[0]) > 0.5, "the judge overrates the gain, as it did the paper's"


def test_the_difference_to_a_player_who_never_loses_a_point_covers_by_people_and_calibrated() -> None:
    rng, tasks = np.random.default_rng(79), np.repeat(np.arange(14), 10)
    held: dict[str, list[bool]] = {"people": [], "calibrated": [], "plain": []}
    for _ in range(300):
        lost = rng.random(140) < rng.beta(0.35, 1.98, 14)[tasks]  # in 15 % of the seats, tasks alike at 0.3
        worth = -1.0 * lost * rng.choice([1, 2, 3, 4, 6], 140)
        rated = np.argsort(np.argsort(rng.random(140) + tasks)) % 10 < 2  # two seats of each task
        kind = [np.where(rng.random(140) < 0.7, worth, worth - (rng.random(140) < 0.2)), -1.0 * (rng.random(140) < 0.1)]
        sides = [
            seats(judged, np.where(rated, true, NAN), tasks.tolist())
            for judged, true in zip(kind, (worth, np.zeros(140)), strict=True)
        ]
        plain = clustered_mean(worth[rated].tolist(), tasks[rated].tolist())
        found = {"people": by_people(*sides), "calibrated": calibrated(*sides, within=(-10, 0, 1)), "plain": plain}
        for name, one in found.items():
            assert one.low is not None and one.high is not None
            held[name].append(one.low <= -3.2 * 0.35 / (0.35 + 1.98) <= one.high)
    shares = {name: float(np.mean(ones)) for name, ones in held.items()}
    assert shares["people"] >= 0.94 and shares["calibrated"] >= 0.93, shares
    assert shares["plain"] < 0.88, shares


def test_as_many_more_ratings_as_it_says_halve_the_standard_error() -> None:
    rng = np.random.default_rng(12)
    few, four_times = Design(90, 2, 14, 1), Design(90, 2, 56, 1)
    drawn = [study(rng, few, 0.5)[0] for _ in range(200)]
    told = [more for one in drawn if (more := halving(by_people(one), one)) is not None]
    assert np.median(told) == pytest.approx(3 * 14, rel=0.2), "four times the tasks, one seat each"
    errors = [np.mean([by_people(study(rng, d, 0.5)[0]).se for _ in range(100)]) for d in (few, four_times)]
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.05)


def test_the_spread_between_tasks_cannot_be_rated_away() -> None:
    rng = np.random.default_rng(13)
    tasks = np.repeat(np.arange(14), 10)
    worth = rng.normal(0, 2, 14)[tasks] + rng.normal(0, 0.5, 140)
    rated = seats(worth, np.where(np.arange(140) % 10 < 2, worth, NAN), tasks.tolist())
    assert halving(by_people(rated), rated) is None
