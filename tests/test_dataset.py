"""The dataset: each kept turn is one sample with the prompt of play, and the folder loads as a Hugging Face dataset."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from parley.canonical import file_digest
from parley.errors import ParleyError
from parley.learning.dataset import Samples, learned, samples, write_dataset
from parley.learning.selection import SCHEMA as SELECTION_SCHEMA
from parley.records.episode import Action, Episode, Turn
from parley.records.message import Message
from parley.records.sample import SCHEMA

SPEAKERS = ("Ann Ash", "Ben Birch")


def episode(task: str, acts: list[tuple[str, str]], cast: tuple[str, str] = ("a", "b"), replicate: int = 0) -> Episode:
    """An episode of strictly alternating acts (action type, argument), seat 0 first."""
    turns = [
        Turn.model_validate(
            {
                "seat": number % 2,
                "speaker": SPEAKERS[number % 2],
                "action": Action.model_validate({"action_type": kind, "argument": argument}),
                "call": f"{task}-{replicate}-{number}",
            }
        )
        for number, (kind, argument) in enumerate(acts)
    ]
    return Episode(
        task=task,
        task_id="0" * 16,
        cast=cast,
        names=SPEAKERS,
        players=("base", "base"),
        replicate=replicate,
        turns=tuple(turns),
        ending="turns",
    )


def selection(*kept: tuple[Episode, int], dropped: tuple[tuple[Episode, int], ...] = ()) -> pl.DataFrame:
    rows = [
        {
            "episode": play.id,
            "task": play.task,
            "cast": "+".join(play.cast),
            "seat": seat,
            "replicate": play.replicate,
            "kept": index < len(kept),
            "outcome": "top" if index < len(kept) else "below the share",
        }
        for index, (play, seat) in enumerate([*kept, *dropped])
    ]
    return pl.DataFrame(rows, schema=SELECTION_SCHEMA)


def prompt_of(play: Episode, turn: int) -> list[Message]:
    """Stands for the world's renderer: says which turn it was asked for."""
    return [{"role": "user", "content": f"{play.task} turn {turn} after {len(play.turns[:turn])}"}]


TALK = episode(
    "sale", [("speak", "Hello"), ("speak", 'He said "no"'), ("none", ""), ("action", "waves"), ("leave", "")]
)


def test_a_kept_seat_gives_one_sample_a_turn_of_its_own() -> None:
    rows = samples(selection((TALK, 1)), [TALK], prompt_of).frame
    assert rows["turn"].to_list() == [1, 3] and rows["call"].to_list() == ["sale-0-1", "sale-0-3"]
    assert rows["prompt"].to_list() == [prompt_of(TALK, 1), prompt_of(TALK, 3)]
    assert rows.schema == pl.Schema(SCHEMA)


def test_the_completion_is_the_action_as_json() -> None:
    rows = samples(selection((TALK, 1)), [TALK], prompt_of).frame
    assert rows["completion"][0].to_list() == [
        {"role": "assistant", "content": '{"action_type": "speak", "argument": "He said \\"no\\""}'}
    ]
    assert json.loads(rows["completion"][1][0]["content"]) == {"action_type": "action", "argument": "waves"}


def test_a_turn_in_which_nothing_was_done_is_dropped_and_counted_and_leaving_is_not() -> None:
    found = samples(selection((TALK, 0)), [TALK], prompt_of)
    assert found.frame["turn"].to_list() == [0, 4]
    assert found.dropped == {"did nothing": 1}
    assert samples(selection((TALK, 1)), [TALK], prompt_of).dropped == {"did nothing": 0}


def test_seats_that_are_not_kept_give_nothing() -> None:
    found = samples(selection((TALK, 0), dropped=((TALK, 1),)), [TALK], prompt_of)
    assert set(found.frame["seat"]) == {0}


def test_samples_come_by_task_cast_replicate_seat_and_turn() -> None:
    act = [("speak", "x"), ("speak", "y"), ("speak", "z")]
    plays = [
        episode("b", act),
        episode("a", act, cast=("q", "r")),
        episode("a", act, cast=("p", "r"), replicate=1),
        episode("a", act, cast=("p", "r")),
    ]
    rows = samples(selection(*((play, seat) for play in plays for seat in (1, 0))), plays, prompt_of).frame
    found = list(rows.select("task", "episode", "seat", "turn").iter_rows())
    expected = [
        (play.task, play.id, seat, turn)
        for play in (plays[3], plays[2], plays[1], plays[0])
        for seat, turn in ((0, 0), (0, 2), (1, 1))
    ]
    assert found == expected


