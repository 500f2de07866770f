"""Exporting to the released format and back: ours come back equal, theirs equal but for what is said to change."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.exchange.episodes import World, import_episodes
from parley.exchange.publication import export_episodes, line_of
from parley.records.episode import ACTION_TYPES, Action, Episode, Turn
from parley.records.rating import DIMENSIONS, Mark, Rating, ratings_frame, ratings_of
from tests.builders import ANN, LEAVES, SILENT, WORDS, episode, task
from tests.released import WORLD, A, B, comments, file, line, reward, talk

NAMES = (A, B)


def rating(of: Episode, seat: int, reasons: Sequence[str] = ("Well.",) * 7, **changes: Any) -> Rating:
    """A rating of a seat with a different score on each dimension."""
    marks = {
        dimension.key: Mark(reasoning=reason, score=min(number, dimension.high))
        for number, (dimension, reason) in enumerate(zip(DIMENSIONS, reasons, strict=True))
    }
    fields: dict[str, Any] = {
        "episode": of.id,
        "task": of.task,
        "cast": of.cast,
        "seat": seat,
        "name": of.names[seat],
        "player": of.players[seat],
        "partner": of.players[1 - seat],
        "replicate": of.replicate,
        "judge": "judge",
        "call": f"judged-{of.id}",
        "marks": marks,
    }
    return Rating(**{**fields, **changes})


def back(path: Path, episodes: list[Episode], ratings: list[Rating], world: World = WORLD) -> None:
    """Assert that both come back as they were."""
    assert export_episodes(path / "ours.jsonl", episodes, ratings, world) == len(episodes)
    found = import_episodes(path / "ours.jsonl", world)
    assert found.episodes == episodes
    assert found.ratings == ratings
    assert found.notes == {}


# -- ours, there and back ------------------------------------------------------------------------------------------


def test_an_episode_and_its_ratings_come_back(tmp_path: Path) -> None:
    one = episode(
        WORDS, ("action", "lifts it"), SILENT, ("speak", 'A "fine"\nlamp'), LEAVES, ending="left", replicate=3
    )
    back(tmp_path, [one], [rating(one, 0), rating(one, 1)])


def test_what_failed_comes_back_as_failed(tmp_path: Path) -> None:
    nothing = episode(ending="failed", failure="seat 0, turn 1: no answer")
    broken = episode(WORDS, ending="failed", failure="seat 1, turn 2: cut off")
    half = episode(WORDS, WORDS)
    why = {"marks": None, "failure": "rating failed: unreadable"}
    ratings = [rating(one, seat, **why) for one in (nothing, broken) for seat in (0, 1)]
    back(tmp_path, [nothing, broken, half], [*ratings, rating(half, 0), rating(half, 1, **why)])
    rows = [json.loads(text) for text in (tmp_path / "ours.jsonl").read_text().splitlines()]
    assert [row["raw_rewards"] for row in rows[:2]] == [[0.0, 0.0]] * 2
    assert [type(reward) for reward in rows[2]["raw_rewards"]] == [list, float]


def test_what_is_not_rated_comes_back_not_rated(tmp_path: Path) -> None:
    one, two = episode(WORDS), episode(WORDS, WORDS)
    back(tmp_path, [one, two], [rating(two, 1)])


def test_ids_go_out_as_theirs(tmp_path: Path) -> None:
    world = replace(WORLD, ids={"01ENV": "sale", "01ANN": "ann"})
    back(tmp_path, [episode(WORDS)], [], world)
    row = json.loads((tmp_path / "ours.jsonl").read_text())
    assert (row["environment_id"], row["agent_ids"]) == ("01ENV", ["01ANN", "ben"])


#: Texts that look like the form around them, beside any others.
TEXTS = st.one_of(
    st.text(),
    st.sampled_from(['"', '""', ' said: "', 'said: "x"', "did nothing", "[action] x", "\n\n", "\u2028", "\r\n", "🪔"]),
    st.sampled_from(
        ["goal: x\nsecret: y", "\ngoal: z", "\nAgent 2 comments:\nbelievability: x", "Environment comments:"]
    ),
)
ACTS = st.builds(Action, action_type=st.sampled_from(ACTION_TYPES), argument=TEXTS)


@st.composite
def plays(draw: st.DrawFn) -> tuple[Episode, list[Rating]]:
    """An episode of anything at all, with seats that need not take turns, and ratings of none, one or both."""
    acts = draw(st.lists(st.tuples(st.sampled_from([0, 1]), ACTS, st.booleans(), st.integers(1, 3)), max_size=6))
    played = [
        Turn(seat=seat, speaker=NAMES[seat], action=act, call=f"call {number}", attempts=tries, repaired=mended)
        for number, (seat, act, mended, tries) in enumerate(acts)
    ]
    if draw(st.booleans()):  # as play does it
        played = [turn.model_copy(update={"seat": n % 2, "speaker": NAMES[n % 2]}) for n, turn in enumerate(played)]
    ending = draw(st.sampled_from(["left", "silence", "turns", "failed"]))
    one = episode(
        turns=tuple(played),
        ending=ending,
        failure=draw(TEXTS) if ending == "failed" else None,
        replicate=draw(st.integers(0, 9)),
    )
    seats = draw(st.sets(st.sampled_from([0, 1])))
    reasons = st.lists(TEXTS, min_size=7, max_size=7)
    ratings = [rating(one, seat, draw(reasons)) for seat in sorted(seats)]
    if ratings and draw(st.booleans()):
        ratings[0] = rating(one, ratings[0].seat, marks=None, failure=draw(TEXTS))
    return one, ratings


@given(plays())
def test_anything_of_ours_comes_back(play: tuple[Episode, list[Rating]]) -> None:
    with TemporaryDirectory() as folder:
        back(Path(folder), [play[0]], play[1])


@given(plays())
def test_ratings_come_back_from_their_table(play: tuple[Episode, list[Rating]]) -> None:
    assert ratings_of(ratings_frame(play[1])) == play[1]


def test_an_episode_as_play_makes_it_is_in_the_prose_alone() -> None:
    """What is beside the format is small: neither turns nor marks are there twice."""
    one = episode(WORDS, ("action", 'says "x"'), SILENT, SILENT, WORDS)
    row = line_of(one, [rating(one, 0), rating(one, 1)], WORLD)
    assert set(row["parley"]) == {"task_id", "replicate", "ending", "calls", "ratings"}
    assert row["parley"]["ratings"] == [{"seat": seat, "call": f"judged-{one.id}"} for seat in (0, 1)]


# -- the line itself -----------------------------------------------------------------------------------------------


def test_the_line_is_what_sotopia_would_have_written() -> None:
    one = episode(WORDS, SILENT, ("action", "lifts it"), LEAVES, ending="left")
    row = line_of(one, [rating(one, 0), rating(one, 1)], WORLD, tag="round1")
    assert (row["environment_id"], row["agent_ids"], row["experiment_tag"]) == ("sale", ["ann", "ben"], "round1")
    assert row["experiment_model_name_pairs"] == ["judge", "bc", "partner"]
    messages = row["raw_messages"]
    assert [len(group) for group in messages] == [4, 4, 4, 4, 2]
    assert [(sender, receiver) for sender, receiver, _ in messages[0]] == [
        ("Environment", A),
        ("Environment", B),
        (A, "Environment"),
        (B, "Environment"),
    ]
    assert [[text for *_, text in group[2:]] for group in messages[:4]] == [
        ['said: "Well."', "did nothing"],
        ["did nothing", "did nothing"],
        ["[action] lifts it", "did nothing"],
        ["did nothing", "left the conversation"],
    ]
    assert [group[0][2] for group in messages[1:]] == [
        f'Turn #0: {A} said: "Well."\n',
        "Turn #1: \n",
        f"Turn #2: {A} [action] lifts it\n",
        f"Turn #3: {B} left the conversation\n",
    ]
    assert row["social_interactions"] == (
        f'{A} said: "Well."\n\n\n\n{A}: [action] lifts it\n\n{B}: left the conversation'
    )
    assert row["reasoning"].startswith(
        "Environment comments: terminated: Agent 2 is leaving; \nAgent 1 comments:\nbeli"
    )
    overall, scores = row["raw_rewards"][0]
    assert overall == scores["overall_score"] == sum(scores[d.key] for d in DIMENSIONS) / 7
    assert scores["goal"] == 6.0


def test_each_agent_is_shown_what_it_may_know() -> None:
    first, second = (text for *_, text in line_of(episode(WORDS), [], WORLD)["raw_messages"][0][:2])
    assert first.startswith("\nScenario: ") and first.endswith("\nConversation Starts:\n")
    for text, mine, other in ((first, "ann", "ben"), (second, "ben", "ann")):
        assert f"{mine}-secret" in text and f"{other}-secret" not in text
        assert f"{other}-occupation" in text  # friends
    assert f"{B}'s goal: Unknown" in first and "Buy it" not in first
    assert f"{B}'s goal: Buy it for $10. (<clarification_hint>Below $12 counts.</clarification_hint>)" in second
    strangers = World({"sale": task(relationship="stranger")}, WORLD.characters)
    of_strangers = episode(WORDS, task_id=task(relationship="stranger").id)
    assert f"{B}'s background: Unknown" in line_of(of_strangers, [], strangers)["raw_messages"][0][0][2]
    row = line_of(episode(WORDS), [], WORLD)
    assert "ann-secret" in row["agents_background"][A] and "ben-secret" in row["agents_background"][B]
    assert row["social_goals"][A] == (
        "Sell it for $20. (<extra_info>It flickers. <strategy_hint>Start high.</strategy_hint></extra_info>)"
    )


def test_the_same_episodes_give_the_same_bytes(tmp_path: Path) -> None:
    one = episode(("speak", "Zwölf – 🪔"))
    for name in ("a", "b"):
        export_episodes(tmp_path / name, [one], [rating(one, 0)], WORLD)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes().isascii()  # sotopia opens it in the encoding of the place


# -- theirs, there and back ----------------------------------------------------------------------------------------

#: What changes on the way: each is written anew from the task and the characters, or has no place in ours.
ANEW = ("scenario", "codename", "agents_background", "social_goals", "social_interactions", "rewards")
NO_PLACE = ("experiment_tag", "raw_rewards_prompt")


def settled(row: dict[str, Any]) -> dict[str, Any]:
    """A line without what changes on the way: the first turn's texts, leading spaces, and the keys above."""
    messages = [
        [
            [
                sender,
                receiver,
                "" if number == 0 and sender == "Environment" else text.removeprefix(" ").replace("  said:", " said:"),
            ]
            for sender, receiver, text in group
        ]
        for number, group in enumerate(row["raw_messages"])
    ]
    kept = {key: row[key] for key in row if key not in (*ANEW, *NO_PLACE, "parley")}
    return {**kept, "raw_messages": messages}


