"""The typed twin: `datasets.load_dataset` reads it, with one type a column and nothing of ours lost."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given

from parley.errors import ParleyError
from parley.exchange.episodes import World
from parley.exchange.typed import SCHEMA, typed_frame, write_typed
from parley.records.episode import Episode
from parley.records.rating import DIMENSIONS, KEYS, Mark, Rating
from tests.builders import LEAVES, SILENT, WORDS, episode, task
from tests.released import WORLD
from tests.test_released_export import plays, rating

ONE = episode(WORDS, ("action", 'lifts "it"\n🪔'), SILENT, LEAVES, ending="left")
FAILED = episode(WORDS, ending="failed", failure="seat 1, turn 2: cut off")
WHY: dict[str, Any] = {"marks": None, "failure": "episode failed: cut off"}
RATINGS = [
    rating(ONE, 0),
    rating(ONE, 1),
    rating(ONE, 0, judge="other"),
    rating(FAILED, 0, **WHY),
    rating(FAILED, 1, **WHY),
]


def records(row: dict[str, Any]) -> tuple[Episode, list[Rating]]:
    """The records that a row was made of."""
    action = ("action_type", "argument")
    turns = [
        {**{key: turn[key] for key in turn if key not in action}, "action": {key: turn[key] for key in action}}
        for turn in row["turns"]
    ]
    own = {key: row[key] for key in Episode.model_fields if key != "turns"}
    one = Episode.model_validate({**own, "turns": turns})
    ratings = []
    for told in row["ratings"]:
        marks = None
        if told["failure"] is None:
            marks = {key: Mark(reasoning=told[f"{key}_reason"], score=told[key]) for key in KEYS}
        ratings.append(rating(one, **{key: told[key] for key in ("seat", "judge", "call", "failure")}, marks=marks))
    return one, ratings


@pytest.mark.parametrize(("kind", "name"), [("parquet", "episodes.parquet"), ("json", "episodes.jsonl")])
def test_datasets_loads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    datasets = pytest.importorskip("datasets")
    write_typed(tmp_path / name, typed_frame([ONE, FAILED], RATINGS, WORLD))
    loaded = datasets.load_dataset(
        kind, data_files=str(tmp_path / name), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.column_names == [*SCHEMA]
    assert [records(row) for row in loaded] == [(ONE, RATINGS[:3]), (FAILED, RATINGS[3:])]
    assert loaded[0]["scenario"] == task().scenario
    assert loaded[0]["goals"][0].startswith("Sell it for $20. (<extra_info>")
    assert loaded[0]["episode"] == ONE.id
    score = loaded.features["ratings"].feature["goal"].dtype
    assert score == ("int8" if kind == "parquet" else "int64")


def test_a_failed_rating_is_null_and_never_0() -> None:
    (_, row) = typed_frame([ONE, FAILED], RATINGS, WORLD).iter_rows(named=True)
    for told in row["ratings"]:
        assert {told[dimension.key] for dimension in DIMENSIONS} == {None}
        assert (told["overall"], told["failure"]) == (None, "episode failed: cut off")


@given(plays())
def test_anything_of_ours_is_in_it(play: tuple[Episode, list[Rating]]) -> None:
    one, ratings = play
    (row,) = typed_frame([one], ratings, WORLD).iter_rows(named=True)
    assert records(row) == (one, ratings)


def test_types_are_the_same_whatever_is_in_it(tmp_path: Path) -> None:
    for number, (episodes, ratings) in enumerate([([], []), ([ONE], []), ([FAILED], RATINGS[3:])]):
        write_typed(tmp_path / f"{number}.parquet", typed_frame(episodes, ratings, World()))
        assert dict(pl.read_parquet_schema(tmp_path / f"{number}.parquet")) == SCHEMA
    assert typed_frame([ONE], [], World())["scenario"].to_list() == [None]


def test_another_ending_of_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"x.csv: the name must end in .parquet or .jsonl"):
        write_typed(tmp_path / "x.csv", typed_frame([], [], World()))
