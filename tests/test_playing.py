"""The episode loop: how a talk ends, what a failed call does, and that no episode waits for another."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.config import Play
from parley.errors import ParleyError
from parley.llm.call import CallFailed
from parley.records.episode import Action, Ending, Episode
from parley.world.playing import Part, ending, parts, play_all, settled, silent_in_a_row
from tests.builders import (
    IS_SILENT,
    LEAVES,
    RETRY,
    SILENT,
    SPEAKS,
    TAKES_LEAVE,
    WORDS,
    Act,
    Script,
    Sent,
    act,
    play_one,
    renderer,
    task,
    turns,
)

LEGACY = Play(stale_rule="legacy")


def talks() -> Script:
    """A speaker who never stops."""
    return Script(then=repeat(SPEAKS))


def done(played: Episode) -> list[str]:
    return [turn.action.action_type for turn in played.turns]


# -- how a talk ends -----------------------------------------------------------------------------------------------


def test_the_first_agent_begins_and_they_take_turns() -> None:
    played = play_one(Script(act("speak", "1"), act("speak", "3")), Script(act("speak", "2"), TAKES_LEAVE))
    assert [(turn.seat, turn.speaker, turn.action.argument) for turn in played.turns] == [
        (0, "Ann Ash", "1"),
        (1, "Ben Birch", "2"),
        (0, "Ann Ash", "3"),
        (1, "Ben Birch", ""),
    ]
    assert (played.names, played.players, played.cast) == (("Ann Ash", "Ben Birch"), ("bc", "partner"), ("ann", "ben"))
    assert (played.task, played.task_id, played.replicate) == ("sale", task().id, 0)


def test_leaving_ends_it_at_once() -> None:
    played = play_one(Script(SPEAKS, TAKES_LEAVE), Script(SPEAKS))
    assert (done(played), played.ending, played.failure) == (["speak", "speak", "leave"], "left", None)


@pytest.mark.parametrize("limit", [2, 3, 20])
def test_the_limit_is_exactly_that_many_acts(limit: int) -> None:
    played = play_one(talks(), talks(), Play(max_turns=limit))
    assert (len(played.turns), played.ending) == (limit, "turns")


def test_leaving_with_the_last_act_is_leaving() -> None:
    assert ending(turns(WORDS, LEAVES), Play(max_turns=2)) == "left"


@pytest.mark.parametrize(
    ("acts", "acting", "legacy"),
    [
        ([], None, None),
        ([WORDS, WORDS], None, None),
        # Silence of the first agent alone.
        ([SILENT], None, None),
        ([WORDS, WORDS, SILENT], None, None),
        # Silence of the second agent alone: in v0.0.10 it ends the talk if the first has just spoken.
        ([WORDS, SILENT], None, "silence"),
        ([WORDS, WORDS, WORDS, SILENT], None, "silence"),
        # Both.
        ([SILENT, SILENT], None, "silence"),
        ([WORDS, WORDS, SILENT, SILENT], None, "silence"),
        ([SILENT, SILENT, SILENT], "silence", "silence"),
        ([WORDS, SILENT, SILENT, SILENT], "silence", "silence"),
        # A word in between begins the count again.
        ([SILENT, SILENT, WORDS], None, None),
        ([SILENT, WORDS, SILENT, WORDS, SILENT], None, None),
        ([SILENT, SILENT, WORDS, SILENT, SILENT], None, "silence"),
        # A gesture is not silence.
        ([SILENT, SILENT, ("non-verbal communication", "nods")], None, None),
    ],
)
def test_more_than_two_silent_acts_in_a_row_end_it(
    acts: list[Act], acting: Ending | None, legacy: Ending | None
) -> None:
    assert ending(turns(*acts), Play()) == acting
    assert ending(turns(*acts), LEGACY) == legacy


def test_silence_is_counted_while_playing() -> None:
    played = play_one(Script(SPEAKS, IS_SILENT, IS_SILENT), Script(SPEAKS, IS_SILENT))
    assert (done(played), played.ending) == (["speak", "speak", "none", "none", "none"], "silence")


def test_in_the_legacy_rule_the_second_agent_must_not_be_silent_and_the_first_may() -> None:
    second = play_one(Script(SPEAKS), Script(IS_SILENT), LEGACY)
    assert (done(second), second.ending) == (["speak", "none"], "silence")
    first = play_one(Script(IS_SILENT, TAKES_LEAVE), Script(SPEAKS), LEGACY)
    assert (done(first), first.ending) == (["none", "speak", "leave"], "left")


def test_how_much_silence_is_too_much_is_a_setting() -> None:
    assert ending(turns(WORDS, SILENT), Play(max_silence=0)) == "silence"
    assert ending(turns(*[SILENT] * 6), Play(max_silence=6)) is None
    assert ending(turns(*[SILENT] * 7), Play(max_silence=6)) == "silence"


@given(st.lists(st.booleans(), max_size=30))
def test_silence_is_counted_from_the_end(silent: list[bool]) -> None:
    acts = turns(*(SILENT if quiet else WORDS for quiet in silent))
    trailing = len(silent) if all(silent) else list(reversed(silent)).index(False)
    assert silent_in_a_row(acts, "acting") == trailing
    # Legacy: each silent turn counts twice, and so does the waiting of the second agent while the first one spoke.
    broken_by = len(silent) - 1 - trailing
    waited = 1 if broken_by >= 0 and broken_by % 2 == 0 else 0
    assert silent_in_a_row(acts, "legacy") == 2 * trailing + waited


# -- answers -------------------------------------------------------------------------------------------------------


def test_a_failed_call_ends_it_as_failed_and_makes_no_turn_up() -> None:
    second = Script(SPEAKS, CallFailed("key", "refused by the endpoint (HTTP 400)"))
    played = play_one(talks(), second)
    assert played.failed and played.ending == "failed"
    assert played.failure == "seat 1, turn 4: refused by the endpoint (HTTP 400)"
    assert done(played) == ["speak"] * 3


def test_a_call_that_fails_at_once_is_an_episode_without_turns() -> None:
    played = play_one(Script(CallFailed("key", "timed out")), Script())
    assert (played.turns, played.failure) == ((), "seat 0, turn 1: timed out")


def test_an_answer_that_cannot_be_read_is_asked_for_once_more() -> None:
    first = Script("I would rather not say.", TAKES_LEAVE)
    played = play_one(first, Script())
    (turn,) = played.turns
    assert (turn.attempts, turn.action.action_type, played.ending) == (2, "leave", "left")
    again = first.sent[1]
    assert [message["role"] for message in again.messages] == ["user", "assistant", "user"]
    assert again.messages[1]["content"] == "I would rather not say."
    assert "the answer has no JSON object" in again.text
    assert turn.call != play_one(Script(TAKES_LEAVE), Script()).turns[0].call  # the key of the second call


def test_an_answer_that_cannot_be_read_twice_is_a_failure() -> None:
    played = play_one(talks(), Script("Hm.", "Hm, hm."))
    assert (done(played), played.failure) == (["speak"], "seat 1, turn 2: the answer has no JSON object")


@pytest.mark.parametrize("kind", ["speak", "action", "non-verbal communication"])
def test_an_act_without_words_that_needs_them_is_asked_for_once_more(kind: str) -> None:
    first = Script(act(kind, " \n"), TAKES_LEAVE)
    assert play_one(first, Script()).turns[0].attempts == 2
    assert f"the action '{kind}' needs an argument that is not empty" in first.sent[1].text


def test_an_answer_that_had_to_be_mended_says_so() -> None:
    played = play_one(Script(f"Sure! {SPEAKS}", TAKES_LEAVE), talks())
    assert [turn.repaired for turn in played.turns] == [True, False, False]
    assert [turn.attempts for turn in played.turns] == [1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("speak", "  Hello,\n\tyou. ", "Hello, you."),
        ("none", "thinks", ""),
        ("leave", "Bye!", ""),
        ("action", "waves", "waves"),
    ],
)
def test_spaces_are_folded_and_acts_without_words_have_none(kind: Any, given: str, kept: str) -> None:
    assert settled(Action(action_type=kind, argument=given)) == Action(action_type=kind, argument=kept)


def test_a_turn_keeps_the_folded_act_and_the_other_is_shown_that() -> None:
    second = Script(act("leave", "Bye!"))
    played = play_one(Script(act("speak", "  Hello,\n you. ")), second)
    assert [turn.action.argument for turn in played.turns] == ["Hello, you.", ""]
    assert "\nAnn: Hello, you.\n" in second.sent[0].text


def test_each_call_has_a_seed_of_its_own_and_the_same_one_again() -> None:
    def seeds(part: Part, seed: int = 1) -> list[int | None]:
        speaker = Script(then=repeat(SPEAKS))
        play_parts([part], speaker, Play(max_turns=4), seed=seed)
        assert {sent.replicate for sent in speaker.sent} == {part.replicate}
        return [sent.seed for sent in speaker.sent]

    here = Part(task(), ("ann", "ben"), 0)
    assert seeds(here) == seeds(here) and len(set(seeds(here))) == 4
    elsewhere = [
        Part(task("loan"), ("ann", "ben"), 0),
        Part(task(), ("ben", "ann"), 0),
        Part(task(), ("ann", "ben"), 1),
    ]
    for other in [*(seeds(part) for part in elsewhere), seeds(here, seed=2)]:
        assert not set(other) & set(seeds(here))


# -- many at once --------------------------------------------------------------------------------------------------


def play_parts(
    wanted: list[Part],
    speaker: Script,
    play: Play | None = None,
    seed: int = 1,
    in_flight: int = 2,
    on_episode: Callable[[Episode], None] = lambda episode: None,
) -> list[Episode]:
    """Parts played by one speaker in both seats; fails rather than waits for ever."""

    done: dict[int, Episode] = {}

    def ended(number: int, episode: Episode) -> None:
        assert number not in done
        done[number] = episode
        on_episode(episode)

    async def run() -> None:
        speakers: Any = {"bc": speaker}
        again = renderer("turn_short", play, *(part.task for part in wanted))
        await asyncio.wait_for(
            play_all(wanted, ("bc", "bc"), speakers, again, RETRY, seed, in_flight, ended), timeout=10
        )

    asyncio.run(run())
    return [done[number] for number in range(len(wanted))]


def test_every_task_cast_and_replicate_is_a_part() -> None:
    two = [task("sale", casts=(("ann", "ben"), ("ben", "ann"))), task("loan")]
    assert [(part.task.name, part.cast[0], part.replicate) for part in parts(two, 2)] == [
        ("sale", "ann", 0),
        ("sale", "ann", 1),
        ("sale", "ben", 0),
        ("sale", "ben", 1),
        ("loan", "ann", 0),
        ("loan", "ann", 1),
    ]


NAMES = [f"fair{number}" for number in range(6)]
WANTED = [Part(task(name), ("ann", "ben"), 0) for name in NAMES]


def test_a_slow_episode_holds_up_no_other_and_comes_back_in_its_place() -> None:
    ended: list[str] = []
    others = asyncio.Event()

    async def answer(sent: Sent) -> str:
        if "at the fair1." in sent.text:
            await others.wait()  # until all other episodes have been played to their ends
        return SPEAKS

    def on_episode(played: Episode) -> None:
        ended.append(played.task)
        if len(ended) == len(NAMES) - 1:
            others.set()

    speaker = Script(then=repeat(answer))
    played = play_parts(WANTED, speaker, Play(max_turns=3), in_flight=2, on_episode=on_episode)
    assert ended == ["fair0", "fair2", "fair3", "fair4", "fair5", "fair1"]
    assert [one.task for one in played] == NAMES
    assert [len(one.turns) for one in played] == [3] * 6


@pytest.mark.parametrize(("in_flight", "most"), [(1, 1), (3, 3), (50, 6)])
def test_no_more_are_in_flight_than_allowed_and_no_fewer(in_flight: int, most: int) -> None:
    flying, peak = 0, 0

    async def answer(_: Sent) -> str:
        nonlocal flying, peak
        flying += 1
        peak = max(peak, flying)
        for _step in range(20):
            await asyncio.sleep(0)
        flying -= 1
        return SPEAKS

    play_parts(WANTED, Script(then=repeat(answer)), Play(max_turns=2), in_flight=in_flight)
    assert peak == most


def test_the_outcome_does_not_depend_on_how_many_fly() -> None:
    def answered(words: str) -> Callable[[Sent], Awaitable[str]]:
        async def answer(sent: Sent) -> str:
            return act("speak", f"{words} {sent.seed}")

        return answer

    one, many = (
        play_parts(WANTED, Script(then=repeat(answered("seed"))), Play(max_turns=4), in_flight=number)
        for number in (1, 6)
    )
    assert one == many
    assert len({played.id for played in one}) == 6


def test_a_failed_episode_stops_no_other() -> None:
    async def answer(sent: Sent) -> str:
        if "at the fair2." in sent.text:
            raise CallFailed("key", "timed out")
        return SPEAKS

    played = play_parts(WANTED, Script(then=repeat(answer)), Play(max_turns=2))
    assert [one.ending for one in played] == ["turns", "turns", "failed", "turns", "turns", "turns"]


def test_what_no_call_can_survive_stops_all() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        play_parts(WANTED, Script(then=repeat(ParleyError("no key; set it"))))
    assert raised.group_contains(ParleyError, match="no key; set it")


def test_nothing_wanted_is_nothing_played() -> None:
    assert play_parts([], Script()) == []