@pytest.mark.parametrize(
    "row",
    [
        line(),
        line(
            'said: "A "fine" lamp."',
            "[action] lifts it",
            "left the conversation",
            reasoning=comments("Agent 1 is leaving; "),
        ),
        line(' said: "Hm."', ' said: "Ho."'),
        line(*["did nothing"] * 3, reasoning=comments("The conversation stales for too long; ")),
        line(raw_rewards=[reward(secret=-2.0), reward(financial_and_material_benefits=-5.0)]),
        line(raw_rewards=[0.0, 0.0], reasoning="Environment comments: terminated: The conversation is too long; \n"),
    ],
)
def test_a_released_line_comes_back(tmp_path: Path, row: dict[str, Any]) -> None:
    found = import_episodes(file(tmp_path / "theirs.jsonl", row), WORLD)
    export_episodes(tmp_path / "again.jsonl", found.episodes, found.ratings, WORLD)
    again = json.loads((tmp_path / "again.jsonl").read_text())
    assert settled(again) == settled(row)
    # And what has come in once stays: the second time nothing at all changes.
    twice = import_episodes(tmp_path / "again.jsonl", WORLD)
    assert (twice.episodes, twice.ratings) == (found.episodes, found.ratings)
    assert json.loads(json.dumps(line_of(twice.episodes[0], twice.ratings, WORLD))) == again


