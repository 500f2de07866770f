"""Rating: who gets which marks, what is asked for again, and that a failure is a failure and never a number."""

import asyncio
import json
from typing import Any

import polars as pl
import pytest

from parley.llm.call import CallFailed
from parley.records.episode import Episode
from parley.records.rating import KEYS, Rating, ratings_frame
from parley.world.prompts import Prompt
from parley.world.rating import rate_episode, rating_text
from tests.builders import (
    ANN,
    BEN,
    LEAVES,
    PEOPLE,
    PROMPTS,
    RETRY,
    SILENT,
    WORDS,
    Act,
    Script,
    episode,
    marks,
    task,
    verdict,
)

TEMPLATE = Prompt(PROMPTS / "rating.jinja")
GOOD = verdict(marks("Ann Ash", goal=8), marks("Ben Birch", goal=3))


def rate(judge: Script, played: Episode | None = None) -> list[Rating]:
    """The ratings of an episode of `task()` by a judge called `judge`."""
    one = played or episode(WORDS, WORDS)
    speaker: Any = judge
    return asyncio.run(rate_episode(one, task(), PEOPLE, ("judge", speaker), TEMPLATE, RETRY, seed=1))


# -- who gets which marks ------------------------------------------------------------------------------------------


def test_a_verdict_gives_one_rating_a_seat() -> None:
    played = episode(WORDS, WORDS, replicate=2)
    judge = Script(GOOD)
    first, second = rate(judge, played)
    assert (first.seat, first.name, first.player, first.partner) == (0, "Ann Ash", "bc", "partner")
    assert (second.seat, second.name, second.player, second.partner) == (1, "Ben Birch", "partner", "bc")
    for rating in (first, second):
        assert (rating.episode, rating.task, rating.cast) == (played.id, "sale", ("ann", "ben"))
        assert (rating.judge, rating.replicate, rating.failure) == ("judge", 2, None)
        assert rating.marks is not None and set(rating.marks) == set(KEYS)
    assert len(judge.sent) == 1 and first.call == second.call  # one call for both


def test_marks_go_to_whom_they_name_and_not_by_their_place() -> None:
    swapped = verdict(marks("Ben Birch", goal=3), marks("Ann Ash", goal=8))
    spelled = verdict(marks(" ben birch ", goal=3), marks("ANN ASH", goal=8))
    for text in (GOOD, swapped, spelled):
        first, second = rate(Script(text))
        assert first.marks is not None and second.marks is not None
        assert (first.marks["goal"].score, second.marks["goal"].score) == (8, 3)
        assert first.marks["goal"].reasoning.casefold().strip() == "goal of ann ash"


def test_overall_is_the_plain_mean_of_the_raw_scores() -> None:
    scores = dict(zip(KEYS, [10, -5, 7, -10, -3, 5, 10], strict=True))
    first, _ = rate(Script(verdict(marks("Ann Ash", **scores), marks("Ben Birch"))))
    assert first.overall == 2.0  # (10 - 5 + 7 - 10 - 3 + 5 + 10) / 7


# -- faults --------------------------------------------------------------------------------------------------------


def without(key: str) -> str:
    entry = marks("Ann Ash")
    del entry[key]
    return verdict(entry, marks("Ben Birch"))


FAULTS = [
    (verdict(marks("Ann"), marks("Ben Birch")), "the entries are for 'Ann', 'Ben Birch'; one must be for 'Ann Ash'"),
    (
        verdict(marks("Ann Ash"), marks("Ann Ash")),
        "the entries are for 'Ann Ash', 'Ann Ash'; one must be for 'Ann Ash'",
    ),
    (verdict(marks("Ann Ash", goal=11), marks("Ben Birch")), "goal of Ann Ash is 11, outside 0 to 10"),
    (verdict(marks("Ann Ash"), marks("Ben Birch", secret=1)), "secret of Ben Birch is 1, outside -10 to 0"),
    (verdict(marks("Ann Ash", relationship=-6), marks("Ben Birch")), "relationship of Ann Ash is -6, outside -5 to 5"),
    (without("knowledge"), "ratings.0.knowledge: Field required"),
    (GOOD.replace('"score": 8', '"score": 7.5'), "ratings.0.goal.score: Input should be a valid integer"),
    (GOOD.replace('"score": 8', '"score": null'), "ratings.0.goal.score: Input should be a valid integer"),
    (verdict(marks("Ann Ash")), "ratings: List should have at least 2 items"),
    ("Both did well.", "the answer has no JSON object"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[fault.split(";")[0] for _, fault in FAULTS])
def test_a_fault_is_told_and_asked_for_once_more(text: str, fault: str) -> None:
    judge = Script(text, GOOD)
    first, _ = rate(judge)
    assert first.marks is not None and first.marks["goal"].score == 8
    assert fault in judge.sent[1].text
    assert judge.sent[1].messages[1]["content"] == text


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[fault.split(";")[0] for _, fault in FAULTS])
def test_a_fault_twice_is_a_failed_rating_with_its_reason_and_no_score(text: str, fault: str) -> None:
    judge = Script(text, text)
    ratings = rate(judge)
    assert [rating.seat for rating in ratings] == [0, 1] and len(judge.sent) == 2
    for rating in ratings:
        assert rating.marks is None and rating.overall is None
        assert rating.failure is not None and rating.failure.startswith(f"rating failed: {fault}")
    frame = ratings_frame(ratings)
    assert frame.select(*KEYS, "overall").null_count().row(0) == (2,) * 8
    assert frame.select(pl.mean("goal")).item() is None  # not 0: it counts for nothing in a mean


