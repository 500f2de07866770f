"""Golden tests of the social world: what SOTOPIA and SOTOPIA-π define, each with where it is defined.

S is SOTOPIA (arXiv 2310.11667), π is SOTOPIA-π (arXiv 2403.08715), E is the code of the `sotopia` package, v0.0.10 unless it
says otherwise. The rooms' own tests go into depth; here one can read what holds.
"""

import asyncio
from typing import Any

import polars as pl
import pytest

from parley.config import Play, Selection
from parley.learning.selection import select
from parley.llm.call import CallFailed
from parley.records.character import Relationship
from parley.records.episode import ACTION_TYPES, Episode
from parley.records.rating import DIMENSIONS, SCHEMA, Rating
from parley.world.observation import turn_text
from parley.world.playing import ending
from parley.world.prompts import Prompt
from parley.world.rating import rate_episode, rating_text
from tests.builders import (
    ANN,
    BEN,
    IS_SILENT,
    LEAVES,
    PEOPLE,
    PROMPTS,
    RETRY,
    SILENT,
    SPEAKS,
    TAKES_LEAVE,
    WORDS,
    Act,
    Script,
    episode,
    marks,
    play_one,
    task,
    turns,
    verdict,
)

FULL, RATING = Prompt(PROMPTS / "turn.jinja"), Prompt(PROMPTS / "rating.jinja")


def page(seat: int, *acts: Act, relationship: str = "friend", play: Play | None = None) -> str:
    """What the agent in `seat` is sent after `acts`, on the full page."""
    return turn_text(FULL, task(relationship=relationship), (ANN, BEN), turns(*acts), seat, play or Play())


def endlessly(answer: str) -> Script:
    return Script(then=[answer] * 30)


def done(played: Episode) -> list[str]:
    return [turn.action.action_type for turn in played.turns]


# -- what an agent sees ----------------------------------------------------------------------------------------------

NOTHING: tuple[str, ...] = ()
LOOKS = ("47", "ben-gender", "ben-pronouns", "ben-occupation", "ben-public_info")
CLOSE = (*LOOKS, "ben-personality_and_values")
#: S section 2 and E `envs/parallel.py` (the six kinds are those of E `RelationshipType`): what one sees of the other.
VISIBLE = {
    "stranger": NOTHING,
    "know_by_name": NOTHING,
    "acquaintance": LOOKS,
    "friend": CLOSE,
    "romantic": CLOSE,
    "family": CLOSE,
}


@pytest.mark.parametrize("kind", Relationship.__members__)
def test_each_of_the_six_relationships_lets_an_agent_see_so_much_of_the_other(kind: str) -> None:
    text = page(0, relationship=kind)
    assert [word for word in CLOSE if word in text] == list(VISIBLE[kind])
    assert text.count("Ben Birch") == 2  # π appendix B.3: the name stands in the participants line whatever the kind


def test_the_kinds_have_the_numbers_of_the_published_profiles() -> None:
    """E `database/persistent_profile.py`."""
    numbered = ["stranger", "know_by_name", "acquaintance", "friend", "romantic", "family"]
    assert [Relationship(number).name for number in range(6)] == numbered == list(VISIBLE)


@pytest.mark.parametrize("kind", Relationship.__members__)
def test_nobody_sees_the_others_secret_or_goal(kind: str) -> None:
    """S section 2: secrets and goals are private; E: the other's goal is shown as `Unknown`."""
    for seat, other, goal in ((0, "ben", "Buy it"), (1, "ann", "Sell it")):
        text = page(seat, WORDS, relationship=kind)
        assert f"{other}-secret" not in text and goal not in text and "Below $12" not in page(0)
        assert f"Goal of {('Ben', 'Ann')[seat]}: Unknown" in text


