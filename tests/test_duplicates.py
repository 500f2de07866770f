"""Duplicates: which tasks repeat others, and that the answer does not depend on who came first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.records.task import Goal, Task
from parley.world.duplicates import Duplicates, fingerprint, similarity
from tests.builders import task


def said(scenario: str, name: str = "one") -> Task:
    """A task whose text is the scenario and two goals that are always the same."""
    return task(name, scenario=scenario, goals=(Goal(text="Win."), Goal(text="Draw.")))


# -- fingerprints --------------------------------------------------------------------------------------------------


def test_a_fingerprint_is_the_five_letter_pieces_of_the_text() -> None:
    one = Task(name="a", scenario="aaaaaaaaaa", goals=(Goal(text="bbb"), Goal(text="ccc")), relationship="friend")  # type: ignore[arg-type]
    assert fingerprint(one) == {
        *("aaaaa", "aaaa ", "aaa b", "aa bb", "a bbb"),
        *(" bbb ", "bbb c", "bb cc", "b ccc"),
    }


def test_similarity_is_the_shared_part_of_both() -> None:
    one, other = frozenset("abcd"), frozenset("cdef")
    assert similarity(one, other) == 2 / 6
    assert similarity(one, one) == 1.0
    assert similarity(one, frozenset("xyz")) == 0.0


texts = st.text(alphabet="ab c", min_size=10, max_size=30)


@given(texts, texts)
def test_similarity_has_no_order_and_stays_between_0_and_1(one: str, other: str) -> None:
    there = similarity(fingerprint(said(one)), fingerprint(said(other)))
    assert there == similarity(fingerprint(said(other)), fingerprint(said(one)))
    assert 0 <= there <= 1


@given(texts, texts, st.sampled_from([0.3, 0.5, 0.85, 1.0]))
def test_a_duplicate_of_the_other_way_round_is_a_duplicate(one: str, other: str, threshold: float) -> None:
    first, second = said(one, "one"), said(other, "two")
    there, back = Duplicates([first], threshold).of(second), Duplicates([second], threshold).of(first)
    assert (there is None) == (back is None)
    # And the cheap bound never hides one.
    assert (there is not None) == (similarity(fingerprint(first), fingerprint(second)) >= threshold)


# -- what is a duplicate -------------------------------------------------------------------------------------------

LAMP = "A lamp with a green shade is for sale at the market, and the two of them look at it."


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (LAMP, "same as lamp"),
        (f"  {LAMP.upper()} \n", "same as lamp"),
        (LAMP.replace("green", "grey"), "0.88 like lamp"),
        (LAMP.replace("green", "blue").replace("market", "station"), None),
        ("Two people wait for a bus that does not come, in the rain, and one has an umbrella.", None),
    ],
)
def test_a_task_that_says_nearly_the_same_is_a_duplicate(scenario: str, reason: str | None) -> None:
    assert Duplicates([said(LAMP, "lamp")], 0.85).of(said(scenario, "new")) == reason


def test_the_goals_count_and_the_name_and_relationship_do_not() -> None:
    known = Duplicates([task("lamp", scenario=LAMP)])
    assert known.of(task("other", scenario=LAMP, relationship="stranger", ages=[[20, 30], [20, 30]])) == "same as lamp"
    goals = (Goal(text="Give the lamp to the one who asked for it first."), Goal(text="Have it mended for nothing."))
    assert known.of(task("new", scenario=LAMP, goals=goals)) is None


def test_a_new_task_is_remembered_and_a_duplicate_is_not() -> None:
    found = Duplicates()
    assert found.of(said(LAMP, "first")) is None
    assert found.of(said(LAMP, "second")) == "same as first"
    assert found.of(said(LAMP, "third")) == "same as first"


def test_a_threshold_of_one_finds_only_the_same() -> None:
    found = Duplicates([said(LAMP, "lamp")], threshold=1.0)
    assert found.of(said(LAMP.replace("green", "grey"), "new")) is None
    assert found.of(said(LAMP, "new")) == "same as lamp"
