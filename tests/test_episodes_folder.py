"""The folder of episodes: complete, the same bytes again, safe whatever was said, and true to the files."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.config import Experiment
from parley.layout import Layout
from parley.records.episode import Action, Episode
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.rating import KEYS
from parley.report.episodes.catalogue import Catalogue
from parley.report.episodes.folder import page, policy_of, write_folder
from parley.report.findings import layout_of
from tests.report_sample import make_sample, sample_experiment

Written = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    root, experiment = make_sample(tmp_path_factory.mktemp("sample"))
    write_people(root, "bc")
    return root, experiment


def write_people(root: Path, *players: str, **changes: object) -> None:
    """Two raters of each player's seats with the partner in the second seat; one gives GOAL 2, the other 5."""
    tables = [pl.read_parquet(root / f"ratings/evaluation/{player}+partner/judge/00.parquet") for player in players]
    ratings = pl.concat(tables).filter(pl.col("failure").is_null() & (pl.col("seat") == 0))
    rows = [
        {name: row[name] for name in ("episode", "task", "cast", "seat", "replicate", "player", "partner", *KEYS)}
        | {"rater": rater, "goal": goal, "goal_reason": f"{rater} saw it", "simulated": True, **changes}
        for row in ratings.iter_rows(named=True)
        for rater, goal in (("prolific-zoe", 2), ("prolific-abe", 5))
    ]
    (root / "human").mkdir(exist_ok=True)
    pl.DataFrame(rows).write_parquet(root / "human/ratings.parquet")


def written(root: Path, experiment: Experiment, folder: Path, per_part: int = 50) -> Written:
    """The catalogue and all plays in order, as the page gets them."""
    gaps: dict[str, list[str]] = {}
    write_folder(Catalogue(layout_of(root, experiment), gaps), folder, per_part=per_part)
    assert gaps == {}
    parts = [handed(path) for path in sorted(folder.glob("part-*.js"))]
    return handed(folder / "catalogue.js"), [play for part in parts for play in part]