TURN = """\
Play Ann Ash in the social situation below. Stay in character, say what Ann would say, and work towards your goal by \
natural means. Your goal and your secret are yours alone: Ben does not know them. Do not repeat what has been said.

Scenario: A lamp is for sale at the sale.
Participants: Ann Ash and Ben Birch (friend)
You are Ann Ash, a 31-year-old ann-gender (ann-pronouns), ann-occupation. ann-public_info ann-personality_and_values
Secret: ann-secret
You talk with Ben Birch, a 47-year-old ben-gender (ben-pronouns), ben-occupation. ben-public_info \
ben-personality_and_values

Goal: Sell it for $20. It flickers. Start high.
Goal of Ben: Unknown

Conversation so far:
Turn #1: Ann Ash said: "A fine lamp."
Turn #2: Ben Birch [non-verbal communication] nods
Turn #3: Ann Ash [action] lights the lamp
Turn #4: Ben Birch did nothing

Turn 5 of 20 is yours. Choose one action: "speak" (argument: the words), "non-verbal communication" (argument: the \
gesture), "action" (argument: the deed), "none" (do nothing) or "leave" (end the conversation; do so once your goal is \
reached, or cannot be reached, or you no longer want to stay).
Answer with one JSON object and nothing else: {"action_type": "…", "argument": "…"}"""


def test_the_text_of_a_turn() -> None:
    """π appendix B.3 for what it says and in which order (role, scenario, who, goals, talk, turn, actions); our words."""
    acts: list[Act] = [
        ("speak", "A fine lamp."),
        ("non-verbal communication", "nods"),
        ("action", "lights the lamp"),
        SILENT,
    ]
    assert page(0, *acts) == TURN


def test_a_page_that_is_cut_keeps_the_context_and_the_newest_turns() -> None:
    """π code: the oldest lines of the talk go first, the context stays."""
    acts: list[Act] = [("speak", f"word {number}") for number in range(1, 7)]
    whole, cut = page(0, *acts), page(0, *acts, play=Play(history=2))
    context = whole.split("Conversation so far:", maxsplit=1)[0]
    assert cut.startswith(f"{context}Conversation so far:\n(4 earlier turns are left out)\nTurn #5: Ann Ash said")
    assert 'said: "word 6"\n\nTurn 7 of 20 is yours.' in cut and "word 4" not in cut


# -- how it is played ------------------------------------------------------------------------------------------------


def test_there_are_five_kinds_of_action() -> None:
    """S section 2.2, π section 2."""
    assert ACTION_TYPES == ("none", "speak", "non-verbal communication", "action", "leave")


def test_an_episode_is_at_most_twenty_acts_in_turns_and_the_first_agent_begins() -> None:
    """S section 2 (20 turns); E from 0.1 on ends at `>= 20`. v0.0.10 tests `> 20`: that is `max_turns: 21`."""
    played = play_one(endlessly(SPEAKS), endlessly(SPEAKS))
    assert (len(played.turns), played.ending) == (20, "turns")
    assert [turn.seat for turn in played.turns] == [0, 1] * 10
    assert len(play_one(endlessly(SPEAKS), endlessly(SPEAKS), Play(max_turns=21)).turns) == 21


def test_who_leaves_ends_it() -> None:
    """S section 2; E `RuleBasedTerminatedEvaluator`."""
    played = play_one(endlessly(SPEAKS), Script(SPEAKS, TAKES_LEAVE))
    assert (done(played), played.ending) == (["speak", "speak", "speak", "leave"], "left")


STALE = [
    # acts, ends by `acting`, ends by `legacy`
    ([SILENT, SILENT, SILENT], True, True),
    ([WORDS, SILENT, SILENT, SILENT], True, True),
    ([SILENT, SILENT, WORDS], False, False),
    ([SILENT, SILENT], False, True),
    ([WORDS, SILENT], False, True),  # the second agent is silent once, right after the first has spoken
    ([SILENT], False, False),  # the first agent is silent once
    ([WORDS, WORDS, SILENT], False, False),
]


@pytest.mark.parametrize(("acts", "acting", "legacy"), STALE)
def test_more_than_two_silent_acts_end_it_in_either_rule(acts: list[Act], acting: bool, legacy: bool) -> None:
    """E: more than two trailing `none`. Up to 0.1.5 the waiting agent's masked `none` counts too (`legacy`); later only that
    of the one who acts (`acting`)."""
    assert (ending(turns(*acts), Play()) == "silence") is acting
    assert (ending(turns(*acts), Play(stale_rule="legacy")) == "silence") is legacy


