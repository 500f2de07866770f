"""The scripts of the study alone: from episodes and ratings to items, and from items to simulated ratings."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from parley.errors import ParleyError
from parley.evaluation.people import read_people
from parley.records.frames import read_parquet, write_parquet
from parley.records.jsonl import write_jsonl
from parley.records.rating import Mark, Rating, ratings_frame
from parley.world.rating import seat_of
from scripts import annotations, items
from tests.annotating import marks
from tests.builders import ANN, BEN, ROOT, jsonl
from tests.test_annotate_sampling import episodes, tasks
from tests.workflow import talk_only


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with episodes of two policies in both seats on four tasks, their ratings, and the config."""
    config: dict[str, Any] = talk_only()
    config["models"] |= {name: {"engine": "playhouse", "name": name} for name in ("wanderer", "annotator")}
    config["policies"] = {"base": {"model": "wanderer"}, "bc": {"model": "expert"}}
    config["world"] = {"characters": "characters.jsonl"}
    config["prompts"] = {name: str(ROOT / f"prompts/{name}.jinja") for name in ("annotation", "retry")}
    config["human"] = {"evaluation": "all", "per_policy": 4, "simulated_by": "annotator"}
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(yaml.safe_dump(config))
    jsonl(Path("characters.jsonl"), ANN, BEN)
    write_jsonl("tasks.jsonl", tasks(4).values())  # type: ignore[arg-type]
    played = episodes(4)
    write_jsonl("episodes.jsonl", played)
    given = {key: Mark(score=mark.score, reasoning="x") for key, mark in marks().items()}
    rated = [Rating(**seat_of(one, seat), judge="judge", call="c", marks=given) for one in played for seat in (0, 1)]
    write_parquet("ratings.parquet", ratings_frame(rated))
    return tmp_path


def run(script: Any, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["script", *words])
    script.main()


def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ("--episodes", "episodes.jsonl", "--ratings", "ratings.parquet", "--tasks", "tasks.jsonl")
    run(items, monkeypatch, *made, "--key", "key.parquet", "--out", "items.jsonl", "--log", "items.log")


def rate(monkeypatch: pytest.MonkeyPatch, out: str) -> dict[str, Any]:
    made = ("--items", "items.jsonl", "--key", "key.parquet", "--ledger", "ledger/human/r.sqlite", "--usage", "u.json")
    run(annotations, monkeypatch, *made, "--out", out, "--log", "rate.log")
    return dict(json.loads(Path("u.json").read_text()))


def test_episodes_become_items_and_items_ratings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample(monkeypatch)
    assert "base: 4 episodes" in Path("items.log").read_text()
    assert read_parquet("key.parquet")["player"].value_counts().sort("player").rows() == [("base", 4), ("bc", 4)]
    first = rate(monkeypatch, "one.parquet")
    again = rate(monkeypatch, "two.parquet")
    assert Path("one.parquet").read_bytes() == Path("two.parquet").read_bytes() and first == again
    assert "annotator: 0 sent" in Path("rate.log").read_text()  # the second time all is paid for
    table = read_parquet("one.parquet")
    assert table["simulated"].all() and table["item"].n_unique() == 8
    assert table.group_by("item").len()["len"].min() >= 4  # two raters, two seats
    assert read_people("one.parquet").height == 16


def test_too_few_episodes_are_told_in_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = yaml.safe_load(Path("config.yaml").read_text())
    config["human"]["per_policy"] = 99
    Path("config.yaml").write_text(yaml.safe_dump(config))
    sample(monkeypatch)
    assert "bc: 16 episodes of 99 wanted" in Path("items.log").read_text()


def test_without_a_study_or_a_model_the_scripts_say_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample(monkeypatch)
    config = yaml.safe_load(Path("config.yaml").read_text())
    del config["models"]["annotator"], config["human"]["simulated_by"]
    Path("config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ParleyError, match="nobody plays the raters"):
        rate(monkeypatch, "one.parquet")
    del config["human"]
    Path("config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ParleyError, match="no study is configured"):
        sample(monkeypatch)


def test_a_model_that_cannot_rate_fails_the_job_with_the_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample(monkeypatch)
    config = yaml.safe_load(Path("config.yaml").read_text())
    config["models"]["annotator"]["name"] = "expert"  # does not understand the prompt
    Path("config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ParleyError, match=r"annotator rated nothing \(r\d+ on qualification: .*; check the model"):
        rate(monkeypatch, "one.parquet")
    assert not Path("one.parquet").exists()
