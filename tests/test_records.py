"""Records and their files: what is read, what is refused and with which words, and what an id stands for."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from parley.errors import ParleyError
from parley.records.character import Relationship, read_characters, read_relationships
from parley.records.episode import Action, Episode
from parley.records.frames import write_parquet
from parley.records.jsonl import Record, read_jsonl
from parley.records.rating import KEYS, SCHEMA, Rating, ratings_frame, read_ratings
from parley.records.task import Goal, read_tasks
from tests.builders import ANN, BEN, PEOPLE, SILENT, WORDS, episode, jsonl, keyword, person, task

# -- characters and relationships ----------------------------------------------------------------------------------


def test_characters_are_known_by_id(tmp_path: Path) -> None:
    assert read_characters(jsonl(tmp_path / "c.jsonl", ANN, BEN)) == PEOPLE
    assert ANN.name == "Ann Ash"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (person("Cem Can", id="ann"), "the id 'ann' is used twice; give each character its own"),
        (person("Ann Ash", id="cem"), "the name 'Ann Ash' is used twice; give each character its own"),
    ],
)
def test_an_id_or_a_name_used_twice_is_named(tmp_path: Path, second: Record, said: str) -> None:
    with pytest.raises(ParleyError, match=f"c.jsonl: {said}"):
        read_characters(jsonl(tmp_path / "c.jsonl", ANN, second))


def test_a_relationship_is_spelled_by_its_name(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "r.jsonl", '{"characters": ["ann", "ben"], "relationship": "know_by_name"}')
    (pair,) = read_relationships(path, PEOPLE)
    assert pair.relationship is Relationship.know_by_name
    assert json.loads(pair.model_dump_json())["relationship"] == "know_by_name"
    # The numbers are SOTOPIA's.
    assert [(kind.value, kind.name) for kind in Relationship] == list(
        enumerate(["stranger", "know_by_name", "acquaintance", "friend", "romantic", "family"])
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"characters": ["ann", "eve"], "relationship": "friend"}', "no character has the id 'eve'; add it or delete"),
        (
            '{"characters": ["ann", "ben"], "relationship": "foe"}',
            "not an acquaintance (relationship: unknown relation",
        ),
        ('{"characters": ["ann", "ann"], "relationship": "friend"}', "nobody knows themselves; delete the line"),
        ('{"characters": ["ben", "ann"], "relationship": "family"}', "a line above says the same of the same two; del"),
    ],
)
def test_a_relationship_of_no_use_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = jsonl(tmp_path / "r.jsonl", '{"characters": ["ann", "ben"], "relationship": "family"}', line)
    with pytest.raises(ParleyError) as raised:
        read_relationships(path, PEOPLE)
    assert f"r.jsonl:2: {said}" in str(raised.value)


# -- tasks ---------------------------------------------------------------------------------------------------------


def test_a_task_name_used_twice_is_named_by_the_second_line(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "t.jsonl", task("sale"), task("loan"), task("sale"))
    with pytest.raises(ParleyError, match=r"t.jsonl:3: the task name 'sale' is used twice; rename one of them"):
        read_tasks(path)


def test_a_task_comes_back_as_it_was_written(tmp_path: Path) -> None:
    one = task(
        "sale", keyword=keyword(1), roles=("instigator", "bystander"), tags=("hard",), occupations=((), ("cook",))
    )
    assert read_tasks(jsonl(tmp_path / "t.jsonl", one)) == [one]


@pytest.mark.parametrize(
    "changes",
    [{"name": "../sale"}, {"name": ""}, {"scenario": "Short."}, {"ages": [[30, 20], [18, 70]]}, {"goals": ["one"]}],
)
def test_a_task_that_cannot_be_played_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        task(**changes)


def test_the_id_of_a_task_is_what_an_episode_depends_on() -> None:
    same = task("sale")
    goals = (same.goals[0], Goal(text="Buy it for $11."))
    alike: list[dict[str, Any]] = [
        {"tags": ["hard"]},
        {"casts": []},
        {"ages": [[18, 30], [18, 70]]},
        {"roles": ("a", "b")},
    ]
    others: list[dict[str, Any]] = [{"scenario": "A lamp is for sale."}, {"goals": goals}, {"relationship": "stranger"}]
    assert {task("sale", **changes).id for changes in alike} == {same.id}
    assert len({same.id, *(task("sale", **changes).id for changes in others)}) == 4


def test_a_goal_is_spoken_with_the_hints_that_there_are() -> None:
    goal = Goal(
        text="Sell it.", extra_info="It flickers.", strategy_hint="Start high.", clarification_hint="$15 will do."
    )
    assert goal.spoken() == "Sell it. It flickers. $15 will do. Start high."
    assert Goal(text="Sell it.", strategy_hint="").spoken() == "Sell it."


@given(st.sets(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), min_size=1), st.integers(1, 64))
def test_a_shard_is_decided_by_the_name_alone(names: set[str], shards: int) -> None:
    for name in names:
        number = task(name).shard(shards)
        assert 0 <= number < shards
        assert task(name, scenario="Something else altogether.", casts=()).shard(shards) == number


def test_shards_are_filled_about_evenly() -> None:
    numbers = [task(f"k{number:03d}").shard(4) for number in range(400)]
    assert all(70 <= numbers.count(shard) <= 130 for shard in range(4))


# -- episodes ------------------------------------------------------------------------------------------------------


def test_an_action_as_json_is_the_answer_that_stands_for_it() -> None:
    action = Action(action_type="speak", argument='He said "no"\nand “left”')
    assert action.as_json() == '{"action_type": "speak", "argument": "He said \\"no\\"\\nand “left”"}'
    assert Action.model_validate_json(action.as_json()) == action


def test_the_id_of_an_episode_is_what_was_done_by_whom_and_where() -> None:
    same = episode(WORDS, SILENT)
    relabelled = [turn.model_copy(update={"call": "other", "attempts": 2, "repaired": True}) for turn in same.turns]
    assert episode(turns=relabelled).id == same.id
    others = [
        episode(WORDS),
        episode(WORDS, ("none", " ")),
        episode(SILENT, WORDS),
        episode(WORDS, SILENT, replicate=1),
        episode(WORDS, SILENT, players=("partner", "bc")),
        episode(WORDS, SILENT, cast=("ben", "ann")),
        episode(WORDS, SILENT, task="loan"),
        episode(WORDS, SILENT, ending="left"),
    ]
    assert len({same.id, *(other.id for other in others)}) == 9


def test_only_a_failed_episode_is_failed() -> None:
    assert episode(ending="failed", failure="seat 0, turn 1: no answer").failed
    assert not episode(SILENT, ending="silence").failed


def test_an_act_that_there_is_not_is_refused(tmp_path: Path) -> None:
    line = episode(WORDS).model_dump_json().replace('"speak"', '"shout"')
    path = jsonl(tmp_path / "e.jsonl", line)
    with pytest.raises(ParleyError, match=r"e.jsonl:1: not an episode \(turns.0.action.action_type: Input should be"):
        read_jsonl(path, Episode)


# -- ratings -------------------------------------------------------------------------------------------------------

SCORES = dict(zip(KEYS, [9, -2, 4, -1, 0, 3, 8], strict=True))


def rating(**changes: Any) -> Rating:
    marks = {key: {"reasoning": f"why {key}", "score": score} for key, score in SCORES.items()}
    where = {"episode": "e", "task": "sale", "cast": ("ann", "ben"), "seat": 0, "name": "Ann Ash", "replicate": 0}
    who = {"player": "bc", "partner": "partner", "judge": "judge", "call": "k"}
    return Rating.model_validate({**where, **who, "marks": marks, **changes})


def test_overall_is_the_plain_mean_of_the_seven() -> None:
    assert rating().overall == 3.0  # (9 - 2 + 4 - 1 + 0 + 3 + 8) / 7


def test_a_failed_rating_has_no_score_at_all() -> None:
    failed = rating(marks=None, failure="no answer")
    assert failed.overall is None
    (row,) = ratings_frame([failed]).to_dicts()
    assert row["failure"] == "no answer"
    assert [row[key] for key in (*KEYS, "overall", *(f"{key}_reason" for key in KEYS))] == [None] * 15


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"marks": None}, "a rating has either marks or a failure"),
        ({"failure": "no answer"}, "a rating has either marks or a failure"),
        ({"marks": {"goal": {"reasoning": "", "score": 1}}}, "believability is missing"),
        ({"seat": 2}, "less than or equal to 1"),
    ],
)
def test_a_rating_is_whole_or_failed(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        rating(**changes)


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("believability", 0, 10),
        ("relationship", -5, 5),
        ("knowledge", 0, 10),
        ("secret", -10, 0),
        ("social_rules", -10, 0),
        ("financial_and_material_benefits", -5, 5),
        ("goal", 0, 10),
    ],
)
def test_a_score_lies_in_the_range_of_its_dimension(key: str, low: int, high: int) -> None:
    def with_score(score: int) -> Rating:
        marks = {name: {"reasoning": "", "score": score if name == key else 0} for name in KEYS}
        return rating(marks=marks)

    assert {with_score(low).overall, with_score(high).overall} == {low / 7, high / 7}
    for outside in (low - 1, high + 1):
        with pytest.raises(ValidationError, match=f"{key} is outside {low} to {high}"):
            with_score(outside)


def test_ratings_are_a_table_of_one_row_a_seat(tmp_path: Path) -> None:
    frame = ratings_frame([rating(), rating(seat=1)])
    assert frame.schema == pl.Schema(SCHEMA)
    row = frame.row(0, named=True)
    assert {key: row[key] for key in KEYS} == SCORES
    assert (row["cast"], row["overall"], row["goal_reason"]) == ("ann+ben", 3.0, "why goal")
    assert row["failure"] is None


def test_rating_files_are_read_in_order_and_none_is_no_row(tmp_path: Path) -> None:
    for seat in (1, 0):
        write_parquet(tmp_path / f"{seat}.parquet", ratings_frame([rating(seat=seat)]))
    write_parquet(tmp_path / "empty.parquet", ratings_frame([]))
    found = read_ratings([tmp_path / "1.parquet", tmp_path / "empty.parquet", tmp_path / "0.parquet"])
    assert found["seat"].to_list() == [1, 0]
    assert read_ratings([]).schema == pl.Schema(SCHEMA) == found.schema