def test_a_bad_action_is_mended_then_asked_for_again_then_a_failure_and_never_a_silent_act() -> None:
    """Unlike E, where whatever fails becomes `none` (`generation_utils/generate.py`): a broken model then looks silent."""
    mended = play_one(Script(f"```json\n{SPEAKS}\n```", TAKES_LEAVE), endlessly(SPEAKS))
    assert (mended.turns[0].repaired, mended.turns[0].attempts, mended.turns[0].action.argument) == (True, 1, "Well.")
    again = play_one(Script("No JSON here.", TAKES_LEAVE), Script())
    assert (again.turns[0].attempts, again.ending) == (2, "left")
    failed = play_one(endlessly(SPEAKS), Script("No JSON here.", "Nor here."))
    assert (done(failed), failed.ending) == (["speak"], "failed")
    assert failed.failure == "seat 1, turn 2: the answer has no JSON object"
    assert not any(turn.action.action_type == "none" for turn in failed.turns)
    refused = play_one(Script(CallFailed("key", "refused")), Script())
    assert (refused.turns, refused.failure) == ((), "seat 0, turn 1: refused")
    silent = play_one(Script(IS_SILENT, TAKES_LEAVE), Script(SPEAKS))
    assert done(silent) == ["none", "speak", "leave"]  # silence is what was chosen


# -- how it is rated -------------------------------------------------------------------------------------------------

RANGES = {
    "believability": (0, 10),
    "relationship": (-5, 5),
    "knowledge": (0, 10),
    "secret": (-10, 0),
    "social_rules": (-10, 0),
    "financial_and_material_benefits": (-5, 5),
    "goal": (0, 10),
}


def rated(*answers: str, played: Episode | None = None) -> list[Rating]:
    judge: Any = Script(*answers)
    one = played or episode(WORDS, WORDS)
    return asyncio.run(rate_episode(one, task(), PEOPLE, ("judge", judge), RATING, RETRY, seed=1))


def test_the_seven_dimensions_have_these_ranges() -> None:
    """S section 3.3; π section 2 (footnote) for the signs."""
    assert {one.key: (one.low, one.high) for one in DIMENSIONS} == RANGES


@pytest.mark.parametrize("key", RANGES)
def test_both_ends_of_a_range_are_scores_and_beyond_them_nothing_is(key: str) -> None:
    """E `envs/evaluators.py`: a score out of range fails the whole rating (stored as 0.0 there, as failed here)."""
    low, high = RANGES[key]
    for score in (low, high):
        first, _ = rated(verdict(marks("Ann Ash", **{key: score}), marks("Ben Birch")))
        assert first.marks is not None and first.marks[key].score == score
    for score in (low - 1, high + 1):
        answer = verdict(marks("Ann Ash", **{key: score}), marks("Ben Birch"))
        first, second = rated(answer, answer)
        for one in (first, second):
            assert (one.marks, one.overall) == (None, None)
            assert one.failure == f"rating failed: {key} of Ann Ash is {score}, outside {low} to {high}"


def test_overall_is_the_plain_mean_of_the_seven_raw_scores() -> None:
    """S section 3.3; E `overall_score`. Its range is -30/7 to 40/7."""
    for pick, overall in ((0, -30 / 7), (1, 40 / 7)):
        scores = {key: ends[pick] for key, ends in RANGES.items()}
        first, _ = rated(verdict(marks("Ann Ash", **scores), marks("Ben Birch")))
        assert first.overall == pytest.approx(overall)


def test_the_judge_sees_both_goals_and_secrets_and_no_silent_turn() -> None:
    """S section 4 and E: one call rates both from the whole talk, without the lines of who did nothing."""
    text = rating_text(RATING, task(), (ANN, BEN), episode(WORDS, SILENT, WORDS, LEAVES))
    for word in (
        "ann-secret",
        "ben-secret",
        "Sell it for $20.",
        "Buy it for $10.",
        "Turn #3: Ann Ash said",
        "left the",
    ):
        assert word in text
    assert "did nothing" not in text and "Turn #2" not in text