def handed(path: Path) -> Any:
    """The data that a script hands over."""
    found = re.fullmatch(r'parley\("([a-z0-9-]+)",(.*)\);\n', path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found is not None and found[1] == path.stem
    return json.loads(found[2])


def rows_of(catalogue: dict[str, Any]) -> list[dict[str, Any]]:
    columns = catalogue["columns"]
    return [{name: columns[name][place] for name in columns} for place in range(len(columns["id"]))]


def test_every_episode_is_there_once_and_its_play_in_its_place(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    root, experiment = sample
    catalogue, plays = written(root, experiment, tmp_path, per_part=7)
    rows = rows_of(catalogue)
    there = [
        episode
        for path in dict.fromkeys(layout_of(root, experiment).all_episodes())
        for episode in read_jsonl(path, Episode)
    ]
    assert [row["id"] for row in rows] == [episode.id for episode in there]
    assert len(plays) == len(there) > 100
    for row, play, episode in zip(rows, plays, there, strict=True):
        assert [turn[2] for turn in play["turns"]] == [turn.action.argument for turn in episode.turns]
        assert catalogue["tasks"][row["task"]]["name"] == episode.task
        assert [catalogue["players"][row[name]] for name in ("first", "second")] == list(episode.players)
        people = [catalogue["characters"][number]["name"] for number in row["cast"]]
        assert tuple(people) == episode.names
    assert {len(handed(path)) for path in sorted(tmp_path.glob("part-*.js"))[:-1]} == {7}


def test_marks_are_the_judges_and_people_stand_beside(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    catalogue, plays = written(*sample, tmp_path)
    ratings = pl.concat(pl.read_parquet(path) for path in layout_of(*sample).all_ratings())
    marks = {(row["episode"], row["seat"]): row for row in ratings.iter_rows(named=True)}
    rated = 0
    for row, play in zip(rows_of(catalogue), plays, strict=True):
        for seat in (0, 1):
            mine = marks[row["id"], seat]
            told = next(one for one in play["ratings"] if one["seat"] == seat)
            if mine["failure"]:
                assert row["marks"][seat] is None and told["failure"] == mine["failure"]
                assert catalogue["failures"][row["failure"]] in mine["failure"]
            else:
                assert row["marks"][seat] == [mine[key] for key in KEYS] == [mark for mark, _ in told["marks"]]
                assert told["marks"][-1][1] == mine["goal_reason"]
        if people := play["people"]:
            rated += 1
            assert row["people"] == [3.5, None]
            assert [one["marks"][-1] for one in people] == [[5, "prolific-abe saw it"], [2, "prolific-zoe saw it"]]
            assert [one["rater"] for one in people] == [1, 2] and all(one["simulated"] for one in people)
    assert rated == 16


def test_raters_are_numbered_and_never_named(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    write_people(sample[0], "bc", goal_reason="none")
    written(*sample, tmp_path)
    write_people(sample[0], "bc")
    assert not any("prolific" in path.read_text() for path in tmp_path.iterdir())


def test_a_broken_file_of_people_is_told_and_the_episodes_are_shown(
    sample: tuple[Path, Experiment], tmp_path: Path
) -> None:
    root = tmp_path / "sample"
    shutil.copytree(sample[0], root)
    gaps: dict[str, list[str]] = {}
    for content, told in (("not a table", "cannot be read"), (None, "no column 'rater'")):
        gaps.clear()
        path = root / "human/ratings.parquet"
        if content is None:
            pl.DataFrame({name: ["x"] for name in ("task", "cast", "seat", "player", "partner")}).write_parquet(path)
        else:
            path.write_text(content)
        number = write_folder(Catalogue(layout_of(root, sample[1]), gaps), tmp_path / "out")
        assert number > 100 and any(told in line for line in gaps["transcripts"])


def test_evaluations_and_selections_can_be_filtered_by(sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    root, experiment = sample
    catalogue, _ = written(root, experiment, tmp_path)
    rows = rows_of(catalogue)
    for place, (name, *_) in enumerate(catalogue["evaluations"]):
        for player in experiment.measured():
            mine = {
                row["id"]
                for row in rows
                if row["views"] & (1 << place)
                and player in [catalogue["players"][row[seat]] for seat in ("first", "second")]
            }
            from parley.report.load import load

            wanted = set(load(root, experiment).rated(name, player)["episode"]) if player != "partner" else mine
            assert mine == wanted
    for place, policy in enumerate(catalogue["learners"]):
        kept = pl.read_parquet(root / f"selections/{policy}.parquet").filter(pl.col("kept"))
        told = {
            (rows[row]["id"], seat)
            for row, learner, seat, is_kept, _ in catalogue["chosen"]
            if learner == place and is_kept
        }
        assert told == set(kept.select("episode", "seat").rows())
    assert {told[1] for told in catalogue["seen"]} == set(experiment.measured())


def test_the_same_episodes_give_the_same_bytes_and_old_parts_go(
    sample: tuple[Path, Experiment], tmp_path: Path
) -> None:
    written(*sample, tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/part-0999.js").write_text("old")
    written(*sample, tmp_path / "b")
    first = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}


@pytest.mark.parametrize(
    "evil",
    [
        '</script><script>alert("x")</script>',
        "<!-- <script>",
        "\u2028 and \u2029",
        'quote " and \\ and \0 nul',
        "half \\ud800 a pair",
    ],
)
def test_nothing_that_was_said_can_end_a_script(sample: tuple[Path, Experiment], tmp_path: Path, evil: str) -> None:
    root = tmp_path / "sample"
    shutil.copytree(sample[0], root)
    path = root / "episodes/round1/expert+expert/00.jsonl"
    first, *others = read_jsonl(path, Episode)
    turn = first.turns[0].model_copy(update={"action": Action(action_type="speak", argument=evil)})
    write_jsonl(path, [first.model_copy(update={"turns": (turn, *first.turns[1:])}), *others])
    gaps: dict[str, list[str]] = {}
    write_folder(Catalogue(layout_of(root, sample[1]), gaps), tmp_path / "out")
    text = (tmp_path / "out/part-0000.js").read_text(encoding="utf-8")
    assert not set(text) & set("<\u2028\u2029\0")
    assert handed(tmp_path / "out/part-0000.js")[0]["turns"][0][2] == evil


def test_a_name_of_an_experiment_is_no_markup(tmp_path: Path) -> None:
    experiment = sample_experiment(tmp_path)
    text = page(experiment.model_copy(update={"experiment": "<img src=x>"}))
    assert "<img" not in text and "&lt;img" in text


def test_only_the_own_script_may_run(tmp_path: Path) -> None:
    text = page(sample_experiment(tmp_path))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    script = re.search(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    style = re.search(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    assert script is not None and style is not None
    assert policy[1].replace("&#39;", "'") == policy_of([script[1]], [style[1]])
    assert "unsafe" not in policy[1] and "default-src &#39;none&#39;" in policy[1]
    assert text.count("<script") == text.count("</script") == 1 and not re.search(r"\s(style|on\w+)=", text)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|fetch\(", text)


def test_an_experiment_without_files_makes_a_folder_without_episodes(tmp_path: Path) -> None:
    gaps: dict[str, list[str]] = {}
    layout = Layout(sample_experiment(tmp_path), str(tmp_path / "results"))
    assert write_folder(Catalogue(layout, gaps), tmp_path / "out") == 0
    assert handed(tmp_path / "out/catalogue.js")["columns"] == {}
    assert any("is missing" in line for line in gaps["transcripts"])
