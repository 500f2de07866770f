"""Non-inferiority: verdicts from one-sided bounds on paired differences, against figures of another library."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from parley.errors import ParleyError
from parley.evaluation.knowledge import gap, summary
from parley.evaluation.noninferiority import verdict, verdicts
from parley.evaluation.shares import score, score_bounds, score_test


def result(policy: str, *right: bool, subjects: int = 4, **more: Any) -> dict[str, Any]:
    """A result in which these questions were answered right."""
    answers = [
        {"question": f"q{n}", "category": "stem", "subject": f"s{n % subjects}", "chosen": "A", "right": one}
        for n, one in enumerate(right)
    ]
    return {"policy": policy, "way": "likelihood", "limit": None, **summary(answers, 0), **more}


def told(mine: list[bool], base: list[bool], margin: float = 0.02, subjects: int = 4) -> dict[str, Any]:
    both = result("bc", *mine, subjects=subjects), result("base", *base, subjects=subjects)
    return dict(verdicts(*both, margin)["ways"]["likelihood"])


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (-0.01, 0.03, "not inferior"),
        (-0.02, 0.03, "open"),  # at the margin is not within it
        (-0.05, 0.03, "open"),
        (-0.05, -0.03, "inferior"),
        (-0.05, -0.02, "open"),
        (0.01, 0.03, "not inferior"),
        (None, None, "open"),
    ],
)
def test_the_bounds_decide(least: float | None, most: float | None, expected: str) -> None:
    assert verdict(least, most, 0.02) == expected


def mixed(n: int, seed: int = 1) -> tuple[list[bool], list[bool]]:
    """Answers of a policy and of the base, which differ in a fifth of the questions."""
    random = np.random.default_rng(seed)
    base = [bool(one) for one in random.random(n) < 0.5]
    return [bool(one) if random.random() < 0.8 else not one for one in base], base


def test_the_difference_is_paired_and_its_bounds_are_near_those_of_t_where_there_is_much() -> None:
    mine, base = mixed(4000)
    found = told(mine, base)
    difference = np.array(mine, float) - np.array(base, float)
    low, high = stats.t.interval(0.90, 3999, loc=difference.mean(), scale=stats.sem(difference))
    assert (found["difference"], found["se"]) == (
        pytest.approx(difference.mean()),
        pytest.approx(stats.sem(difference)),
    )
    assert (found["least"], found["most"]) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert found["low"] < found["least"] < found["most"] < found["high"]
    assert (found["n"], found["gained"] - found["lost"]) == (4000, round(difference.sum()))


def test_between_subjects_it_is_a_one_sided_t_test_on_what_the_subjects_differ_by() -> None:
    mine, base = mixed(200)
    found = told(mine, base, subjects=10)["by_subject"]
    means = [np.mean(np.array(mine[s::10], float) - np.array(base[s::10], float)) for s in range(10)]
    low, high = stats.t.interval(0.90, 9, loc=np.mean(means), scale=stats.sem(means))
    assert (found["least"], found["most"]) == (pytest.approx(low), pytest.approx(high))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 30), st.floats(-0.9, 0.9))
def test_the_score_stands_on_the_likeliest_shares_with_that_difference(
    gained: int, lost: int, same: int, difference: float
) -> None:
    """The restricted likelihood is maximised by search here, in closed form there."""
    n = gained + lost + same
    lowest = max(0.0, -difference)

    def unlikely(share: float) -> float:
        parts = ((gained, share + difference), (lost, share), (same, 1 - 2 * share - difference))
        return -sum(count * math.log(max(part, 1e-300)) for count, part in parts if count)

    highest = (1 - difference) / 2
    found = optimize.minimize_scalar(unlikely, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-12})
    variance = n * (2 * found.x + difference - difference**2)
    assume(variance > 1e-3)
    assert score(gained, lost, n, difference) == pytest.approx(
        (gained - lost - n * difference) / math.sqrt(variance), rel=1e-3, abs=1e-3
    )


def test_no_difference_among_few_questions_shows_little() -> None:
    # Without a single difference the score bound is z^2 / (n + z^2).
    for n in (10, 96, 1000):
        least, most = score_bounds(0, 0, n, 0.95)
        assert most == pytest.approx(2.7055 / (n + 2.7055), abs=1e-5) and least == pytest.approx(-most)


def test_a_verdict_turns_with_the_margin_and_not_with_significance() -> None:
    base = [True] * 50 + [False] * 50
    mine = [False] * 3 + base[3:]  # three of a hundred lost: the lower bound is near -0.07
    assert [told(mine, base, margin)["verdict"] for margin in (0.01, 0.05, 0.08)] == ["open", "open", "not inferior"]
    assert told([False] * 30 + base[30:], base, 0.05)["verdict"] == "inferior"


def test_the_subject_is_a_cluster_too_and_may_leave_open_what_questions_decide() -> None:
    base = [True] * 400
    mine = [n % 4 != 0 or n > 60 for n in range(400)]  # all that is lost is lost in one subject of four
    found = told(mine, base, margin=0.06)
    assert (found["verdict"], found["by_subject"]["verdict"]) == ("not inferior", "open")
    assert found["by_subject"]["clusters"] == 4 and found["by_subject"]["difference"] == found["difference"]


def test_one_subject_has_no_spread_between_subjects() -> None:
    by_subject = told([True, False], [True, True], subjects=1)["by_subject"]
    assert (by_subject["least"], by_subject["verdict"]) == (None, "open")


def test_the_same_answers_to_few_questions_leave_it_open_and_to_many_do_not() -> None:
    few, many = (told([True, False] * n, [True, False] * n, margin=0.02) for n in (40, 400))
    assert (few["verdict"], many["verdict"]) == ("open", "not inferior")
    assert (many["difference"], many["gained"], many["lost"]) == (0.0, 0, 0)
    assert (many["by_subject"]["verdict"], many["by_subject"]["least"]) == ("open", None), "nothing varies"


def test_each_way_has_its_own_verdict_and_the_file_is_json() -> None:
    words = [result(name, *right) for name, right in (("bc", [False] * 20), ("base", [True] * 20))]
    mine, base = (
        result(name, *[True] * 60, also={"generation": part}) for name, part in zip(("bc", "base"), words, strict=True)
    )
    found = json.loads(json.dumps(verdicts(mine, base, 0.1), allow_nan=False))
    assert {way: part["verdict"] for way, part in found["ways"].items()} == {
        "likelihood": "not inferior",
        "generation": "inferior",
    }
    assert (found["policy"], found["base"], found["margin"], found["limit"]) == ("bc", "base", 0.1, None)


def test_other_questions_are_not_compared() -> None:
    with pytest.raises(ParleyError, match="on different questions"):
        verdicts(result("bc", True, True), result("base", True), 0.02)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40), st.floats(0.001, 0.5))
def test_who_is_inferior_is_never_not_inferior_the_other_way_round(
    pairs: list[tuple[bool, bool]], margin: float
) -> None:
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    one, other = told(first, second, margin), told(second, first, margin)
    assert one["difference"] == pytest.approx(-other["difference"])
    assert one["verdict"] != "inferior" or other["verdict"] == "not inferior"


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60))
def test_zero_is_outside_just_where_the_test_finds_a_difference(gained: int, lost: int, same: int) -> None:
    n = gained + lost + same
    low, high = score_bounds(gained, lost, n, 0.975)
    score_, p = score_test(gained, lost, n)
    if score_ is None or p is None:
        assert gained == lost == 0 and low < 0 < high
    else:
        assert score_ == pytest.approx((gained - lost) / math.sqrt(gained + lost))
        assert (p < 0.05) == (not low <= 0 <= high)


def test_the_gap_of_two_results_and_the_verdict_have_one_interval() -> None:
    base = [True] * 80 + [False] * 20
    mine = [False] * 9 + base[9:-2] + [True] * 2
    both = result("bc", *mine), result("base", *base)
    found, decided = gap(*both), verdicts(*both, 0.02)["ways"]["likelihood"]
    assert [found[name] for name in ("mean", "se", "low", "high")] == [
        decided[name] for name in ("difference", "se", "low", "high")
    ]
    assert found["high"] < 0 and found["p"] == pytest.approx(2 * stats.norm.sf(7 / 11**0.5))


def test_the_same_answers_have_no_test_and_still_an_interval() -> None:
    found = gap(result("bc", *[True] * 96), result("base", *[True] * 96))
    assert (found["mean"], found["t"], found["p"]) == (0, None, None)
    assert found["high"] == -found["low"] == pytest.approx(3.8415 / (96 + 3.8415), abs=1e-5)
