"""Drawing keywords from the published sources: equal thirds, nothing twice, nothing of SOTOPIA's, all accounted for."""

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.canonical import file_digest
from parley.exchange.hub import Repository, as_stated
from parley.exchange.keywords.avoided import Avoided, folded
from parley.exchange.keywords.draw import draw, named
from parley.exchange.keywords.source import PUBLISHED, SOURCES
from parley.records.jsonl import read_jsonl
from parley.records.task import Keyword, Task
from parley.world.keywords import share_of
from tests.builders import ROOT, experiment, jsonl, task
from tests.hub import Hub, standing
from tests.keyword_files import folder, social_iqa
from tests.sotopia_sample import REAL, needs_the_real_files, written
from tests.workflow import Workshop, jobs

KINDS = ("morals", "situations", "norms")
MANY = {kind: [f"{kind} number {number}" for number in range(30)] for kind in KINDS}
NOTHING = Avoided()


def taken(texts: dict[str, list[str]], count: int, avoided: Avoided = NOTHING, seed: int = 1) -> list[Keyword]:
    return draw(texts, count, avoided, seed).keywords


# -- drawing ---------------------------------------------------------------------------------------------------------


def test_every_source_gives_a_third() -> None:
    assert Counter(one.source for one in taken(MANY, 60)) == dict.fromkeys(KINDS, 20)
    assert Counter(one.source for one in taken(MANY, 62)) == dict.fromkeys(KINDS, 20)


def test_a_source_that_has_too_few_makes_all_give_as_few() -> None:
    few = {**MANY, "norms": MANY["norms"][:4]}
    found = draw(few, 60, NOTHING, 1)
    assert Counter(one.source for one in found.keywords) == dict.fromkeys(KINDS, 4)
    assert found.funnel["morals"] == {"rows": 30, "left over": 26, "drawn": 4}


def test_a_larger_count_goes_on_where_a_smaller_ended_and_the_order_of_the_files_does_not_matter() -> None:
    small, large = taken(MANY, 9), taken(MANY, 60)
    for kind in KINDS:
        of = [[one for one in found if one.source == kind] for found in (small, large)]
        assert of[1][:3] == of[0]
    assert taken({kind: texts[::-1] for kind, texts in MANY.items()}, 60) == large
    assert taken(MANY, 9, seed=2) != small


def test_what_is_the_same_but_for_case_spaces_and_a_full_stop_is_one_keyword() -> None:
    texts = {kind: [f"{kind} one here", f"{kind.upper()} one  here.", f"{kind} two"] for kind in KINDS}
    found = draw(texts, 6, NOTHING, 1)
    assert found.funnel["morals"] == {"rows": 3, "repeated": 1, "drawn": 2}
    assert {one.text for one in found.keywords if one.source == "norms"} == {"norms one here", "norms two"}


def test_across_sources_the_first_keeps_it() -> None:
    texts = {kind: ["both have this", f"{kind} alone"] for kind in KINDS}
    found = draw(texts, 3, NOTHING, 1)
    assert [found.funnel[kind].get("in another source", 0) for kind in KINDS] == [0, 1, 1]
    assert [source.kind for source in SOURCES] == list(KINDS)


def test_a_text_too_short_for_a_keyword_is_counted() -> None:
    assert draw({kind: ["", " ok ", f"{kind} long"] for kind in KINDS}, 3, NOTHING, 1).funnel["norms"] == {
        "rows": 3,
        "too short": 2,
        "drawn": 1,
    }


texts_of = st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=12), max_size=12)


@settings(max_examples=60)
@given(st.fixed_dictionaries(dict.fromkeys(KINDS, texts_of)), st.integers(0, 20))
def test_whatever_the_texts_every_row_is_accounted_for_and_nothing_comes_twice(
    texts: dict[str, list[str]], count: int
) -> None:
    found = draw(texts, count, NOTHING, 1)
    for kind in KINDS:
        assert sum(number for key, number in found.funnel[kind].items() if key != "rows") == len(texts[kind])
    assert len({folded(one.text) for one in found.keywords}) == len(found.keywords) <= count
    assert len({one.name for one in found.keywords}) == len(found.keywords)
    assert len({*Counter(one.source for one in found.keywords).values()}) <= 1


