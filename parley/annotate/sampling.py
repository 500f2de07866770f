"""Sampling: which episodes people rate, balanced over policies, seats and tasks, and the same for every policy.

The same tasks, casts and seats are drawn for all players, so that people's ratings of two policies can be compared pair
by pair. Each task comes once before any comes twice, in one seat and then in the other, the first cast before the
second: 28 draws from 14 tasks are each of them once in each seat, as the paper had them rated (appendix C). The order
of the tasks is drawn by a hash, so that another task, player or episode moves none of those that were drawn before it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import NamedTuple

import polars as pl

from parley.canonical import digest, seed_from
from parley.errors import ParleyError
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.item import KEY, Item, item_of
from parley.records.task import Cast, Task


class Place(NamedTuple):
    """Where a policy sits in an evaluation, whoever the policy is: the task, the cast, which play of it, the seat."""

    task: str
    cast: Cast
    replicate: int
    seat: int


@dataclass(frozen=True)
class Drawn:
    """An episode that people are to rate, and the player for whose sake it was drawn."""

    player: str
    seat: int
    episode: Episode


def order(places: Iterable[Place], seed: int) -> list[Place]:
    """The order in which places are drawn: task by task in turn, the seats alternating.

    `places` are in the order in which those of a task are preferred.
    """
    tasks: dict[str, list[Place]] = {}
    for place in places:
        tasks.setdefault(place.task, []).append(place)
    names = sorted(tasks, key=lambda name: seed_from(seed, "task", name))
    lanes = [_alternating(tasks[name], number % 2) for number, name in enumerate(names)]
    return [place for place in chain.from_iterable(zip_longest(*lanes)) if place is not None]


def _alternating(places: Sequence[Place], first: int) -> list[Place]:
    """The places of a task, beginning with seat `first` and changing seats as long as there are both."""
    sides = [[place for place in places if place.seat == seat] for seat in (first, 1 - first)]
    return [place for place in chain.from_iterable(zip_longest(*sides)) if place is not None]


def draw(
    episodes: Iterable[Episode],
    rated: Collection[str],
    tasks: Mapping[str, Task],
    players: Sequence[str],
    partner: str,
    count: int,
    seed: int,
) -> list[Drawn]:
    """At most `count` episodes of each player. `rated` holds the ids of the episodes that the judge could rate.

    Failed episodes, and such as the judge has no rating of, are passed over; what comes next takes their place.
    """
    of: dict[str, dict[Place, Episode]] = {player: {} for player in players}
    for episode in episodes:
        if episode.failed or episode.id not in rated:
            continue
        for seat, player in enumerate(episode.players):
            if player in of and episode.players[1 - seat] == partner:
                of[player].setdefault(Place(episode.task, episode.cast, episode.replicate, seat), episode)
    everywhere = {place for found in of.values() for place in found}
    preferred = sorted(
        everywhere, key=lambda place: (place.replicate, tasks[place.task].casts.index(place.cast), place)
    )
    ordered = order(preferred, seed)
    drawn: list[Drawn] = []
    for player in players:
        taken: dict[str, Drawn] = {}
        for place in ordered:
            episode_there = of[player].get(place)
            if episode_there is not None and episode_there.id not in taken and len(taken) < count:
                taken[episode_there.id] = Drawn(player, place.seat, episode_there)
        drawn += taken.values()
    return drawn


def items(
    drawn: Sequence[Drawn],
    tasks: Mapping[str, Task],
    characters: Mapping[str, Character],
    evaluation: str,
    judge: str,
    seed: int,
) -> tuple[list[Item], pl.DataFrame]:
    """The items of drawn episodes and their key, in an order and under names that tell nothing.

    Raises `ParleyError` if there is nothing to rate.
    """
    if not drawn:
        raise ParleyError("no episode can be rated by people: each one failed, or has no rating by the judge")
    rows = []
    for one in drawn:
        episode = one.episode
        people = (characters[episode.cast[0]], characters[episode.cast[1]])
        item = item_of(digest([seed, episode.id], 12), episode, tasks[episode.task], people)
        key = {
            **{"item": item.id, "episode": episode.id, "task": episode.task, "cast": "+".join(episode.cast)},
            **{"replicate": episode.replicate, "evaluation": evaluation, "players": "+".join(episode.players)},
            **{"player": one.player, "judge": judge},
        }
        rows.append((item, key))
    rows.sort(key=lambda row: row[0].id)
    return [item for item, _ in rows], pl.DataFrame([key for _, key in rows], schema=KEY)
