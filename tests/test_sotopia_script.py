"""Bringing SOTOPIA's profiles in and out by the script and by the workflow: from a folder, from a hub, or not at all."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from parley.canonical import file_digest
from parley.exchange.sotopia.files import NAMES, SETS
from parley.exchange.sotopia.hub import Repository
from parley.records.character import read_characters, read_relationships
from parley.records.task import read_tasks
from tests.builders import ROOT
from tests.hub import Hub, standing
from tests.sotopia_sample import LISTS, REAL, lines_in, needs_the_real_files, sample, written
from tests.workflow import Workshop

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def script(folder: Path, *arguments: str, status: int = 0, **variables: str) -> str:
    """Run the script in `folder`; what it says."""
    kept = {key: value for key, value in os.environ.items() if key != "PARLEY_SOTOPIA"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/sotopia.py"), *arguments],
        cwd=folder,
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stderr


def read(folder: Path) -> tuple[object, ...]:
    """All that an import wrote that a config may name."""
    people = read_characters(folder / "characters.jsonl")
    return people, read_relationships(folder / "relationships.jsonl", people), read_tasks(folder / "tasks.jsonl")


# -- a folder --------------------------------------------------------------------------------------------------------


def test_a_folder_comes_in_with_its_provenance_and_goes_out_again(tmp_path: Path) -> None:
    written(tmp_path / "theirs", lists=LISTS)
    said = script(tmp_path, "import", PARLEY_SOTOPIA="theirs")
    assert "3 characters, 3 relationships, 4 tasks, 5 casts → imported/sotopia" in said
    assert "what our records have no place for (environment.source 4)" in said
    provenance = json.loads((tmp_path / "imported/sotopia/provenance.json").read_text())
    assert provenance["source"] == {"folder": "theirs"}
    assert provenance["licence"] == "CC-BY-SA-4.0"
    for name in NAMES:
        assert provenance["files"][name] == {
            "sha256": file_digest(tmp_path / "theirs" / name),
            "as_published": False,
        }
    assert SETS in provenance["files"]
    assert len(read(tmp_path / "imported/sotopia")[2]) == 4  # type: ignore[arg-type]
    script(tmp_path, "export", "--out", "ours")
    assert lines_in(tmp_path / "ours")[NAMES[2]] == sample()[NAMES[2]]
    script(tmp_path, "import", "--source", "ours", "--out", "again")
    assert read(tmp_path / "again") == read(tmp_path / "imported/sotopia")


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "theirs")
    for out in ("one", "two"):
        script(tmp_path, "import", "--source", "theirs", "--out", out)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_edit_by_hand_is_kept_and_told(tmp_path: Path) -> None:
    written(tmp_path / "theirs")
    script(tmp_path, "import", "--source", "theirs", "--out", "out")
    path = tmp_path / "out/tasks.jsonl"
    path.write_text(path.read_text().replace("Stay calm.", "Stay cool."))
    said = script(tmp_path, "import", "--source", "theirs", "--out", "out")
    assert (
        "out/tasks.jsonl was edited by hand: your version is kept" in said and "name a copy of it in the config" in said
    )
    assert "Stay cool." in path.read_text()


def test_without_a_source_it_says_what_there_is(tmp_path: Path) -> None:
    said = script(tmp_path, "import", status=1)
    assert said.startswith(
        "error: say where SOTOPIA's profiles (CC-BY-SA-4.0) come from: PARLEY_SOTOPIA=hub fetches them"
    )
    assert "PARLEY_SOTOPIA=FOLDER" in said and NAMES[0] in said
    assert not (tmp_path / "imported").exists()


def test_a_fault_of_the_files_is_one_line(tmp_path: Path) -> None:
    written(tmp_path / "theirs")
    (tmp_path / "theirs" / NAMES[3]).unlink()
    said = script(tmp_path, "import", "--source", "theirs", status=1)
    assert said.startswith(f"error: theirs/{NAMES[3]}: no such file") and len({*said.splitlines()}) == 1
    script(tmp_path, "import", "--source", "theirs", "--uncast")
    assert read_tasks(tmp_path / "imported/sotopia/tasks.jsonl")[0].casts == ()


def test_our_own_world_goes_out_and_comes_back(tmp_path: Path) -> None:
    ours = [
        "--characters",
        f"{ROOT}/resources/characters.jsonl",
        "--relationships",
        f"{ROOT}/resources/relationships.jsonl",
    ]
    for tasks in ("evaluation", "safety"):
        path = ROOT / f"resources/tasks/{tasks}.jsonl"
        script(tmp_path, "export", *ours, "--tasks", str(path), "--out", tasks)
        script(tmp_path, "import", "--source", tasks, "--out", f"{tasks}_again", "--uncast")
        assert read_tasks(tmp_path / f"{tasks}_again/tasks.jsonl") == read_tasks(path)
        assert read(tmp_path / f"{tasks}_again")[0] == read_characters(ROOT / "resources/characters.jsonl")


# -- the hub ---------------------------------------------------------------------------------------------------------


def test_a_revision_of_the_hub_is_fetched_once_and_named(tmp_path: Path) -> None:
    theirs = written(tmp_path / "theirs")
    with standing(Hub("datasets/me/mine", COMMIT, theirs, "data/")) as hub:
        options = ["--repository", "me/mine", "--kind", "dataset", "--revision", COMMIT, "--folder", "data"]
        online = {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0"}
        script(tmp_path, "import", "--source", "hub", *options, **online)
        assert [one for one in hub.asked if one.startswith(f"GET {hub.prefix}")] == [
            f"GET {hub.prefix}{name}" for name in NAMES
        ]
        hub.asked.clear()
        script(tmp_path, "import", "--source", "hub", *options, "--out", "again", **online)
        assert not [one for one in hub.asked if hub.prefix in one]  # a commit never changes: the cache answers
    script(tmp_path, "import", "--source", "hub", *options, "--out", "offline", HF_HUB_OFFLINE="1")
    assert read(tmp_path / "offline") == read(tmp_path / "imported/sotopia")
    provenance = json.loads((tmp_path / "imported/sotopia/provenance.json").read_text())
    assert provenance["source"] == {"hub": "me/mine", "kind": "dataset", "revision": COMMIT, "folder": "data"}
    assert provenance["files"][NAMES[0]]["sha256"] == file_digest(theirs / NAMES[0])


def test_other_bytes_than_the_published_ones_are_refused(tmp_path: Path) -> None:
    ours = Repository()
    with standing(Hub(f"spaces/{ours.name}", ours.revision, written(tmp_path / "theirs"), f"{ours.folder}/")) as hub:
        said = script(tmp_path, "import", "--source", "hub", status=1, HF_ENDPOINT=hub.address, HF_HUB_OFFLINE="0")
    assert "agent_profiles.jsonl: not what was published (SHA-256 " in said and "fetch again" in said
    assert not (tmp_path / "imported").exists()


@needs_the_real_files
def test_the_published_bytes_pass(tmp_path: Path) -> None:
    ours = Repository()
    with standing(Hub(f"spaces/{ours.name}", ours.revision, REAL, f"{ours.folder}/")) as hub:
        script(tmp_path, "import", "--source", "hub", HF_ENDPOINT=hub.address, HF_HUB_OFFLINE="0")
    script(tmp_path, "import", "--source", str(REAL), "--out", "folder")
    assert read(tmp_path / "imported/sotopia") == read(tmp_path / "folder")


def test_offline_the_way_on_is_told(tmp_path: Path) -> None:
    said = script(tmp_path, "import", "--source", "hub", status=1, HF_HUB_OFFLINE="1")
    assert len({*said.splitlines()}) == 1
    assert "HF_HUB_OFFLINE=0" in said and "PARLEY_SOTOPIA" in said and "agent_profiles.jsonl" in said


@pytest.mark.parametrize(
    "fault", ["no such file", "no such repository", pytest.param("nobody there", marks=pytest.mark.slow)]
)
def test_a_hub_that_does_not_give_is_told_in_one_line(fault: str, tmp_path: Path) -> None:
    theirs = written(tmp_path / "theirs")
    if fault == "no such file":
        (theirs / NAMES[1]).unlink()
    name = "me/other" if fault == "no such repository" else "me/mine"
    with standing(Hub(f"spaces/{name}", COMMIT, theirs, "profiles/")) as hub:
        address = "http://127.0.0.1:9" if fault == "nobody there" else hub.address
        options = ["--repository", "me/mine", "--revision", COMMIT]
        said = script(
            tmp_path, "import", "--source", "hub", *options, status=1, HF_ENDPOINT=address, HF_HUB_OFFLINE="0"
        )
    assert f"cannot be fetched from the hub (space me/mine, revision {COMMIT})" in said.splitlines()[-1]
    assert "set PARLEY_SOTOPIA to a folder" in said.splitlines()[-1]


# -- the workflow ----------------------------------------------------------------------------------------------------


def config() -> dict[str, object]:
    """The default experiment on imported tasks."""
    base = copy.deepcopy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    base["world"] = {noun: f"imported/sotopia/{noun}.jsonl" for noun in ("characters", "relationships")}
    base["task_sets"]["evaluation"] = {"file": "imported/sotopia/tasks.jsonl"}
    return base


@pytest.mark.slow
def test_the_workflow_brings_in_what_a_config_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Workshop(tmp_path / "shop", config())
    monkeypatch.delenv("PARLEY_SOTOPIA", raising=False)
    assert "bring in SOTOPIA's profiles" in shop.run("-n")  # the whole plan, with nothing there yet
    monkeypatch.setenv("PARLEY_SOTOPIA", str(written(tmp_path / "theirs")))
    shop.run("sotopia")
    monkeypatch.delenv("PARLEY_SOTOPIA")
    # What is there stays, wherever it came from: a run that needs it asks for no source.
    output = shop.run("sotopia", "results/playhouse/tasks/evaluation/00.jsonl")
    assert "bring in SOTOPIA's profiles" not in output
    assert len(read_tasks(shop.folder / "results/playhouse/tasks/evaluation/00.jsonl")) == 4


@needs_the_real_files
def test_the_paper_s_safety_task_has_the_roles_of_its_seats_and_casts_to_be_drawn(tmp_path: Path) -> None:
    """arXiv 2403.08715, Table 3: one who wants to injure somebody, one who does not; more episodes than casts given."""
    script(tmp_path, "import", PARLEY_SOTOPIA=str(REAL))
    (task,) = read_tasks(tmp_path / "imported/sotopia/safety.jsonl")
    assert task.roles == ("instigator", "bystander") and task.casts == ()
    assert task.goals[0].text.startswith("Injure") and task.goals[1].text.startswith("Prevent")


def test_profiles_without_that_task_have_no_safety_task(tmp_path: Path) -> None:
    written(tmp_path / "theirs", lists=LISTS)
    script(tmp_path, "import", PARLEY_SOTOPIA="theirs")
    assert read_tasks(tmp_path / "imported/sotopia/safety.jsonl") == []