def test_a_name_says_what_the_keyword_is_about_and_depends_on_nothing_else() -> None:
    assert named("being mad at my friend today") == named("being mad at my friend today")
    assert named("being mad at my friend today").startswith("being-mad-at-my-friend-")
    assert named("being mad at my friend today") != named("being mad at my friend tonight")
    assert named("いいえ").startswith("keyword-")


def test_drawn_keywords_are_shared_out_like_any_others() -> None:
    shares = [share_of(experiment(), name, taken(MANY, 90)) for name in ("round1", "round2")]
    assert not {one.name for one in shares[0]} & {one.name for one in shares[1]}
    assert Counter(one.source for one in shares[0][:9]) == dict.fromkeys(KINDS, 3)


# -- what is avoided -------------------------------------------------------------------------------------------------


def theirs(name: str, scenario: str, **changes: Any) -> Task:
    return task(name, scenario=scenario, **changes)


def test_a_text_on_a_list_is_avoided_however_it_is_spelled() -> None:
    avoided = Avoided(["Morals number 3.", "", "NORMS NUMBER  7"])
    found = draw(MANY, 90, avoided, 1)
    assert found.funnel["morals"]["on the list of what is avoided"] == 1
    assert not {"morals number 3", "norms number 7"} & {one.text for one in found.keywords}


def test_what_a_task_of_theirs_was_written_from_is_avoided_by_its_codename() -> None:
    avoided = Avoided(tasks=[theirs("go_on_a_date", "Two friends sit by the lake.")])
    assert avoided.like("Go on a date") == "go_on_a_date"
    assert avoided.like("go on a walk") is None


def test_what_stands_in_a_scenario_of_theirs_is_avoided() -> None:
    avoided = Avoided(tasks=[theirs("hooky", "Two are at a park. One was playing hooky from work and saw the other.")])
    assert avoided.like("playing hooky from work") == "hooky"
    assert avoided.like("Playing hooky from  work.") == "hooky"
    assert avoided.like("playing chess at work") is None


def test_a_word_that_many_texts_have_is_not_taken_for_theirs() -> None:
    avoided = Avoided(tasks=[theirs("bar", "Two friends want to drink at the bar.")])
    assert avoided.like("drink") is None and avoided.like("want to drink at the bar") == "bar"


def test_the_keyword_of_a_written_task_is_avoided_too() -> None:
    own = Keyword(name="k", text="selling a lamp", source="norms")
    assert Avoided(tasks=[task("sale", keyword=own)]).like("Selling a lamp") == "sale"


@needs_the_real_files
def test_of_the_real_tasks_the_codenames_and_scenarios_are_avoided() -> None:
    from parley.exchange.sotopia.files import read_files
    from parley.exchange.sotopia.profiles import take

    tasks = take(read_files(REAL)).tasks
    avoided = Avoided(tasks=tasks)
    for one in tasks:
        assert avoided.like(one.scenario) is not None
    for text in ("Go on a date.", "talk loudly", "playing hooky from work"):
        assert avoided.like(text) is not None, text
    ours = read_jsonl(ROOT / "resources/keywords.jsonl", Keyword)
    assert sum(avoided.like(one.text) is not None for one in ours) <= len(ours) // 50  # most are none of theirs


# -- the script ------------------------------------------------------------------------------------------------------


