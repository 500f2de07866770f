"""Sampling: the same places for every policy, balanced over tasks and seats, failures never, and nothing that tells."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.annotate.sampling import Drawn, Place, draw, items, order
from parley.errors import ParleyError
from parley.records.episode import Episode
from parley.records.jsonl import jsonl
from tests.builders import ANN, BEN, LEAVES, PEOPLE, SILENT, WORDS, episode, task, turns

CASTS = (("ann", "ben"), ("ben", "ann"))
PLAYERS = ("base", "bc")


def tasks(count: int, casts: int = 2) -> dict[str, object]:
    return {name: task(name, casts=CASTS[:casts]) for name in (f"t{number:02d}" for number in range(count))}


def episodes(count: int, players: tuple[str, ...] = PLAYERS, casts: int = 2) -> list[Episode]:
    """Every player in both seats with the partner on every task and cast."""
    names = {"ann": ANN.name, "ben": BEN.name}
    return [
        episode(WORDS, task=name, cast=cast, players=seats, names=(names[cast[0]], names[cast[1]]))
        for name in tasks(count)
        for cast in CASTS[:casts]
        for player in players
        for seats in ((player, "partner"), ("partner", player))
    ]


def drawn(
    found: list[Episode], count: int, number: int = 5, seed: int = 1, without: set[str] | None = None
) -> list[Drawn]:
    rated = {one.id for one in found} - (without or set())
    return draw(found, rated, tasks(number), PLAYERS, "partner", count, seed)  # type: ignore[arg-type]


def where(one: Drawn) -> tuple[str, tuple[str, str], int]:
    return one.episode.task, one.episode.cast, one.seat


@given(number=st.integers(1, 9), count=st.integers(1, 40), seed=st.integers(0, 99))
def test_policies_share_their_places_and_tasks_and_seats_are_even(number: int, count: int, seed: int) -> None:
    found = drawn(episodes(number), count, number, seed)
    of = {player: [where(one) for one in found if one.player == player] for player in PLAYERS}
    assert of["base"] == of["bc"] and len(of["base"]) == min(count, number * 4)
    per_task = Counter(name for name, _, _ in of["base"])
    assert max(per_task.values()) - min(per_task.get(name, 0) for name in tasks(number)) <= 1
    seats = Counter(seat for _, _, seat in of["base"])
    assert abs(seats[0] - seats[1]) <= 1
    assert all(one.episode.players[one.seat] == one.player for one in found)


def test_two_draws_a_task_are_its_first_cast_in_both_seats() -> None:
    found = [where(one) for one in drawn(episodes(14), 28, 14) if one.player == "bc"]
    assert sorted(found) == sorted((name, CASTS[0], seat) for name in tasks(14) for seat in (0, 1))


def test_another_task_moves_none_that_was_drawn_before_it() -> None:
    before = order([Place(name, CASTS[0], 0, seat) for name in tasks(6) for seat in (0, 1)], 3)
    after = order([Place(name, CASTS[0], 0, seat) for name in tasks(9) for seat in (0, 1)], 3)
    known = [place.task for place in after[:9] if place.task in tasks(6)]
    assert known == [place.task for place in before[:6]]


def test_failed_and_unrated_episodes_are_passed_over_and_the_others_stay() -> None:
    found = episodes(5)
    whole = drawn(found, 10)
    first, second = (one for one in whole[:2])
    assert first.player == second.player == "base"
    broken = [
        one.model_copy(update={"ending": "failed", "failure": "it did"}) if one.id == first.episode.id else one
        for one in found
    ]
    less = drawn(broken, 10, without={second.episode.id})
    taken = {one.episode.id for one in less}
    assert not taken & {first.episode.id, second.episode.id}
    assert {one.episode.id for one in whole[2:]} <= taken and len(less) == len(whole) == 20


def test_a_player_with_too_few_episodes_gives_all_of_them() -> None:
    found = [one for one in episodes(2) if "base" not in one.players or one.task == "t00"]
    assert Counter(one.player for one in drawn(found, 8, 2)) == {"base": 4, "bc": 8}


def test_who_talks_with_itself_gives_each_episode_once() -> None:
    found = [episode(WORDS, task="t00", cast=cast, players=("partner", "partner")) for cast in CASTS]
    taken = draw(found, {one.id for one in found}, tasks(1), ["partner"], "partner", 9, 1)  # type: ignore[arg-type]
    assert sorted(one.episode.cast for one in taken) == sorted(CASTS)


# -- what raters see ---------------------------------------------------------------------------------------------------


def sampled(found: list[Episode], count: int = 6, seed: int = 1):  # type: ignore[no-untyped-def]
    return items(drawn(found, count, seed=seed), tasks(5), PEOPLE, "hard", "judge", seed)  # type: ignore[arg-type]


def test_an_item_shows_both_sides_and_nothing_of_the_players() -> None:
    found, key = sampled(episodes(5))
    text = jsonl(found)
    assert not re.search(r"base|partner|\bbc\b|judge|player|episode|policy", text)
    one = found[0]
    assert {one.people[0].goal, one.people[1].goal} == {
        "Sell it for $20. It flickers. Start high.",
        "Buy it for $10. Below $12 counts.",
    }
    assert {person.secret for person in one.people} == {"ann-secret", "ben-secret"}
    assert key.columns == ["item", "episode", "task", "cast", "replicate", "evaluation", "players", "player", "judge"]
    assert set(key["item"]) == {item.id for item in found} and key.height == 12


def test_the_order_and_names_of_items_tell_nothing() -> None:
    found, key = sampled(episodes(5))
    assert [item.id for item in found] == sorted(item.id for item in found) == key["item"].to_list()
    players = key["player"].to_list()
    assert players not in (sorted(players), sorted(players, reverse=True))
    again, _ = sampled(episodes(5))
    other, _ = sampled(episodes(5), seed=2)
    assert again == found and not {item.id for item in other} & {item.id for item in found}


def test_silent_turns_are_left_out_and_numbers_stay() -> None:
    talk = turns(WORDS, SILENT, ("action", "nods"), LEAVES)
    found = [one.model_copy(update={"turns": talk}) for one in episodes(5)]
    one = sampled(found)[0][0]
    assert [(said.number, said.action_type) for said in one.talk] == [(1, "speak"), (3, "action"), (4, "leave")]
    assert one.words == 2


def test_nothing_to_rate_is_told() -> None:
    with pytest.raises(ParleyError, match="no episode can be rated by people"):
        items([], {}, {}, "hard", "judge", 1)


def test_items_are_read_as_they_are_written(tmp_path: Path) -> None:
    from parley.records.item import Item

    found, _ = sampled(episodes(5))
    assert [Item.model_validate(json.loads(line)) for line in jsonl(found).splitlines()] == found
