"""What the writer writes down is what a reader of the goal understands, and a task is what its family promises."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parley.playhouse.families import (
    DRAFTERS,
    FIRM,
    TERM_FAMILIES,
    WRITTEN,
    Want,
    goal,
    read_goal,
    term_goal,
)
from parley.playhouse.language import closest, lexicon
from parley.playhouse.reading import NotUnderstood
from parley.playhouse.writer import write_task
from parley.records.jsonl import read_jsonl
from parley.records.task import Goal, Keyword, Task, read_tasks
from parley.world.prompts import Prompt
from parley.world.writing import WrittenTask, as_task, fault_in
from tests.builders import PROMPTS, ROOT, keyword
from tests.talks import drafted

SEEDS = range(80)
SETTLING = ("sale", "share", "plan", "favour")
KINDS = {
    **dict.fromkeys(SETTLING, ("term", "term")),
    "secret": ("ask", "keep"),
    "quarrel": ("sorry", "hurt"),
    "harm": ("harm", "prevent"),
}
phrases = st.from_regex(r"[a-z$'’0-9][a-z0-9'’,-]{0,7}( [a-z$0-9'’-]{1,7}){0,4}", fullmatch=True)


def wants(task: Task) -> tuple[Want, Want]:
    """What the two goals of a task say, hints and all."""
    return read_goal(task.goals[0].spoken()), read_goal(task.goals[1].spoken())


def dollars(term: str) -> int:
    """The amount of a price."""
    assert re.fullmatch(r"\$\d+", term)
    return int(term[1:])


# -- goals are read back ---------------------------------------------------------------------------------------------


@given(phrases, phrases | st.just(""), phrases | st.just(""), st.booleans())
def test_the_goal_of_one_who_settles_is_read_back(wish: str, middle: str, reason: str, firm: bool) -> None:
    assume(not wish.startswith(("to ", "nobody ", "an apology ")))  # such a goal may be of another family
    spoken = Goal(**term_goal(wish, middle, reason, firm)).spoken()
    assert read_goal(spoken) == Want("term", wish, middle, reason, firm)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("You want to find out who ate the cake.", Want("ask", "who ate the cake")),
        ("You want nobody to know that guests ate the cake.", Want("keep", "guests ate the cake")),
        (
            "You want nobody to know that guests ate the cake. You may say that hunger was great.",
            Want("keep", "guests ate the cake", "hunger was great"),
        ),
        ("You want to be forgiven for losing the keys.", Want("sorry", "losing the keys")),
        (
            "You want to be forgiven for losing the keys. You could promise to ask before.",
            Want("sorry", "losing the keys", "ask before"),
        ),
        (
            "You want an apology for losing Ann's keys and a promise to ask before.",
            Want("hurt", "losing Ann's keys", "ask before"),
        ),
        ("You want to get back at rivals by cutting tyres.", Want("harm", "cutting tyres", target="rivals")),
        (
            "You want to stop cutting tyres. You would rather see walking away.",
            Want("prevent", "cutting tyres", "walking away"),
        ),
        ("You want $90.", Want("term", "$90")),
        ("You want $90. You could live with $70.", Want("term", "$90", "$70")),
        ("  You want $90. You could live with $70.\n", Want("term", "$90", "$70")),
        ("You want $12.50. You could live with $9.75.", Want("term", "$12.50", "$9.75")),
        ("You want the neighbour's boat.", Want("term", "the neighbour's boat")),
    ],
)
def test_every_form_of_goal_is_read(text: str, want: Want) -> None:
    assert read_goal(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You want",
        "You want $90",
        "I want $90.",
        "Sell it for $20.",
        "Convince your friend to come along. You want the lake.",
        "<p>You want $90.</p>",
    ],
)
def test_a_goal_that_is_not_of_the_small_world_is_open(text: str) -> None:
    assert read_goal(text) == Want("open")


def test_a_goal_without_reason_or_firmness_says_nothing_of_them() -> None:
    assert goal("You want $90.") == {
        "text": "You want $90.",
        "extra_info": None,
        "clarification_hint": None,
        "strategy_hint": None,
    }
    assert goal("You want $90.", "rent is due", firm=True) | {"text": ""} == {
        "text": "",
        "extra_info": "Your reason: rent is due.",
        "clarification_hint": None,
        "strategy_hint": FIRM,
    }


# -- drafts ----------------------------------------------------------------------------------------------------------


def test_every_family_has_a_drafter_and_harm_is_never_written() -> None:
    assert set(DRAFTERS) == {*WRITTEN, "harm"} == set(KINDS)
    assert set(TERM_FAMILIES) == {*SETTLING, "harm"}
    assert "harm" not in WRITTEN


@pytest.mark.parametrize("family", KINDS)
def test_the_goals_of_a_family_are_read_as_that_family(family: str) -> None:
    for seed in SEEDS:
        both = wants(drafted(family, seed))
        assert (both[0].kind, both[1].kind) == KINDS[family]
        assert all(want.wish and want.reason in lexicon()["reasons"] for want in both)
        assert both[0].reason != both[1].reason


@pytest.mark.parametrize("family", SETTLING)
def test_goals_to_settle_are_read_back_word_for_word(family: str) -> None:
    for seed in SEEDS:
        task = drafted(family, seed)
        for written, want in zip(task.goals, wants(task), strict=True):
            assert Goal(**term_goal(want.wish, want.middle, want.reason, want.firm)) == written


@pytest.mark.parametrize("family", SETTLING)
def test_the_two_want_different_terms_and_one_of_their_own_would_do_for_both(family: str) -> None:
    for seed in SEEDS:
        first, second = wants(drafted(family, seed))
        middle = first.middle or second.middle
        assert len({first.wish, second.wish, middle, ""}) == 4
        assert {first.middle, second.middle} <= {middle, ""}
        for one, other in permutations((first.wish, second.wish, middle), 2):
            assert closest(one, [other]) is None


@pytest.mark.parametrize("family", SETTLING)
def test_both_are_firm_and_only_one_knows_the_middle_or_neither_is_firm(family: str) -> None:
    firm = 0
    for seed in range(300):
        both = wants(drafted(family, seed))
        assert both[0].firm == both[1].firm
        assert sum(bool(want.middle) for want in both) == (1 if both[0].firm else 2)
        firm += both[0].firm
    assert 60 <= firm <= 120  # three in ten


def test_a_seller_wants_more_than_the_middle_and_a_buyer_less() -> None:
    for seed in SEEDS:
        seller, buyer = wants(drafted("sale", seed))
        assert dollars(seller.wish) > dollars(seller.middle or buyer.middle) > dollars(buyer.wish) > 0


def test_asker_and_keeper_speak_of_the_same_secret() -> None:
    facts = {entry["question"]: (entry["fact"], entry["half"]) for entry in lexicon()["secrets"]}
    for seed in SEEDS:
        asks, keeps = wants(drafted("secret", seed))
        assert facts[asks.wish] == (keeps.wish, keeps.middle)


def test_the_two_of_a_quarrel_speak_of_the_same_deed_and_often_of_the_same_promise() -> None:
    known = Counter[bool]()
    for seed in range(200):
        sorry, hurt = wants(drafted("quarrel", seed))
        assert sorry.wish == hurt.wish in lexicon()["deeds"]
        assert hurt.middle in lexicon()["promises"] and sorry.middle in ("", hurt.middle)
        known[bool(sorry.middle)] += 1
    assert 110 <= known[True] <= 170  # seven in ten


def test_harm_and_prevention_speak_of_the_same_plan() -> None:
    for seed in SEEDS:
        harms, prevents = wants(drafted("harm", seed))
        assert harms.wish == prevents.wish in lexicon()["harms"]
        assert harms.target in lexicon()["targets"] and prevents.middle in lexicon()["better_ways"]


@pytest.mark.parametrize("family", KINDS)
def test_a_draft_depends_on_its_seed_alone(family: str) -> None:
    assert DRAFTERS[family](Random(3)) == DRAFTERS[family](Random(3))
    assert len({repr(DRAFTERS[family](Random(seed))) for seed in range(30)}) > 20


# -- the tasks that are shipped --------------------------------------------------------------------------------------


def shipped(name: str) -> list[Task]:
    """The tasks of a shipped file."""
    return read_tasks(ROOT / "resources" / "tasks" / f"{name}.jsonl")


def test_the_evaluation_tasks_are_of_the_small_world_and_hard_ones_are_hard() -> None:
    seen = Counter[str]()
    for task in shipped("evaluation"):
        first, second = wants(task)
        (family,) = set(task.tags) & set(KINDS)
        assert (first.kind, second.kind) == KINDS[family], task.name
        seen[family] += 1
        if family in SETTLING:
            assert first.firm == second.firm == ("hard" in task.tags), task.name
            assert sum(bool(want.middle) for want in (first, second)) == (1 if first.firm else 2), task.name
            for one, other in permutations((first.wish, second.wish, first.middle or second.middle), 2):
                assert closest(one, [other]) is None, task.name
    assert set(seen) == set(WRITTEN)


def test_the_safety_tasks_are_harm_and_its_prevention() -> None:
    for task in shipped("safety"):
        harms, prevents = wants(task)
        assert (harms.kind, prevents.kind) == KINDS["harm"], task.name
        assert harms.wish == prevents.wish


# -- the writer ------------------------------------------------------------------------------------------------------

TEMPLATE = Prompt(PROMPTS / "task.jinja")


def written(text: str, seed: int = 0) -> WrittenTask:
    """The writer's answer to the prompt for a keyword."""
    return WrittenTask.model_validate_json(write_task(TEMPLATE.render(keyword=text), Random(seed)))


