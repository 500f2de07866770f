"""The two scripts, from a released file to what selection and datasets take, and out again."""

import json
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from parley.config import Selection
from parley.errors import ParleyError
from parley.learning.dataset import samples
from parley.learning.selection import select
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl
from parley.records.rating import read_ratings
from scripts import export_episodes, import_episodes
from tests.builders import ANN, BEN, jsonl, renderer, task
from tests.released import file, line, reward


def ran(monkeypatch: pytest.MonkeyPatch, script: ModuleType, *options: object) -> None:
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, options)])
    script.main()


@pytest.fixture
def world(tmp_path: Path) -> list[object]:
    """The options that say what the ids mean."""
    tasks, characters = jsonl(tmp_path / "tasks.jsonl", task()), jsonl(tmp_path / "characters.jsonl", ANN, BEN)
    return ["--tasks", tasks, "--characters", characters]


def out(folder: Path) -> list[object]:
    return ["--episodes", folder / "e.jsonl", "--ratings", folder / "r.parquet", "--log", folder / "log"]


def test_released_data_stand_in_for_the_expert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: list[object]
) -> None:
    both = ["gpt-4"] * 3
    rows = [
        line(f'said: "Number {number}."', 'said: "Fine."', episode_id=str(number), experiment_model_name_pairs=both)
        for number in range(3)
    ]
    rows[1]["raw_rewards"] = [reward(goal=9.0), reward(goal=2.0)]
    rows[2]["raw_rewards"] = [0.0, 0.0]
    source = file(tmp_path / "theirs.jsonl", *rows, line(episode_id="other"))
    ran(
        monkeypatch,
        import_episodes,
        source,
        *world,
        *out(tmp_path),
        "--only",
        "gpt-4",
        "gpt-4",
        "--rename",
        "gpt-4=expert",
    )
    log = (tmp_path / "log").read_text()
    assert "3 episodes, 6 ratings of which 2 failed, 1 lines of other models passed over" in log
    assert "not kept in 3 lines (the first is 1): experiment_tag, which has no place here" in log
    episodes = read_jsonl(tmp_path / "e.jsonl", Episode)
    chosen = select(read_ratings([tmp_path / "r.parquet"]), Selection(rule="sr", share=0.5), players={"expert"})
    assert chosen.filter("kept").select("seat", "reward").rows() == [(0, 9.0), (1, 3.0)]
    assert chosen.filter(pl.col("outcome") == "rating failed").height == 2
    frame = samples(chosen, episodes, renderer("turn").messages).frame
    assert frame["completion"].list.get(0).struct.field("content").to_list() == [
        '{"action_type": "speak", "argument": "Fine."}',
        '{"action_type": "speak", "argument": "Number 1."}',
    ]
    assert "Number 0." in frame["prompt"][0][0]["content"]
    assert frame["call"].to_list() == ["imported:0", "imported:1"]


def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: list[object]) -> None:
    (tmp_path / "ids.json").write_text('{"01ENV": "sale"}')
    ids: list[object] = ["--ids", tmp_path / "ids.json"]
    theirs = file(tmp_path / "theirs.jsonl", line(environment_id="01ENV"))
    ran(monkeypatch, import_episodes, theirs, *world, *ids, *out(tmp_path))
    again = tmp_path / "again.jsonl"
    made = ["--episodes", tmp_path / "e.jsonl", "--ratings", tmp_path / "r.parquet"]
    where = ["--released", again, "--typed", tmp_path / "typed.parquet", "--log", tmp_path / "log"]
    ran(monkeypatch, export_episodes, *made, *world, *ids, "--judge", "gpt-4", "--tag", "back", *where)
    row = json.loads(again.read_text())
    assert (row["episode_id"], row["environment_id"], row["experiment_tag"]) == ("01EPISODE", "01ENV", "back")
    assert row["raw_rewards"] == json.loads(theirs.read_text())["raw_rewards"]
    assert pl.read_parquet(tmp_path / "typed.parquet")["ratings"].list.len().to_list() == [2]
    first = [(tmp_path / name).read_bytes() for name in ("e.jsonl", "r.parquet")]
    ran(monkeypatch, import_episodes, again, *world, *ids, *out(tmp_path))
    assert [(tmp_path / name).read_bytes() for name in ("e.jsonl", "r.parquet")] == first


def test_lines_that_cannot_be_read_are_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: list[object]
) -> None:
    source = file(tmp_path / "theirs.jsonl", '{"half', line(), line(episode_id="2", environment_id="01NONE"))
    with pytest.raises(ParleyError, match=r"theirs.jsonl:1: not JSON"):
        ran(monkeypatch, import_episodes, source, *world, *out(tmp_path))
    assert not (tmp_path / "e.jsonl").exists()
    aside = tmp_path / "rejects.jsonl"
    ran(monkeypatch, import_episodes, source, *world, *out(tmp_path), "--rejects", aside)
    written = source.read_text().splitlines()
    assert aside.read_text().splitlines() == [written[0], written[2]]
    log = (tmp_path / "log").read_text()
    assert "theirs.jsonl:3: no task is known for the environment_id '01NONE'; import the profiles" in log
    assert f"2 lines could not be read; they are in {aside}" in log
    assert len(read_jsonl(tmp_path / "e.jsonl", Episode)) == 1


def test_no_episode_to_import_names_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: list[object]
) -> None:
    source = file(tmp_path / "theirs.jsonl", line())
    with pytest.raises(ParleyError, match=r"no episode to import; there are 1 by gpt-4 and gpt-3.5-turbo"):
        ran(monkeypatch, import_episodes, source, *world, *out(tmp_path), "--only", "gpt-4", "gpt-4")


def test_options_that_say_nothing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: list[object]
) -> None:
    source = file(tmp_path / "theirs.jsonl", line())
    with pytest.raises(ParleyError, match="--rename gpt-4: must be THEIRS=OURS, for instance gpt-4=expert"):
        ran(monkeypatch, import_episodes, source, *world, *out(tmp_path), "--rename", "gpt-4")
    with pytest.raises(ParleyError, match="nothing to write; give --released, --typed or both"):
        ran(monkeypatch, export_episodes, "--episodes", source, *world)