def test_an_episode_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ParleyError, match=f"the selection names episode {TALK.id}, which is not among the episodes"):
        samples(selection((TALK, 0)), [], prompt_of)


def written(folder: Path, found: Samples | None = None, note: str | None = None) -> Path:
    picked = selection((TALK, 0), (TALK, 1))
    found = found or samples(picked, [TALK], prompt_of)
    write_dataset(folder, found, picked, "sr of the demo", {"rule": "sr, 20 %", "judge": "a|b"}, note)
    return folder


def test_a_second_write_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = written(tmp_path / "one"), written(tmp_path / "two")
    names = sorted(path.name for path in first.iterdir())
    assert names == ["README.md", "funnel.json", "manifest.json", "train.parquet"]
    assert [(first / name).read_bytes() for name in names] == [(second / name).read_bytes() for name in names]
    written(first)
    assert file_digest(first / "train.parquet") == file_digest(second / "train.parquet")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_manifest_is_about_the_samples_and_the_funnel_about_the_way_there(tmp_path: Path) -> None:
    folder = written(tmp_path / "data")
    manifest = json.loads((folder / "manifest.json").read_text())
    found = pl.read_parquet(folder / "train.parquet")
    assert manifest == {"sha256": learned(found), "rows": 4, "episodes": 1, "tasks": 1}
    funnel = json.loads((folder / "funnel.json").read_text())
    assert funnel == {"candidates": 2, "kept": 2, "funnel": {"top": 2}, "dropped_turns": {"did nothing": 1}}


def test_what_is_learned_is_the_text_in_its_order_and_not_where_it_came_from() -> None:
    frame = samples(selection((TALK, 0), (TALK, 1)), [TALK], prompt_of).frame
    elsewhere = frame.with_columns(call=pl.lit("f" * 64), episode=pl.lit("e" * 16))
    assert learned(elsewhere) == learned(frame) != learned(frame.reverse())
    other = [{"role": "assistant", "content": "no"}]
    said = pl.Series("completion", [other, *frame["completion"].to_list()[1:]], dtype=SCHEMA["completion"])
    assert learned(frame.with_columns(said)) != learned(frame)


def test_what_the_selection_drops_changes_the_funnel_and_not_the_manifest(tmp_path: Path) -> None:
    picked = selection((TALK, 0), (TALK, 1))
    dropped = picked.with_columns(episode=pl.lit("e" * 16), kept=pl.lit(False), outcome=pl.lit("below the bar"))
    folders = tmp_path / "one", tmp_path / "two"
    for folder, chosen in zip(folders, (picked, pl.concat([picked, dropped])), strict=True):
        write_dataset(folder, samples(chosen, [TALK], prompt_of), chosen, "title", {})
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert {name for name in one if one[name] != two[name]} == {"README.md", "funnel.json"}


def test_the_card_has_a_header_the_facts_and_the_note_first(tmp_path: Path) -> None:
    text = (written(tmp_path / "data", note="**Simulated.** Nobody said this.") / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    assert yaml.safe_load(header)["configs"][0]["data_files"] == [{"split": "train", "path": "train.parquet"}]
    assert body.index("Simulated") < body.index("Each row")
    assert "| rule | sr, 20 % |" in body and "| judge | a\\|b |" in body and "| samples | 4 |" in body


def test_a_failed_write_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path / "data")
    before = file_digest(folder / "manifest.json")

    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("parley.learning.dataset.write_manifest", full)
    with pytest.raises(OSError, match="disk full"):
        written(folder)
    assert file_digest(folder / "manifest.json") == before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_folder_loads_as_a_hugging_face_dataset(tmp_path: Path) -> None:
    import datasets  # type: ignore[import-untyped, unused-ignore]

    folder = written(tmp_path / "data")
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 4
    assert loaded[0]["prompt"] == [{"role": "user", "content": "sale turn 0 after 0"}]
    assert loaded[0]["completion"][0]["role"] == "assistant"


def test_an_empty_selection_gives_an_empty_table_with_the_same_columns(tmp_path: Path) -> None:
    found = samples(selection(), [TALK], prompt_of)
    write_dataset(tmp_path / "data", found, selection(), "nothing", {})
    assert pl.read_parquet(tmp_path / "data" / "train.parquet").schema == pl.Schema(SCHEMA)