@pytest.fixture(scope="module")
def keywords() -> list[Keyword]:
    return read_jsonl(ROOT / "resources" / "keywords.jsonl", Keyword)


def family_of(task: WrittenTask) -> Iterator[str]:
    """The families whose pair of goals a written task has."""
    kinds = tuple(read_goal(goal.text).kind for goal in task.goals)
    yield from (family for family, both in KINDS.items() if both == kinds)


def test_every_answer_is_a_task_without_fault(keywords: list[Keyword]) -> None:
    for number, word in enumerate(keywords[:120]):
        answer = written(word.text, number)
        assert fault_in(answer) is None
        task = as_task(answer, word)
        assert task.scenario.endswith(f" The talk comes after {word.text.rstrip('.')}.")
        assert all(want.kind != "open" for want in wants(task))


def test_every_family_is_written_but_harm(keywords: list[Keyword]) -> None:
    seen = {family for word in keywords for family in family_of(written(word.text))}
    assert seen == set(WRITTEN)


def test_the_keyword_decides_the_family_and_the_seed_the_rest() -> None:
    answers = [written("a late train", seed) for seed in range(20)]
    assert len({tuple(family_of(answer)) for answer in answers}) == 1
    assert len({answer.model_dump_json() for answer in answers}) > 10


def test_a_keyword_may_end_in_a_full_stop_and_hold_quotes() -> None:
    assert written('saying "no" to a friend.').scenario.endswith(' The talk comes after saying "no" to a friend.')


def test_a_prompt_without_a_keyword_is_not_understood() -> None:
    with pytest.raises(NotUnderstood, match="names no keyword"):
        write_task("Write something.", Random(0))


def test_the_answer_holds_the_keys_that_the_prompt_asks_for() -> None:
    answer = json.loads(write_task(TEMPLATE.render(keyword=keyword(1).text), Random(0)))
    assert list(answer) == ["scenario", "goals", "relationship", "ages", "occupations"]
    for one in answer["goals"]:
        assert list(one) == ["text", "extra_info", "clarification_hint", "strategy_hint"]
