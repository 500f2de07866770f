"""How often intervals hold the truth, in studies of 14 and of 90 tasks with scores as judges and people give them.

Each case draws many studies with a known truth and asks the interval of each. The seed is fixed, so a case either holds
or does not; 2,000 studies tell a share of 95 % to about half a point.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from parley.evaluation.statistics import (
    Difference,
    Estimate,
    clustered_mean,
    clustered_score,
    clustered_share,
    clustered_test,
    paired_by_means,
    paired_difference,
)

STUDIES = 2000
Floats = NDArray[np.float64]
#: Tasks, and seats in each: people's study, the paper's hard tasks, all of its tasks.
SIZES = {"14 tasks of 2": [2] * 14, "14 tasks of 10": [10] * 14, "90 tasks of 2": [2] * 90}
UNEQUAL = {"14 unequal tasks": [2] * 8 + [4, 4, 6, 10, 20, 20], "90 unequal tasks": [2] * 76 + [10] * 14}


def seats(rng: np.random.Generator, studies: int, sizes: Sequence[int], task: float, seat: float) -> Floats:
    """What each seat is worth: a deviation that the seats of a task share, and one of its own."""
    shared = np.repeat(rng.normal(0, task, (studies, len(sizes))), sizes, axis=1)
    return shared + rng.normal(0, seat, shared.shape)


def marks(worth: Floats, low: int, high: int) -> Floats:
    """Whole marks within their range."""
    return np.clip(np.round(worth), low, high)


#: Scores as the dimensions have them: their range, and how what a seat is worth becomes a mark.
DIMENSIONS: dict[str, tuple[int, int, float, float, Callable[[Floats], Floats]]] = {
    "GOAL": (0, 10, 2, 2, lambda worth: 5 + worth),
    "GOAL near its top": (0, 10, 1.5, 1.5, lambda worth: 8.5 + worth),
    "BEL at its top": (0, 10, 0.7, 0.8, lambda worth: 9.3 + worth),
    "KNO at its foot": (0, 10, 1.2, 1.2, lambda worth: 1.5 * np.exp(0.35 * worth) - 0.3),
    "REL": (-5, 5, 1, 1.5, lambda worth: 1 + worth),
}


def labels(sizes: Sequence[int]) -> list[int]:
    return np.repeat(np.arange(len(sizes)), sizes).tolist()


def coverage(intervals: Iterable[Estimate], truth: float) -> float:
    """The share of intervals that hold the truth."""
    held = [
        found.low is not None and found.high is not None and found.low <= truth <= found.high for found in intervals
    ]
    return sum(held) / len(held)


def score_coverage(dimension: str, sizes: Sequence[int], studies: int, seed: int) -> float:
    """How often the interval of a mean score holds it, of so many studies with tasks of these sizes."""
    low, high, task, seat, worth = DIMENSIONS[dimension]
    rng = np.random.default_rng(seed)
    truth = float(marks(worth(seats(rng, 100, [1] * 5000, task, seat)), low, high).mean())
    drawn = marks(worth(seats(rng, studies, sizes, task, seat)), low, high)
    return coverage((clustered_score(row, labels(sizes), low, high) for row in drawn.tolist()), truth)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("size", SIZES)
def test_the_interval_of_a_mean_score_holds_it_95_times_in_100(dimension: str, size: str) -> None:
    assert 0.93 <= score_coverage(dimension, SIZES[size], STUDIES, 20240314) <= 0.97


@pytest.mark.parametrize("size", [*SIZES, *UNEQUAL])
@pytest.mark.parametrize("alike", [0.1, 0.5])
def test_the_interval_of_a_mean_holds_it_whatever_the_sizes_of_tasks(size: str, alike: float) -> None:
    rng, sizes = np.random.default_rng(14), {**SIZES, **UNEQUAL}[size]
    drawn = 3 + seats(rng, STUDIES, sizes, alike**0.5, (1 - alike) ** 0.5)
    assert 0.93 <= coverage((clustered_mean(row, labels(sizes)) for row in drawn.tolist()), 3) <= 0.97


def test_rows_taken_as_independent_would_be_far_too_sure() -> None:
    rng, sizes = np.random.default_rng(14), SIZES["14 tasks of 10"]
    drawn = 3 + seats(rng, STUDIES, sizes, 0.7, 0.7)
    assert coverage((clustered_mean(row, range(140)) for row in drawn.tolist()), 3) < 0.7


@pytest.mark.parametrize("share", [0.5, 0.8, 0.92])
@pytest.mark.parametrize("size", ["14 tasks of 10", "90 tasks of 2"])
def test_the_interval_of_a_share_holds_it_95_times_in_100(share: float, size: str) -> None:
    rng, sizes = np.random.default_rng(7), SIZES[size]
    chance = np.repeat(rng.beta(4 * share, 4 * (1 - share), (STUDIES, len(sizes))), sizes, axis=1)
    drawn = rng.random(chance.shape) < chance
    assert 0.93 <= coverage((clustered_share(row, labels(sizes)) for row in drawn.tolist()), share) <= 0.97


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("by", [paired_difference, paired_by_means])
def test_the_interval_of_a_paired_difference_holds_it_95_times_in_100(dimension: str, size: str, by) -> None:
    low, high, task, seat, worth = DIMENSIONS[dimension]
    rng, sizes = np.random.default_rng(99), SIZES[size]

    def sides(studies: int, of: Sequence[int]) -> tuple[Floats, Floats]:
        """Two policies on the same seats: what a seat is worth to both, and to each alone."""
        common, gain = seats(rng, studies, of, task / 2, seat / 2), seats(rng, studies, of, task / 2, seat / 2)
        better = common + gain + seats(rng, studies, of, 0, seat / 2) + 0.5
        return marks(worth(better), low, high), marks(worth(common + seats(rng, studies, of, 0, seat / 2)), low, high)

    whole = sides(100, [1] * 5000)
    truth = float((whole[0] - whole[1]).mean())
    one, other = sides(STUDIES, sizes)
    of = labels(sizes)
    found = (
        by(a, b, of) if by is paired_difference else by(a, of, b, of)
        for a, b in zip(one.tolist(), other.tolist(), strict=True)
    )
    assert 0.93 <= coverage(found, truth) <= 0.97


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("size", UNEQUAL)
def test_tasks_of_unequal_sizes_are_held_as_often(dimension: str, size: str) -> None:
    assert 0.925 <= score_coverage(dimension, UNEQUAL[size], STUDIES // 2, 3) <= 0.97


@pytest.mark.parametrize("size", ["14 tasks of 2", "14 tasks of 10"])
def test_scores_with_a_long_tail_in_few_tasks_are_held_more_often_than_by_a_t_interval(size: str) -> None:
    rng, sizes = np.random.default_rng(20240314), SIZES[size]

    def tailed(studies: int, of: Sequence[int]) -> Floats:
        return marks(1.2 * np.exp(0.5 * seats(rng, studies, of, 1.2, 1.2)) - 0.4, 0, 10)

    truth, of, drawn = float(tailed(100, [1] * 5000).mean()), labels(sizes), tailed(STUDIES, sizes).tolist()
    found = coverage((clustered_score(row, of, 0, 10) for row in drawn), truth)
    plain = coverage((clustered_mean(row, of) for row in drawn), truth)
    assert 0.93 <= found <= 0.97
    assert found > plain + 0.02


def clustered_chance(
    rng: np.random.Generator, studies: int, sizes: Sequence[int], share: float, alike: float = 0.3
) -> NDArray[np.bool_]:
    """What happens now and then, in some tasks more often than in others, as `alike` says: an intraclass correlation."""
    times = 1 / alike - 1
    chance = rng.beta(share * times, (1 - share) * times, (studies, len(sizes)))
    return rng.random((studies, sum(sizes))) < np.repeat(chance, sizes, axis=1)


@pytest.mark.parametrize("share", [0.08, 0.15])
@pytest.mark.parametrize("size", ["14 tasks of 10", "90 tasks of 2"])
def test_the_interval_of_what_is_rare_and_comes_in_few_tasks_holds_it(share: float, size: str) -> None:
    rng, sizes = np.random.default_rng(8), SIZES[size]
    drawn = clustered_chance(rng, STUDIES, sizes, share).tolist()
    assert 0.93 <= coverage((clustered_share(row, labels(sizes)) for row in drawn), share) <= 0.975


def rare(rng: np.random.Generator, studies: int, sizes: Sequence[int], share: float, alike: float = 0.3) -> Floats:
    """SEC and SOC: nought, but that now and then a point or a few are lost, in some tasks more than in others."""
    lost = clustered_chance(rng, studies, sizes, share, alike)
    return -1.0 * lost * rng.choice([1, 2, 3, 4, 6], lost.shape)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.15, 0.3])
def test_what_is_lost_now_and_then_is_held_far_more_often_than_by_a_t_interval(share: float, size: str) -> None:
    rng, sizes = np.random.default_rng(5), SIZES[size]
    drawn, of = rare(rng, STUDIES, sizes, share), labels(sizes)
    found = coverage((clustered_score(row, of, -10, 0) for row in drawn.tolist()), -3.2 * share)
    plain = coverage((clustered_mean(row, of) for row in drawn.tolist()), -3.2 * share)
    assert 0.93 <= found <= 0.97
    assert found > plain


def differences(one: Floats, other: Floats, sizes: Sequence[int]) -> Iterator[Difference]:
    """The paired difference of each study."""
    of = labels(sizes)
    return (paired_difference(a, b, of) for a, b in zip(one.tolist(), other.tolist(), strict=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("share", "alike"), [(0.15, 0.1), (0.3, 0.3), (0.3, 0.6)])
def test_the_difference_to_a_policy_that_never_loses_a_point_is_held(size: str, share: float, alike: float) -> None:
    rng, sizes = np.random.default_rng(21), SIZES[size]
    lost = rare(rng, STUDIES, sizes, share, alike)
    found = coverage(differences(lost, np.zeros_like(lost), sizes), -3.2 * share)
    plain = coverage((clustered_test(row, labels(sizes)) for row in lost.tolist()), -3.2 * share)
    assert 0.945 <= found <= 0.98
    assert found > plain


@pytest.mark.parametrize("alike", [0.1, 0.3, 0.6])
def test_a_t_interval_of_the_difference_to_a_policy_that_never_loses_a_point_is_far_too_sure(alike: float) -> None:
    rng, sizes = np.random.default_rng(22), SIZES["14 tasks of 2"]
    lost = rare(rng, STUDIES, sizes, 1 / 7, alike)
    assert coverage((clustered_test(row, labels(sizes)) for row in lost.tolist()), -3.2 / 7) < 0.88
    assert 0.95 <= coverage(differences(lost, np.zeros_like(lost), sizes), -3.2 / 7) <= 0.98


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("one", "other"), [(0.15, 0.15), (0.3, 0.05), (0.05, 0.3)])
def test_the_difference_of_two_policies_that_lose_points_now_and_then_is_held(
    size: str, one: float, other: float
) -> None:
    rng, sizes = np.random.default_rng(23), SIZES[size]
    a, b = (rare(rng, STUDIES, sizes, share) for share in (one, other))
    assert 0.945 <= coverage(differences(a, b, sizes), -3.2 * (one - other)) <= 0.985


@pytest.mark.parametrize(("size", "share"), [([2] * 14, 1 / 7), ([8] * 14, 1 / 7), ([4] * 36, 0.04), ([2] * 90, 0.04)])
def test_what_nearly_all_comes_in_one_task_is_held_by_a_mean_and_a_difference(size: list[int], share: float) -> None:
    rng, truth = np.random.default_rng(24), -3.2 * share
    lost = rare(rng, STUDIES, size, share, 0.6)
    assert 0.93 <= coverage((clustered_score(row, labels(size), -10, 0) for row in lost.tolist()), truth) <= 0.975
    assert 0.95 <= coverage(differences(lost, np.zeros_like(lost), size), truth) <= 0.985


@pytest.mark.parametrize("dimension", ["GOAL", "GOAL near its top", "REL"])
def test_where_nearly_every_pair_differs_the_interval_of_a_difference_is_hardly_wider_than_that_of_t(
    dimension: str,
) -> None:
    low, high, task, seat, worth = DIMENSIONS[dimension]
    rng, sizes = np.random.default_rng(25), SIZES["14 tasks of 10"]
    a, b = (marks(worth(seats(rng, 200, sizes, task, seat)), low, high) for _ in "ab")
    wide, narrow = (
        np.mean([found.high - found.low for found in drawn if found.low is not None and found.high is not None])
        for drawn in (differences(a, b, sizes), (clustered_test(row, labels(sizes)) for row in (a - b).tolist()))
    )
    assert narrow <= wide < 1.07 * narrow
