"""Casting: who may play a task, which of them are drawn, and what is said when there are too few."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.config import TaskSet
from parley.errors import ParleyError
from parley.records.character import Acquaintance, Character
from parley.records.task import Task
from parley.world.casting import candidates, cast, check_casts, draw_casts, fits
from tests.builders import task

JOBS = {"ada": ("Baker", 20), "bea": ("cook", 30), "cid": ("baker", 40), "dov": ("judge", 50), "eli": ("cook", 60)}
PEOPLE = {
    own: Character(
        id=own,
        first_name=own.title(),
        last_name="X",
        age=age,
        gender="-",
        pronouns="-",
        occupation=job,
        public_info="-",
    )
    for own, (job, age) in JOBS.items()
}


def knows(one: str, other: str, how: str = "friend") -> Acquaintance:
    return Acquaintance.model_validate({"characters": (one, other), "relationship": how})


FRIENDS = [knows("ada", "bea"), knows("cid", "dov"), knows("eli", "ada"), knows("bea", "cid"), knows("dov", "eli")]
PAIRS = [*FRIENDS, knows("ada", "cid", "family"), knows("bea", "dov", "stranger")]


def seatings(pairs: list[Acquaintance] = PAIRS, **changes: Any) -> list[list[tuple[str, str]]]:
    return candidates(task(**changes), PEOPLE, pairs)


# -- who may play --------------------------------------------------------------------------------------------------


def test_only_those_who_know_each_other_as_the_task_asks() -> None:
    assert seatings(relationship="family") == [[("ada", "cid"), ("cid", "ada")]]
    assert seatings(relationship="stranger") == [[("bea", "dov"), ("dov", "bea")]]
    assert seatings(relationship="romantic") == []
    assert len(seatings()) == 5


def test_ages_are_asked_of_each_seat() -> None:
    # Ada is 20 and Bea 30: only Bea is old enough for the first seat, and anyone will do for the second.
    assert seatings(FRIENDS[:1], ages=[[25, 70], [18, 70]]) == [[("bea", "ada")]]
    assert seatings(FRIENDS[:1], ages=[[20, 20], [30, 30]]) == [[("ada", "bea")]]
    assert seatings(FRIENDS[:1], ages=[[31, 70], [18, 70]]) == []


def test_occupations_are_asked_of_each_seat_in_any_case() -> None:
    asks = task(occupations=[["BAKER", "smith"], []])
    assert [own for own, one in PEOPLE.items() if fits(asks, 0, one)] == ["ada", "cid"]
    assert all(fits(asks, 1, one) for one in PEOPLE.values())
    # Ada (baker) with Bea (cook), Cid (baker) with Dov (judge), Eli with Ada, Bea with Cid; Dov with Eli: no baker.
    assert seatings(occupations=[[], ["baker"]]) == [
        [("bea", "ada")],
        [("dov", "cid")],
        [("eli", "ada")],
        [("bea", "cid")],
    ]


# -- who is drawn --------------------------------------------------------------------------------------------------


def draw(count: int, one: Task | None = None, seed: int = 1) -> tuple[tuple[str, str], ...]:
    return draw_casts(one or task(), count, PEOPLE, PAIRS, seed)


def test_casts_are_different_pairs_that_fit() -> None:
    drawn = draw(5)
    assert {frozenset(cast) for cast in drawn} == {frozenset(pair.characters) for pair in FRIENDS}


def test_a_draw_is_the_same_again_and_another_for_another_seed_or_task() -> None:
    assert draw(5) == draw(5)
    assert len({draw(5, seed=seed) for seed in range(20)}) > 10
    assert len({draw(5, task(f"sale{number}")) for number in range(20)}) > 10


@given(st.integers(0, 10**6))
def test_a_larger_count_keeps_the_casts_of_a_smaller_one(seed: int) -> None:
    for count in range(1, 5):
        assert draw(count + 1, seed=seed)[:count] == draw(count, seed=seed)


def test_either_of_a_pair_may_sit_first() -> None:
    drawn = {draw_casts(task(), 1, PEOPLE, FRIENDS[:1], seed)[0] for seed in range(30)}
    assert drawn == {("ada", "bea"), ("bea", "ada")}


def test_a_seating_that_does_not_fit_is_never_drawn() -> None:
    asks = task(occupations=[[], ["baker"]])
    drawn = {cast for seed in range(30) for cast in draw(4, asks, seed)}
    assert drawn == {("bea", "ada"), ("dov", "cid"), ("eli", "ada"), ("bea", "cid")}


# -- what is said --------------------------------------------------------------------------------------------------


def test_too_few_is_an_error_with_the_task_and_the_reason() -> None:
    with pytest.raises(ParleyError) as raised:
        draw(3, task("loan", ages=[[18, 70], [50, 60]], occupations=[["cook", "judge"], []]))
    assert str(raised.value) == (
        "task loan: 3 casts wanted, 1 pairs fit (5 are friend; it asks for ages 18-70 and 50-60,"
        " occupation cook or judge in seat 0); add relationships of kind friend, relax the task, or lower `casts`"
    )


@pytest.mark.parametrize(
    ("casts", "said"),
    [
        ([("ada", "zoe")], "no character has the id 'zoe'; correct its casts"),
        ([("ada", "bea"), ("yan", "bea")], "no character has the id 'yan'; correct its casts"),
        ([("ada", "ada")], "'ada' cannot sit in both seats; correct its casts"),
        ([("ada", "bea"), ("bea", "ada"), ("ada", "bea")], "the cast ada+bea is there twice; delete one"),
    ],
)
def test_given_casts_that_cannot_be_played_are_named(casts: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ParleyError) as raised:
        check_casts(task("loan", casts=casts), PEOPLE, "tasks.jsonl")
    assert str(raised.value).startswith(f"tasks.jsonl: task loan: {said}")


def test_given_casts_may_seat_a_pair_both_ways() -> None:
    check_casts(task(casts=[("ada", "bea"), ("bea", "ada")]), PEOPLE, "tasks.jsonl")
    check_casts(task(casts=[]), PEOPLE, "tasks.jsonl")


# -- what a task set asks for ------------------------------------------------------------------------------------------


def cast_of(one: Task, **settings: Any) -> tuple[tuple[str, str], ...]:
    task_set = TaskSet(file="tasks.jsonl", **settings)
    return cast(one, task_set, PEOPLE, FRIENDS, 1, "tasks.jsonl").casts


def test_a_task_that_came_with_casts_keeps_them_or_the_first_so_many() -> None:
    own = task(casts=(("ada", "bea"), ("bea", "ada")), tags=("hard",))
    assert cast_of(own) == own.casts
    assert cast_of(own, casts=1) == own.casts[:1]
    assert cast_of(own, casts=1, casts_by_tag={"hard": 2}) == own.casts
    assert cast_of(own, casts=9) == own.casts  # no others are drawn


def test_a_task_without_casts_gets_as_many_as_are_asked_for_and_one_if_nobody_says() -> None:
    one = task(casts=())
    assert len(cast_of(one)) == 1
    drawn = draw_casts(one, 2, PEOPLE, FRIENDS, 5)
    assert cast_of(one, casts=2, cast_seed=5) == drawn
    assert cast_of(one, casts=2) == draw_casts(one, 2, PEOPLE, FRIENDS, 1)


def test_casts_that_cannot_be_played_name_the_file() -> None:
    with pytest.raises(ParleyError, match=r"^tasks.jsonl: task .*: no character has the id 'zoe'"):
        cast_of(task(casts=(("ada", "zoe"),)))