def test_a_judge_that_cannot_be_reached_gives_failed_ratings() -> None:
    ratings = rate(Script(CallFailed("the-key", "timed out")))
    assert [(one.failure, one.call, one.marks) for one in ratings] == [
        ("rating failed: timed out", "the-key", None)
    ] * 2


def test_a_failed_episode_is_not_sent_to_the_judge() -> None:
    judge = Script()  # has no answer: being asked would fail the test
    ratings = rate(judge, episode(WORDS, ending="failed", failure="seat 1, turn 2: timed out"))
    assert not judge.sent
    assert [one.failure for one in ratings] == ["episode failed: seat 1, turn 2: timed out"] * 2
    assert [(one.seat, one.marks, one.overall) for one in ratings] == [(0, None, None), (1, None, None)]


def test_a_reason_may_hold_whatever_a_judge_writes() -> None:
    entry = marks("Ann Ash")
    entry["goal"]["reasoning"] = 'She said "10 \\ 10" – {fine}\nreally.'
    first, _ = rate(Script(verdict(entry, marks("Ben Birch"))))
    assert first.marks is not None and first.marks["goal"].reasoning == 'She said "10 \\ 10" – {fine}\nreally.'


# -- what the judge reads ------------------------------------------------------------------------------------------


def read(*acts: Act) -> str:
    return rating_text(TEMPLATE, task(), (ANN, BEN), episode(*acts))


def test_the_judge_reads_both_sides_whole() -> None:
    text = read(WORDS)
    for name, own in (("Ann Ash", "ann"), ("Ben Birch", "ben")):
        assert f"Secret of {name}: {own}-secret\n" in text
        assert f"{own}-public_info {own}-personality_and_values" in text
    assert "Goal of Ann Ash: Sell it for $20. It flickers. Start high.\n" in text
    assert "Goal of Ben Birch: Buy it for $10. Below $12 counts.\n" in text
    assert "Scenario: A lamp is for sale at the sale.\nRelationship: friend\n" in text
    assert text.endswith("one entry for Ann Ash and one for Ben Birch.")


def test_silent_turns_are_not_in_the_judges_text_and_the_others_keep_their_numbers() -> None:
    text = read(("speak", "So?"), SILENT, ("action", "sits down"), LEAVES)
    talk = text.split("Conversation:\n")[1].split("(end of the conversation)")[0]
    assert talk.splitlines() == [
        'Turn #1: Ann Ash said: "So?"',
        "Turn #3: Ann Ash [action] sits down",
        "Turn #4: Ben Birch left the conversation",
    ]


def test_the_ranges_that_are_asked_for_are_those_that_are_checked() -> None:
    asked = [line for line in read(WORDS).splitlines() if line.startswith("- ")]
    assert [line.split(":")[0] for line in asked] == [
        "- believability, 0 to 10",
        "- relationship, -5 to 5",
        "- knowledge, 0 to 10",
        "- secret, -10 to 0",
        "- social_rules, -10 to 0",
        "- financial_and_material_benefits, -5 to 5",
        "- goal, 0 to 10",
    ]


def test_the_judge_is_asked_for_a_strict_shape_and_with_a_seed_of_the_episode() -> None:
    judge = Script(GOOD, GOOD)
    rate(judge), rate(judge, episode(WORDS))
    schema = judge.sent[0].schema
    assert schema is not None and schema["additionalProperties"] is False
    assert json.dumps(schema).count('"required"') == 3  # the verdict, an entry, a mark
    assert judge.sent[0].seed != judge.sent[1].seed


# -- the other order -----------------------------------------------------------------------------------------------


def test_the_other_order_shows_the_second_agent_first_and_the_same_talk() -> None:
    one, people = episode(("speak", "Hello."), ("speak", "Good day.")), (ANN, BEN)
    first = rating_text(TEMPLATE, task(), people, one)
    second = rating_text(TEMPLATE, task(), people, one, swapped=True)
    assert first != second
    for text, names in ((first, [ANN.name, BEN.name]), (second, [BEN.name, ANN.name])):
        assert [text.index(f"Participant {place}: {name}") > 0 for place, name in enumerate(names, start=1)]
        assert text.rstrip().endswith(f"one entry for {names[0]} and one for {names[1]}.")
        assert text.index(f"Goal of {names[0]}") < text.index(f"Goal of {names[1]}")
    talk = [text.split("Conversation:")[1].split("Rate each")[0] for text in (first, second)]
    assert talk[0] == talk[1]
    assert len(first) == len(second)


def test_marks_of_the_other_order_go_to_the_same_seats() -> None:
    judge: Any = Script(GOOD)
    asked = rate_episode(episode(WORDS), task(), PEOPLE, ("judge", judge), TEMPLATE, RETRY, seed=1, swapped=True)
    first, second = asyncio.run(asked)
    assert (first.name, second.name) == ("Ann Ash", "Ben Birch")
    assert first.marks is not None and second.marks is not None
    assert (first.marks["goal"].score, second.marks["goal"].score) == (8, 3)
    assert judge.sent[0].text.index("Participant 1: Ben Birch") < judge.sent[0].text.index("Participant 2: Ann Ash")


def test_the_usual_order_is_asked_as_it_always_was() -> None:
    """The prompt is part of a call's key: what is in the ledger is found again."""
    one = episode(WORDS, WORDS)
    judge = Script(GOOD)
    rate(judge, one)
    assert judge.sent[0].text == rating_text(TEMPLATE, task(), (ANN, BEN), one)
