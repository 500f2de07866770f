"""Who rates what: two raters an item, none twice, balanced over groups, a third where there is doubt."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.annotate.assignment import Standing, choose, open_places, wanted
from parley.annotate.flags import ALIKE, APART, NO_REASON, TOO_FAST, flagged, least_seconds
from tests.annotating import annotation, marks


def standings(groups: int, each: int) -> list[Standing]:
    return [Standing(f"i{group}-{number}", f"g{group}") for group in range(groups) for number in range(each)]


@pytest.mark.parametrize(
    ("standing", "more"),
    [
        (Standing("i", "g"), 2),
        (Standing("i", "g", busy=1), 1),
        (Standing("i", "g", done=1, busy=1), 0),
        (Standing("i", "g", done=2), 0),
        (Standing("i", "g", done=2, doubtful=True), 1),
        (Standing("i", "g", done=2, busy=1, doubtful=True), 0),
        (Standing("i", "g", done=3, doubtful=True), 0),  # a third opinion is the last
        (Standing("i", "g", done=1, doubtful=True), 1),  # a doubt waits until the second is in
    ],
)
def test_how_many_an_item_wants(standing: Standing, more: int) -> None:
    assert wanted(standing, 2) == more


def test_a_doubtful_item_goes_first_but_never_to_who_has_rated_it() -> None:
    known = [*standings(2, 3), Standing("odd", "g0", done=2, doubtful=True)]
    assert choose(known, {}, "r1", 2) == "odd"
    assert choose(known, {"odd": "g0"}, "r1", 2) != "odd"


def test_two_raters_take_different_ways_and_one_always_the_same() -> None:
    known = standings(1, 20)
    first = [choose(known, {}, f"r{number}", 2) for number in range(12)]
    assert len(set(first)) > 4
    assert first == [choose(known, {}, f"r{number}", 2) for number in range(12)]


@given(
    groups=st.integers(1, 5),
    each=st.integers(1, 6),
    raters=st.integers(1, 3),
    share=st.integers(1, 9),
    coming=st.lists(st.integers(0, 7), max_size=150),
)
def test_any_order_of_raters_gives_a_balanced_study(
    groups: int, each: int, raters: int, share: int, coming: list[int]
) -> None:
    done: Counter[str] = Counter()
    seen: dict[int, dict[str, str]] = {}
    for who in coming:
        mine = seen.setdefault(who, {})
        now = [Standing(one.item, one.stratum, done[one.item]) for one in standings(groups, each)]
        item = choose(now, mine, f"r{who}", raters)
        if item is None or len(mine) >= share:
            # None only if everything that is left was this rater's before.
            assert item is not None or all(one.item in mine for one in now if wanted(one, raters))
            continue
        assert item not in mine
        mine[item] = "g" + item[1 : item.index("-")]
        done[item] += 1
        in_groups = Counter(mine.values())
        if len(mine) <= groups and all(wanted(one, raters) for one in now):
            assert max(in_groups.values()) == 1  # each group once before any comes twice
    assert max(done.values(), default=0) <= raters
    left = [Standing(one.item, one.stratum, done[one.item]) for one in standings(groups, each)]
    assert open_places(left, raters) == groups * each * raters - sum(done.values())


# -- flags -------------------------------------------------------------------------------------------------------------

WORDS = {"i00": 40, "i01": 40, "i02": 40}


def flags(*given: object) -> list[tuple[str, ...]]:
    return [one.flags for one in flagged(list(given), WORDS)]  # type: ignore[arg-type]


def test_an_ordinary_annotation_has_no_flag() -> None:
    assert flags(annotation()) == [()]


def test_a_missing_reason_and_haste_are_flagged() -> None:
    silent = marks() | {"goal": marks()["goal"].model_copy(update={"reasoning": "  "})}
    assert flags(annotation(marks=(marks(), silent))) == [(NO_REASON,)]
    limit = least_seconds(40)
    assert flags(annotation(seconds=limit - 0.1)) == [(TOO_FAST,)]
    assert flags(annotation(seconds=limit)) == [()]
    assert flags(annotation(seconds=None)) == [()]  # not known: no reproach


@pytest.mark.parametrize(("other", "apart"), [(1, False), (0, True), (6, False)])
def test_raters_more_than_five_points_apart_on_goal_are_both_flagged(other: int, apart: bool) -> None:
    found = flags(annotation("r1", marks=(marks(6), marks(4))), annotation("r2", marks=(marks(other), marks(4))))
    assert found == ([(APART,)] * 2 if apart else [()] * 2)


def test_five_points_are_an_opinion_and_other_items_do_not_matter() -> None:
    assert flags(
        annotation("r1", "i00", marks=(marks(10), marks(4))), annotation("r2", "i01", marks=(marks(0), marks(4)))
    ) == [(), ()]


def test_both_seats_alike_throughout_is_a_habit_from_the_third_item_on() -> None:
    same = {"marks": (marks(5), marks(5))}
    assert flags(*(annotation("r1", f"i0{n}", **same) for n in range(2))) == [()] * 2
    assert flags(*(annotation("r1", f"i0{n}", **same) for n in range(3))) == [(ALIKE,)] * 3
    mixed = [annotation("r1", "i00", **same), annotation("r1", "i01", **same), annotation("r1", "i02")]
    assert flags(*mixed) == [()] * 3