def script(cwd: Path, *arguments: str, status: int = 0, **variables: str) -> str:
    kept = {key: value for key, value in os.environ.items() if key != "PARLEY_KEYWORDS"}
    own = {"PYTHONPATH": str(ROOT), "HF_HOME": str(cwd / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/keywords.py"), *arguments],
        cwd=cwd,
        env={**kept, **own, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stderr


def test_a_folder_comes_in_with_its_provenance(tmp_path: Path) -> None:
    theirs_ = folder(tmp_path / "theirs")
    jsonl(tmp_path / "tasks.jsonl", theirs("go_on_a_date", "Two friends sit by the lake."))
    (tmp_path / "used.csv").write_text("prompt,model\nforgetting a birthday,gpt\n")
    said = script(tmp_path, "--tasks", "tasks.jsonl", "--without", "used.csv", PARLEY_KEYWORDS="theirs")
    keywords = read_jsonl(tmp_path / "imported/keywords.jsonl", Keyword)
    assert "9 keywords (not 6000: a source has no more) → imported/keywords.jsonl" in said
    assert {one.text for one in keywords if one.source == "norms"} == {"yell, then leave", "eat an apple", "whisper"}
    told = json.loads((tmp_path / "imported/keywords.provenance.json").read_text())
    assert told["licence"] == "CC-BY-SA-4.0" and told["count"] == 9
    assert told["sources"]["morals"]["texts"] == {
        "rows": 5,
        "repeated": 1,
        "on the list of what is avoided": 1,
        "drawn": 3,
    }
    assert told["sources"]["situations"]["texts"] == {"rows": 5, "repeated": 1, "in another source": 1, "drawn": 3}
    assert told["sources"]["norms"]["texts"] == {
        "rows": 6,
        "repeated": 1,
        "too short": 1,
        "like one of SOTOPIA's tasks": 1,
        "drawn": 3,
    }
    for kind, name in zip(KINDS, ("social-chem-101.v1.0.tsv", "social_iqa_train.jsonl", "NormBank.csv"), strict=True):
        assert told["sources"][kind]["sha256"] == file_digest(theirs_ / name)
    assert told["avoided"] == {name: file_digest(tmp_path / name) for name in ("used.csv", "tasks.jsonl")}


def test_the_same_files_give_the_same_bytes_and_an_edit_is_kept(tmp_path: Path) -> None:
    folder(tmp_path / "theirs")
    for out in ("one", "two"):
        script(tmp_path, "--source", "theirs", "--out", f"{out}.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    (tmp_path / "one.jsonl").write_text((tmp_path / "two.jsonl").read_text().replace("whisper", "shout"))
    assert "one.jsonl was edited by hand" in script(tmp_path, "--source", "theirs", "--out", "one.jsonl")
    assert "shout" in (tmp_path / "one.jsonl").read_text()


def test_single_files_and_other_columns_may_be_named(tmp_path: Path) -> None:
    folder(tmp_path / "theirs")
    social_iqa(tmp_path / "mine.parquet", "Zoe hid the key.")
    options = ["--situations", "mine.parquet", "--column", "morals=rot", "--count", "3"]
    script(tmp_path, "--source", "theirs", *options, "--out", "k.jsonl")
    texts = {one.source: one.text for one in read_jsonl(tmp_path / "k.jsonl", Keyword)}
    assert texts["situations"] == "Zoe hid the key." and texts["morals"].startswith("the rule of ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            [],
            "say where keywords (Social-Chemistry-101, SocialIQa, NormBank; CC-BY-SA-4.0) come from: PARLEY_KEYWORDS=hub",
        ),
        (
            ["--source", "theirs", "--column", "ethics=rot"],
            "--column ethics=rot: must be SOURCE=COLUMN, with a source of",
        ),
        (
            ["--source", "theirs", "--column", "norms=behaviour"],
            "theirs/NormBank.csv:1: no column is called 'behaviour'",
        ),
        (
            ["--source", "empty"],
            "empty: no file of Social-Chemistry-101; it is called social-chem-101.v1.0.tsv, or give",
        ),
        (["--source", "theirs", "--norms", "no.csv"], "no.csv: no such file; correct the path"),
        (["--source", "theirs", "--tasks", "no.jsonl"], "no.jsonl: no such file"),
        (["--source", "theirs", "--count", "0"], "no keyword came of theirs/social-chem-101.v1.0.tsv, "),
    ],
)
def test_a_fault_is_one_line(options: list[str], told: str, tmp_path: Path) -> None:
    folder(tmp_path / "theirs")
    (tmp_path / "empty").mkdir()
    said = script(tmp_path, *options, status=1)
    assert said.startswith(f"error: {told}") and len({*said.splitlines()}) == 1
    assert not (tmp_path / "imported").exists()


def test_a_pinned_revision_of_the_hub_is_fetched_once_and_named(tmp_path: Path) -> None:
    theirs_ = folder(tmp_path / "theirs")
    with standing(Hub(f"datasets/{PUBLISHED.name}", PUBLISHED.revision, theirs_, "")) as hub:
        script(tmp_path, HF_ENDPOINT=hub.address, HF_HUB_OFFLINE="0", PARLEY_KEYWORDS="hub")
        asked = [one for one in hub.asked if one.startswith("GET") and hub.prefix in one]
        assert asked == [f"GET {hub.prefix}{source.files[0]}" for source in SOURCES]
    script(tmp_path, "--out", "again.jsonl", HF_HUB_OFFLINE="1", PARLEY_KEYWORDS="hub")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "imported/keywords.jsonl").read_bytes()
    told = json.loads((tmp_path / "again.provenance.json").read_text())["sources"]["norms"]
    assert told["hub"] == "cmu-lti/sotopia-pi" and told["revision"] == PUBLISHED.revision and "path" not in told
    assert told["sha256"] == file_digest(theirs_ / "NormBank.csv")
    blob = next(path for path in (tmp_path / "hf/hub").rglob("NormBank.csv")).resolve()
    blob.chmod(0o644)
    blob.write_text("setting,behavior\nx,y\n")
    said = script(tmp_path, "--out", "third.jsonl", status=1, HF_HUB_OFFLINE="1", PARLEY_KEYWORDS="hub")
    assert "NormBank.csv: damaged (not the bytes that the hub has); delete it and fetch again" in said


def test_offline_the_way_on_is_told(tmp_path: Path) -> None:
    said = script(tmp_path, status=1, HF_HUB_OFFLINE="1", PARLEY_KEYWORDS="hub")
    assert len({*said.splitlines()}) == 1 and "HF_HUB_OFFLINE=0, or set PARLEY_KEYWORDS to a folder" in said


def test_a_small_file_is_known_by_gits_hash(tmp_path: Path) -> None:
    for content, right in ((b"hello\n", True), (b"hello", False)):
        blob = tmp_path / "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object of "hello\n"
        blob.write_bytes(content)
        link = tmp_path / "file.txt"
        link.unlink(missing_ok=True)
        link.symlink_to(blob)
        assert as_stated(link) is right
    assert as_stated(blob.rename(tmp_path / "plain.txt"))  # a copy: nothing is stated
    assert str(Repository("a/b", "dataset", "c")) == "dataset a/b, revision c"


# -- the workflow ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_workflow_brings_in_what_a_config_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = copy.deepcopy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    config["world"] = {"keywords": "imported/keywords.jsonl"}
    shop = Workshop(tmp_path / "shop", config)
    plan = jobs(shop.run("-n"))
    assert (plan["keywords"], plan["sotopia"]) == (1, 1)  # the whole plan, with nothing there yet
    monkeypatch.setenv("PARLEY_SOTOPIA", str(written(tmp_path / "profiles")))
    monkeypatch.setenv("PARLEY_KEYWORDS", str(folder(tmp_path / "theirs")))
    shop.run("keywords")
    made = (shop.folder / "imported/keywords.jsonl").read_bytes()
    # What is there stays, also when the profiles come in again; it comes in again when asked for.
    for variable in ("PARLEY_SOTOPIA", "PARLEY_KEYWORDS"):
        monkeypatch.delenv(variable)
    assert not {"keywords", "sotopia"} & jobs(shop.run("-n")).keys()
    (shop.folder / "imported/sotopia/tasks.jsonl").touch()
    assert "keywords" not in jobs(shop.run("-n"))
    monkeypatch.setenv("PARLEY_KEYWORDS", str(tmp_path / "theirs"))
    assert "bring in keywords" in shop.run("keywords", "-R", "keywords")
    assert (shop.folder / "imported/keywords.jsonl").read_bytes() == made
