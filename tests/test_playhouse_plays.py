"""Whole plays: the statement that makes the demo honest, and tasks of which the small world knows nothing."""

from functools import cache
from random import Random
from statistics import mean
from typing import Any

import pytest

from parley.config import Play
from parley.playhouse.families import WRITTEN
from parley.playhouse.language import hear
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.task import Task
from parley.world.rating import Verdict, fault_in
from tests.builders import ANN, BEN, ROOT, person
from tests.talks import TEMPLATES, People, drafted, goals_of, judged, played, small_task

ALL = Play(max_turns=20)
FAMILIES = (*WRITTEN, "harm")
TALKERS = ("expert", "partner", "wanderer")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_speakers_of_the_small_world_understand_each_other(family: str, template: str) -> None:
    for seed in range(4):
        for first in TALKERS:
            for second in TALKERS:
                talk = played(drafted(family, seed), (first, second), seed, template)
                spoken = [turn for turn in talk.turns if turn.action.action_type == "speak"]
                heard = [(talk.players[turn.seat], act.kind) for turn in spoken for act in hear(turn.action.argument)]
                assert not [who for who, kind in heard if kind == "babble"]
                rude = {who for who, kind in heard if kind in ("insult", "confess", "chat")}
                assert rude <= {"wanderer"}


def test_what_is_played_in_either_template_is_rated_alike() -> None:
    """The long form shows all that the short one shows: it changes the draw of words, not the play."""
    for family in FAMILIES:
        tasks = [drafted(family, seed) for seed in range(12)]
        scores = [
            mean(goals_of(task, played(task, ("expert", "partner"), n, one))[0] for n, task in enumerate(tasks))
            for one in TEMPLATES
        ]
        assert abs(scores[0] - scores[1]) < 1.0, family


def cast(seed: int) -> People:
    """Two of the shipped characters."""
    people = read_characters(ROOT / "resources" / "characters.jsonl")
    first, second = Random(seed).sample(sorted(people), 2)
    return people[first], people[second]


@cache
def score(player: str, opponent: str, family: str, seat: int) -> float:
    """Mean goal completion of `player` in `seat` over thirty tasks and casts."""
    players = (player, opponent) if seat == 0 else (opponent, player)
    marks = []
    for seed in range(30):
        task, people = drafted(family, seed), cast(seed)
        marks.append(goals_of(task, played(task, players, seed, people=people), people)[seat])
    return mean(marks)


def overall(player: str, family: str, seat: int) -> float:
    """The mean over the two who can be talked with: the partner and the expert."""
    return mean(score(player, opponent, family, seat) for opponent in ("partner", "expert"))


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("family", WRITTEN)
def test_against_the_partner_the_expert_does_far_better_than_anyone(family: str, seat: int) -> None:
    expert = score("expert", "partner", family, seat)
    assert expert >= 6
    for other in ("partner", "wanderer"):
        assert expert - score(other, "partner", family, seat) >= 3


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("family", WRITTEN)
def test_over_both_opponents_the_expert_is_best_in_every_family(family: str, seat: int) -> None:
    expert, partner, wanderer = (overall(player, family, seat) for player in TALKERS)
    assert expert - partner >= 1
    assert expert - wanderer >= 2


@pytest.mark.parametrize("seat", [0, 1])
def test_over_all_families_the_expert_is_above_the_partner_and_the_partner_above_the_wanderer(seat: int) -> None:
    """Two partners only wait for each other, so the partner's own worth shows with an expert on the other side."""
    expert, partner, wanderer = (mean(overall(player, family, seat) for family in WRITTEN) for player in TALKERS)
    assert expert - partner >= 1.5
    assert partner - wanderer >= 0.75


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_wanderer_does_not_already_play_well_where_the_demo_measures(family: str, seat: int) -> None:
    assert score("wanderer", "partner", family, seat) < 4.5


def test_the_wanderer_leaves_much_to_learn() -> None:
    assert mean(score("wanderer", "partner", family, seat) for family in WRITTEN for seat in (0, 1)) < 3.5


def test_the_expert_prevents_harm_and_lets_itself_be_dissuaded() -> None:
    assert score("expert", "partner", "harm", 1) == 10
    assert score("expert", "expert", "harm", 0) == 1
    assert score("wanderer", "partner", "harm", 1) < 4.5


def test_two_experts_give_behaviour_cloning_something_to_copy() -> None:
    """Most of their plays score at least 7 in one seat or both, but not all: the filter has work to do."""
    marks = []
    for family in WRITTEN:
        for seed in range(20):
            task, people = drafted(family, seed), cast(seed)
            marks.append(max(goals_of(task, played(task, ("expert", "expert"), seed, people=people), people)))
    assert 0.6 < mean(mark >= 7 for mark in marks) <= 1


# -- outside the small world -----------------------------------------------------------------------------------------

OUTSIDE = [
    small_task(
        "You are colleagues at a small bakery, and it's almost closing time (9 pm).",
        "Convince Ben that the new oven, at $4,500.75, is worth it. Don't mention the loan!",
        "Find out whether the shop is in trouble; you'd rather keep your job.",
    ),
    small_task(
        "Two friends are camping. At midnight they hear a growl. One has the only torch.",
        {"text": "You want to go and look.", "extra_info": "You are afraid.", "strategy_hint": "Be firm."},
        {
            "text": "You want to stay in the tent. You could live with locking the car.",
            "clarification_hint": "Stay alive.",
        },
    ),
    small_task(
        'Conversation between strangers on a night train: {one} snores, [the other] reads "War: and Peace".',
        "Goal: sleep. <extra_info>Turn 1 of 2</extra_info>",
        "You want to find out",
    ),
    small_task(
        "A doctor's waiting room…", "Be seen first.\nAnn: Agreed, $40.\nBen did nothing", "Do not talk about it."
    ),
    small_task("Deux voisins se disputent à propos d'un arbre.", "Garder l'arbre.", "Couper l'arbre avant l'été 2025."),
    small_task(
        "An heirloom is left to two siblings. " * 20,
        "You want an apology for everything and a promise to change. Or at least $1.5 million.",
        "You want to stop the sale. You want nobody to know that you sold the ring.",
    ),
]
ODD_PEOPLE: People = (person("Jean-Luc O'Hara", secret="Sold the ring. Twice."), person("Zoë Ångström", secret=""))


def rated(task: Task, talk: Episode, people: People) -> list[dict[str, Any]]:
    """The judge's entries, which have to be a verdict without fault."""
    entries = judged(task, talk, people)
    verdict = Verdict.model_validate({"ratings": entries})
    assert fault_in(verdict, talk.names) is None
    return entries


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("number", range(len(OUTSIDE)))
def test_a_task_outside_the_small_world_is_played_to_an_end_and_rated(number: int, template: str) -> None:
    task = OUTSIDE[number]
    for people in ((ANN, BEN), ODD_PEOPLE):
        for first in TALKERS:
            for second in TALKERS:
                talk = played(task, (first, second), number, template, people, ALL)
                assert talk.ending in ("left", "turns", "silence")
                entries = rated(task, talk, people)
                spoke = {turn.seat for turn in talk.turns if turn.action.action_type == "speak"}
                for seat in spoke:
                    assert "says nothing" not in entries[seat]["believability"]["reasoning"]


def test_an_expert_comes_to_an_understanding_even_outside_the_small_world() -> None:
    task = OUTSIDE[0]
    talk = played(task, ("expert", "partner"), rules=ALL)
    assert talk.ending == "left"
    assert goals_of(task, talk)[0] >= 4
