"""Importing the released file: each of its quirks, what ours cannot hold, and every way in which a line can be broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from parley.errors import ParleyError
from parley.exchange.episodes import Imported, World, import_episodes
from parley.exchange.released import Fault, read_ids
from parley.records.rating import KEYS, ratings_frame
from tests.builders import PEOPLE, person, task
from tests.released import SCORES, WORLD, A, B, comments, file, group, line, reward, talk

Row = dict[str, Any] | str


def imported(path: Path, *rows: Row, world: World = WORLD, **options: Any) -> Imported:
    return import_episodes(file(path / "released.jsonl", *rows), world, **options)


def acts(found: Imported, number: int = 0) -> list[tuple[int, str, str]]:
    turns = found.episodes[number].turns
    return [(turn.seat, turn.action.action_type, turn.action.argument) for turn in turns]


# -- episodes ------------------------------------------------------------------------------------------------------


def test_a_line_becomes_an_episode_and_two_ratings(tmp_path: Path) -> None:
    found = imported(tmp_path, line())
    (episode,) = found.episodes
    assert (episode.task, episode.task_id, episode.cast) == ("sale", task().id, ("ann", "ben"))
    assert (episode.names, episode.players) == ((A, B), ("gpt-4", "gpt-3.5-turbo"))
    assert (episode.replicate, episode.ending, episode.failure) == (0, "turns", None)
    assert acts(found) == [(0, "speak", "Good day."), (1, "speak", "And to you.")]
    assert {turn.call for turn in episode.turns} == {"imported:01EPISODE"}
    assert [turn.speaker for turn in episode.turns] == [A, B]
    one, two = found.ratings
    assert one.marks is not None and two.marks is not None
    assert {key: mark.score for key, mark in one.marks.items()} == {**SCORES, "goal": 8}
    assert (two.marks["goal"].score, two.marks["goal"].reasoning) == (3, f"{B} and goal.")
    assert (one.episode, one.judge, one.player, one.partner) == (episode.id, "gpt-4", "gpt-4", "gpt-3.5-turbo")
    assert (two.seat, two.name, two.player, two.call) == (1, B, "gpt-3.5-turbo", "imported:01EPISODE")
    assert ratings_frame(found.ratings)["goal"].to_list() == [8, 3]


@pytest.mark.parametrize("lead", ["", " "])
def test_all_kinds_of_action_come_in(tmp_path: Path, lead: str) -> None:
    told = ['said: "A "fine"\nlamp."', "[action] lifts it", "did nothing", "[non-verbal communication] nods"]
    found = imported(tmp_path, line(*(lead + text for text in [*told, "left the conversation"])))
    assert acts(found) == [
        (0, "speak", 'A "fine"\nlamp.'),
        (1, "action", "lifts it"),
        (0, "none", ""),
        (1, "non-verbal communication", "nods"),
        (0, "leave", ""),
    ]
    assert found.episodes[0].ending == "left"


def test_two_messages_a_turn_are_enough(tmp_path: Path) -> None:
    acted = [group(n, 'said: "Hm."', "did nothing")[2:] for n in (0,)] + [group(1, second='said: "Ho."')[2:]]
    assert acts(imported(tmp_path, line(raw_messages=acted))) == [(0, "speak", "Hm."), (1, "speak", "Ho.")]


def test_a_script_begins_with_what_is_shown_and_puts_who_acts_first(tmp_path: Path) -> None:
    opening, second = group(0)[:2], group(2, 'said: "Ho."', "did nothing")
    script = [opening, group(1), [*second[:2], [B, "Environment", 'said: "Ho."'], [A, "Environment", "did nothing"]]]
    assert acts(imported(tmp_path, line(raw_messages=script))) == [(0, "none", ""), (1, "speak", "Ho.")]


def test_both_at_once_are_two_turns_and_told(tmp_path: Path) -> None:
    found = imported(tmp_path, line(raw_messages=[group(0, 'said: "Hm."', 'said: "Ho."'), group(1)[:2]]))
    assert acts(found) == [(0, "speak", "Hm."), (1, "speak", "Ho.")]
    assert any("both acted at once" in note for note in found.notes)


def test_hearers_are_told(tmp_path: Path) -> None:
    found = imported(tmp_path, line(f" [private to ['{B}']] said: \"Psst.\""))
    assert acts(found) == [(0, "speak", "Psst.")]
    assert any("who alone should hear" in note for note in found.notes)


@pytest.mark.parametrize(
    ("acted", "reasoning", "ending", "guessed"),
    [
        (['said: "Bye."', "left the conversation"], "", "left", False),
        (['said: "Hm."'] * 20, comments(), "turns", False),
        (["did nothing"] * 3, comments("The conversation stales for too long; "), "silence", False),
        (["did nothing"] * 3, "", "silence", True),
        (['said: "Hm."'], None, "turns", True),
    ],
)
def test_how_it_ended(tmp_path: Path, acted: list[str], reasoning: str | None, ending: str, guessed: bool) -> None:
    found = imported(tmp_path, line(*acted, reasoning=reasoning))
    assert found.episodes[0].ending == ending
    assert any("how it ended" in note for note in found.notes) == guessed


def test_the_same_again_is_another_replicate(tmp_path: Path) -> None:
    other = ["gpt-4", "gpt-3.5-turbo", "gpt-4"]
    rows = [line(episode_id="1"), line(episode_id="2"), line(episode_id="3", experiment_model_name_pairs=other)]
    found = imported(tmp_path, *rows, line(episode_id="4"))
    assert [episode.replicate for episode in found.episodes] == [0, 1, 0, 2]
    assert [rating.replicate for rating in found.ratings] == [0, 0, 1, 1, 0, 0, 2, 2]
    assert len({episode.id for episode in found.episodes}) == 4


def test_a_line_that_is_there_twice_comes_in_once(tmp_path: Path) -> None:
    found = imported(tmp_path, line(), line())
    assert (len(found.episodes), len(found.ratings)) == (1, 2)
    assert found.notes["an episode that is in the file twice; it is here once"] == [2]


def test_a_second_judge_of_the_same_episode_adds_ratings(tmp_path: Path) -> None:
    again = ["llama", "gpt-4", "gpt-3.5-turbo"]
    found = imported(tmp_path, line(), line(experiment_model_name_pairs=again))
    assert len(found.episodes) == 1
    assert [rating.judge for rating in found.ratings] == ["gpt-4", "gpt-4", "llama", "llama"]


def test_models_are_picked_and_renamed(tmp_path: Path) -> None:
    rows = [line(), line(episode_id="2", experiment_model_name_pairs=["gpt-4"] * 3)]
    found = imported(tmp_path, *rows, only=("gpt-4", "gpt-4"), renamed={"gpt-4": "expert"})
    assert [episode.players for episode in found.episodes] == [("expert", "expert")]
    assert {rating.judge for rating in found.ratings} == {"expert"}
    assert found.passed_over == {("gpt-4", "gpt-3.5-turbo"): 1}


def test_ids_are_mapped(tmp_path: Path) -> None:
    theirs = line(environment_id="01ENV", agent_ids=["01ANN", "01BEN"])
    ids = {"01ENV": "sale", "01ANN": "ann", "01BEN": "ben"}
    found = imported(tmp_path, theirs, world=World(WORLD.tasks, WORLD.characters, ids))
    assert (found.episodes[0].task, found.episodes[0].cast) == ("sale", ("ann", "ben"))
    bare = imported(tmp_path, theirs, world=World())
    assert (bare.episodes[0].task, bare.episodes[0].cast) == ("01ENV", ("01ANN", "01BEN"))
    assert bare.episodes[0].task_id == ""  # no task is known that it could be the id of


def test_names_go_by_the_cast_and_not_by_the_order_of_messages(tmp_path: Path) -> None:
    swapped = [[turn[1], turn[0], *turn[:1:-1]] if len(turn) == 4 else turn[::-1] for turn in talk('said: "Hm."')]
    found = imported(tmp_path, line(raw_messages=swapped))
    assert (found.episodes[0].names, acts(found)) == ((A, B), [(0, "speak", "Hm.")])


def test_half_characters_become_whole(tmp_path: Path) -> None:
    found = imported(tmp_path, line('said: "\ud83d lamp"'))
    assert found.episodes[0].turns[0].action.argument == "\ufffd lamp"
    found.episodes[0].model_dump_json()


# -- ratings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (0.0, "the file has the bare number 0.0 where scores should be"),
        (0, "the file has the bare number 0 where scores should be"),
        (7.5, "the file has the bare number 7.5 where scores should be"),
        (None, "the file has the bare number None where scores should be"),
        ([0.0, {}], "the file has no score for believability, relationship"),
        ([1.0, {key: score for key, score in SCORES.items() if key != "goal"}], "the file has no score for goal"),
        (reward(goal=7.5), "goal is 7.5, not a whole number"),
        (reward(goal=float("nan")), "goal is nan, not a whole number"),
        (reward(secret=3.0), "secret is 3.0, outside -10 to 0"),
    ],
)
def test_a_judge_that_failed_is_a_failed_rating_and_never_a_score(tmp_path: Path, given: Any, said: str) -> None:
    found = imported(tmp_path, line(raw_rewards=[given, reward(goal=3.0)]))
    failed, rated = found.ratings
    assert failed.marks is None and (failed.failure or "").startswith(f"rating failed: {said}")
    assert rated.marks is not None and rated.marks["goal"].score == 3
    frame = ratings_frame(found.ratings)
    assert frame["goal"].to_list() == [None, 3]
    assert "what the judge said of a seat that has no scores" in found.notes


def test_comments_without_dimensions_are_kept_whole(tmp_path: Path) -> None:
    found = imported(tmp_path, line(reasoning="Both did well."))
    for rating in found.ratings:
        assert rating.marks is not None
        assert [mark.reasoning for mark in rating.marks.values()] == ["Both did well.", *[""] * 6]
    assert any("not divided by dimension" in note for note in found.notes)


def test_a_reason_that_is_missing_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, line(reasoning=comments().replace(f"secret: {A} and secret.\n", "")))
    assert found.ratings[0].marks is not None and found.ratings[0].marks["secret"].reasoning == ""
    assert any("reasons for some scores" in note for note in found.notes)


def test_what_ours_cannot_hold_is_told_with_its_lines(tmp_path: Path) -> None:
    odd = reward()
    odd[1]["humour"] = 3.0
    rows = [
        line(episode_id=str(n), experiment_tag="" if n else "t", raw_rewards_prompt="p" if n else "") for n in (0, 1)
    ]
    found = imported(tmp_path, *rows, line(raw_rewards=[odd, [9.0, reward()[1]]], licence="x"))
    lines = {what.split(",")[0].split(";")[0]: numbers for what, numbers in found.notes.items()}
    assert lines["the score of 'humour'"] == [3]
    assert lines["an overall score that is not the mean of the seven"] == [3]
    assert (lines["experiment_tag"], lines["raw_rewards_prompt"]) == ([1, 3], [2])
    assert lines["licence"] == [3]
    assert "codename" not in lines  # the task stands for it, if it is known
    assert "codename, which has no place here" in imported(tmp_path, line(), world=World()).notes


def test_nothing_is_told_of_a_line_that_fits(tmp_path: Path) -> None:
    assert imported(tmp_path, line(experiment_tag="")).notes == {}


# -- lines that are broken -----------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Row, str]] = {
    "no JSON": ('{"episode_id":', "not JSON (Expecting value at column 15); mend or delete the line"),
    "no object": ("[]", "not an episode (the whole: "),
    "no id": (line(episode_id=""), "not an episode (episode_id: "),
    "no messages": (line(raw_messages=[]), "raw_messages: must be a list with a list of messages for each turn"),
    "a short message": (
        line(raw_messages=[[["Environment", A]]]),
        "turn 0 has a message that is not [sender, receiver",
    ),
    "one reward": (
        line(raw_rewards=[0.0]),
        "(raw_rewards: 1 where there must be 2, one for each agent); mend or delete",
    ),
    "a reward of text": (
        line(raw_rewards=[0.0, "good"]),
        "raw_rewards: entry 1 is neither a number nor [overall, scores",
    ),
    "no rewards": ({k: v for k, v in line().items() if k != "raw_rewards"}, "(raw_rewards: Field required)"),
    "no cast": (line(agent_ids=None), "(agent_ids: None where there must be 2, one for each agent)"),
    "three agents": (line(agent_ids=["ann", "ben", "cem"]), "(agent_ids: 3 where there must be 2, one for each agent)"),
    "no models": (line(experiment_model_name_pairs=[]), "0 where there must be 3, one for the judge and each agent"),
    "an unknown task": (
        line(environment_id="01NONE"),
        "no task is known for the environment_id '01NONE'; import the profiles that it was played with, map the id",
    ),
    "an unknown agent": (line(agent_ids=["ann", "01NONE"]), "no character is known for the agent id '01NONE'; import"),
    "another's name": (line(agent_ids=["ann", "cem"]), "Ann Ash and Cem Can by id, Ann Ash and Ben Birch by name"),
    "a stranger": (
        line(raw_messages=[*talk('said: "Hm."'), [["Eve Elm", "Environment", "did nothing"]]]),
        "the messages are between 3 agents (Ann Ash, Ben Birch, Eve Elm), not two",
    ),
    "no action": (line('said: "Hm."', "hums"), "turn 1: no action in 'hums'; mend or delete the line"),
    "nobody acts": (line(raw_messages=[group(0)[:2]]), "nobody does anything in it; mend or delete the line"),
    "an id again": (
        line('said: "No."', episode_id="good"),
        "line 1 has the same episode_id 'good' and another content",
    ),
}
CEM = World(WORLD.tasks, {**PEOPLE, "cem": person("Cem Can")})


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    row, said = BROKEN[kind]
    with pytest.raises(ParleyError) as caught:
        imported(tmp_path, line(episode_id="good"), "", row, world=CEM)
    assert str(caught.value).startswith(f"{tmp_path}/released.jsonl:3: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_lines_can_be_put_aside_and_nothing_else_is_lost(tmp_path: Path) -> None:
    aside: list[tuple[int, str, str]] = []

    def reject(number: int, text: str, fault: Fault) -> None:
        aside.append((number, text, fault.what))

    rows: list[Row] = [line(episode_id="good")]
    for number, (row, _) in enumerate(BROKEN.values()):
        rows += [row, line(episode_id=f"good-{number}")]
    found = imported(tmp_path, *rows, world=CEM, on_fault=reject)
    assert len(found.episodes) == 1 + len(BROKEN)
    # What was put aside has left no mark: replicates go on without a gap, and every episode is rated.
    assert [episode.replicate for episode in found.episodes] == [*range(1 + len(BROKEN))]
    assert len(found.ratings) == 2 * len(found.episodes)
    written = (tmp_path / "released.jsonl").read_text().splitlines(keepends=True)
    assert [text for _, text, _ in aside] == [written[number - 1] for number, _, _ in aside]
    assert [number for number, _, _ in aside] == [*range(2, 2 + 2 * len(BROKEN), 2)]


def test_a_file_that_is_not_there_or_empty_or_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with pytest.raises(ParleyError, match=r"x.jsonl: no such file; correct the path"):
        import_episodes(path, WORLD)
    path.write_bytes(b"")
    with pytest.raises(ParleyError, match=r"x.jsonl: empty; get the file again"):
        import_episodes(path, WORLD)
    path.write_bytes(b'{"a": "\xff"}\n')
    with pytest.raises(ParleyError, match=r"x.jsonl: not UTF-8 text"):
        import_episodes(path, WORLD)


def test_separators_inside_texts_end_no_line(tmp_path: Path) -> None:
    text = "One.\u2028Two.\x85Three."
    path = tmp_path / "x.jsonl"
    path.write_text(file(tmp_path / "y", line('said: "LAMP"')).read_text().replace("LAMP", text), encoding="utf-8")
    assert import_episodes(path, WORLD).episodes[0].turns[0].action.argument == text


def test_keys_that_a_score_must_have_are_those_of_ours() -> None:
    assert set(SCORES) == set(KEYS)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ids.json", "{", "not JSON"),
        ("ids.json", "[]", "must be one JSON object"),
        ("ids.json", '{"a": 1}', "must be one JSON object"),
        ("ids.json", '{"a": "x", "b": "x"}', "two ids stand for the same one of ours"),
        ("left.jsonl", '{"id": "a"}', "its lines must have noun, id and of"),
        ("left.jsonl", '["a"]', "its lines must have noun, id and of"),
        ("left.jsonl", '{"id"', "not JSON"),
    ],
)
def test_a_map_of_ids_that_is_none(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ParleyError, match=f"{name}: {said}"):
        read_ids(tmp_path / name)
    with pytest.raises(ParleyError, match="no such file"):
        read_ids(tmp_path / "none.json")


def test_what_an_import_of_profiles_left_over_is_a_map_of_ids(tmp_path: Path) -> None:
    rows = [("environment", "sale", "01ENV"), ("agent", "ann", "01ANN"), ("combo", "sale ann+ben", "01COMBO")]
    path = tmp_path / "leftovers.jsonl"
    path.write_text(
        "".join(json.dumps({"noun": noun, "of": of, "id": id_, "values": {}}) + "\n" for noun, of, id_ in rows)
    )
    assert read_ids(path) == {"01ENV": "sale", "01ANN": "ann"}