def test_a_failed_episode_is_not_rated_and_is_no_zero() -> None:
    """Unlike E, where it gets 0.0: failures are counted, never averaged."""
    ratings = rated(played=episode(WORDS, ending="failed", failure="seat 1, turn 2: refused"))
    assert [one.failure for one in ratings] == ["episode failed: seat 1, turn 2: refused"] * 2
    assert all(one.overall is None for one in ratings)


# -- what is learned from --------------------------------------------------------------------------------------------


def ratings(**goals: list[tuple[int, float]]) -> pl.DataFrame:
    """Ratings of five casts, c0 to c4, by `{task}{seat}`: (goal, overall) of each."""
    rows = [
        {
            "episode": f"{key[:-1]}-{number}",
            "task": key[:-1],
            "cast": f"c{number}+d",
            "seat": int(key[-1]),
            "player": "expert",
            "replicate": 0,
            "judge": "judge",
            "goal": goal,
            "overall": overall,
        }
        for key, given in goals.items()
        for number, (goal, overall) in enumerate(given)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


#: Worked by hand. Ranked by goal, ties by overall, then by cast:
#: easy, seat 0: c1 9 (3.5), c0 9 (3.0), c2 7, c3 7, c4 4; local mean 7.2, global mean (36 + 10) / 10 = 4.6, bar 4.6
#: easy, seat 1: c0 8, c4 8, c1 6, c2 5, c3 3;            local mean 6.0, global mean (30 + 25) / 10 = 5.5, bar 5.5
#: hard, seat 0: five times 2, c0 to c4;                  local mean 2, bar 2: nothing exceeds it
#: hard, seat 1: five times 5, c0 to c4;                  local mean 5, bar 5: nothing exceeds it
TIED = ratings(
    easy0=[(9, 3.0), (9, 3.5), (7, 2.0), (7, 2.0), (4, 1.0)],
    easy1=[(8, 2.0), (6, 2.0), (5, 2.0), (3, 2.0), (8, 2.0)],
    hard0=[(2, 1.0)] * 5,
    hard1=[(5, 1.0)] * 5,
)


def kept(table: pl.DataFrame, rule: str) -> dict[str, list[str]]:
    """The casts that are kept, best first, by task and seat."""
    found: dict[str, list[str]] = {}
    for row in (
        select(table, Selection.model_validate({"rule": rule})).filter("kept").sort("rank").iter_rows(named=True)
    ):
        found.setdefault(f"{row['task']}{row['seat']}", []).append(row["cast"][:2])
    return found


def test_behavior_cloning_keeps_the_top_two_and_further_ranks_where_both_seats_exceed_their_bar() -> None:
    """π appendix B.2. Rank 3: 7 > 4.6 and 6 > 5.5, both kept. Rank 4: 7 > 4.6 but not 5 > 5.5, neither kept."""
    assert kept(TIED, "bc") == {
        "easy0": ["c1", "c0", "c2"],
        "easy1": ["c0", "c4", "c1"],
        "hard0": ["c0", "c1"],
        "hard1": ["c0", "c1"],
    }


def test_self_reinforcement_keeps_the_top_fifth_of_each_task_and_seat() -> None:
    """π appendix B.2: top 20 %, local rank only; one of five, whatever its score."""
    assert kept(TIED, "sr") == {"easy0": ["c1"], "easy1": ["c0"], "hard0": ["c0"], "hard1": ["c0"]}


def test_ties_do_not_depend_on_the_order_of_the_table() -> None:
    """Unlike π's code, where equal scores keep the order of the database."""
    for seed in range(5):
        shuffled = TIED.sample(fraction=1, shuffle=True, seed=seed)
        for rule in ("bc", "sr"):
            assert kept(shuffled, rule) == kept(TIED, rule)
