"""Keywords: which ones a task set gets, in which order, and that no two sets share one."""

import random
from collections import Counter
from typing import Any

import pytest

from parley.records.task import Keyword
from parley.world.keywords import share_of
from tests.builders import experiment, keyword

SOURCES = ("norms", "situations", "morals")
ALL = [keyword(number, source) for source in SOURCES for number in range(12)]


def share(task_set: str = "round1", keywords: list[Keyword] = ALL, **changes: Any) -> list[str]:
    settings = {path.replace("__", "."): value for path, value in changes.items()}
    return [one.name for one in share_of(experiment(settings), task_set, keywords)]


def sources(names: list[str]) -> Counter[str]:
    return Counter(name.rstrip("0123456789") for name in names)


@pytest.mark.parametrize("task_set", ["round1", "round2"])
def test_sources_take_turns_so_that_any_number_of_tasks_has_equal_thirds(task_set: str) -> None:
    names = share(task_set)
    for count in (3, 6, 9):
        assert sources(names[:count]) == dict.fromkeys(SOURCES, count // 3)


def test_each_keyword_serves_one_set_only_and_each_set_halves_what_is_left() -> None:
    one, two = share("round1"), share("round2")
    assert (len(one), len(two)) == (18, 9)
    assert not set(one) & set(two)


def test_a_third_set_takes_from_what_is_left_and_changes_nothing_for_the_others() -> None:
    third: dict[str, Any] = {"task_sets__round3": {"count": 1, "writer": "writer"}}
    third["evaluations__late"] = {"tasks": "round3", "partner": "partner", "judge": "judge"}
    parts = [share(name, **third) for name in ("round1", "round2", "round3")]
    assert parts[:2] == [share("round1"), share("round2")]
    assert sources(parts[2]) == dict.fromkeys(SOURCES, 2)
    assert len({name for part in parts for name in part}) == 18 + 9 + 6


def test_sets_of_a_file_take_no_keywords() -> None:
    more: dict[str, Any] = {"task_sets__extra": {"file": "x.jsonl"}}
    more["evaluations__extra"] = {"tasks": "extra", "partner": "partner", "judge": "judge"}
    assert share(**more) == share()


def test_a_larger_count_goes_on_in_the_same_order_and_changes_no_other_set() -> None:
    for task_set in ("round1", "round2"):
        assert share(task_set, task_sets__round1__count=9) == share(task_set)


def test_the_order_is_a_shuffle_of_the_seed_and_not_of_the_file() -> None:
    mixed = list(ALL)
    random.Random(5).shuffle(mixed)
    assert share(keywords=mixed) == share()
    assert share(seed=2) != share()
    assert share()[::3] != sorted(share()[::3])


def test_a_source_that_runs_out_leaves_its_turns_to_the_others() -> None:
    few = [one for one in ALL if one.source != "morals" or one.name in ("morals0", "morals1")]
    one, two = share(keywords=few), share("round2", few)
    assert sources(one) == {"norms": 6, "situations": 6, "morals": 1}
    assert sources(two) == {"norms": 3, "situations": 3, "morals": 1}
    assert sources(one[:3]) == dict.fromkeys(SOURCES, 1)


def test_no_keywords_are_no_share() -> None:
    assert share(keywords=[]) == []