# -- what cannot go out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "world", "said"),
    [
        (episode(WORDS, task="lamp"), WORLD, "no task is called 'lamp'; give the file of its tasks"),
        (episode(WORDS), World(WORLD.tasks, {"ann": ANN}), "no character has the id 'ben'; give the file of its"),
        (episode(WORDS, task_id="0" * 16), WORLD, "was played with another version of the task 'sale'; give the"),
    ],
)
def test_an_episode_whose_world_is_not_there(tmp_path: Path, one: Episode, world: World, said: str) -> None:
    with pytest.raises(ParleyError, match=f"episode {one.id}:? {said}"):
        export_episodes(tmp_path / "x.jsonl", [one], [], world)
    assert not (tmp_path / "x.jsonl").exists()


def test_two_judges_cannot_share_a_line(tmp_path: Path) -> None:
    one = episode(WORDS)
    with pytest.raises(ParleyError, match=r"rated more than once \(by judge, other\); name one judge"):
        export_episodes(tmp_path / "x.jsonl", [one], [rating(one, 0), rating(one, 0, judge="other")], WORLD)


def test_ratings_of_other_episodes_are_not_dropped_in_silence(tmp_path: Path) -> None:
    one, two = episode(WORDS), episode(WORDS, WORDS)
    with pytest.raises(ParleyError, match=f"1 episodes are rated but not given, {two.id} for one; give them too"):
        export_episodes(tmp_path / "x.jsonl", [one], [rating(two, 0)], WORLD)


def test_calls_that_do_not_fit_the_messages_are_told(tmp_path: Path) -> None:
    row = line_of(episode(WORDS, WORDS), [], WORLD)
    row["raw_messages"] = talk('said: "Well."')
    with pytest.raises(ParleyError, match=r"x.jsonl:1: parley.calls are 2, its turns 1; export the episode again"):
        import_episodes(file(tmp_path / "x.jsonl", row), WORLD)
