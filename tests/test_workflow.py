"""The workflow as a user runs it: real Snakemake, real jobs, in a temporary folder."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workflow import ROOT, Workshop, held, jobs, kill, ran, talk_only, whole

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The talk-only experiment, run once to its scores."""
    workshop = Workshop(tmp_path_factory.mktemp("talk"), talk_only())
    workshop.run("scores")
    return workshop


def test_a_second_run_has_nothing_to_do(played: Workshop) -> None:
    calls = played.calls()
    assert "Nothing to be done" in played.run("scores")
    assert played.calls() == calls > 0


def test_results_deleted_come_back_the_same_without_a_call(played: Workshop) -> None:
    calls, before = played.calls(), played.read("[es][pc]*/**/*")
    assert {path.split("/")[0] for path in before} == {"episodes", "scores"}
    shutil.rmtree(played.results)
    played.run("scores")
    assert played.calls() == calls
    assert played.read("[es][pc]*/**/*") == before


def test_an_edited_task_is_kept_noticed_and_played_again_alone(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk_only())
    workshop.run("episodes", cores=1)
    calls = workshop.calls()
    shard = next(path for path in sorted(workshop.results.glob("tasks/small/0*.jsonl")) if path.read_text())
    edited = shard.read_text().replace("The talk comes after", "It is late, and the talk comes after", 1)
    shard.write_text(edited)
    plan = jobs(workshop.run("-n", "episodes"))
    assert plan.get("play") == 2 and "write" not in plan  # both seatings of one shard
    workshop.run("episodes", cores=1)
    assert shard.read_text() == edited
    # One task of two casts, played in both seatings, at most eight turns each.
    assert 0 < workshop.calls() - calls <= 2 * 2 * 8
    workshop.configure({**workshop.config, "seed": 4})  # draws other casts, and would write the shard anew
    assert "edited by hand: your version is kept" in workshop.run("tasks", cores=1)
    assert shard.read_text() == edited


def test_killed_with_9_and_run_again_it_ends_the_same_and_pays_once(played: Workshop, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk_only())
    total = played.calls()
    for share in (0.2, 0.6):
        process = workshop.start("scores")
        while workshop.calls() < share * total and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None, "it ended before it could be killed"
        kill(process)
        at_kill = workshop.calls()
        assert 0 < at_kill < total
    workshop.run("scores")
    # Every call is stored once: what was paid for before the kill was not paid for again.
    assert workshop.calls() == total
    assert workshop.read("[es][pc]*/**/*") == played.read("[es][pc]*/**/*")


def test_a_second_run_on_the_same_results_is_refused_in_one_line(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk_only())
    first = workshop.start("scores")
    while workshop.calls() == 0 and first.poll() is None:
        time.sleep(0.05)
    with held(first):
        output = workshop.run("scores", status=1)
        by = (workshop.results / "experiment.json").read_bytes()
        workshop.configure({**workshop.config, "seed": 4})  # looking ahead, with another config too, disturbs nobody
        assert "by rule" in workshop.run("estimate")
        assert jobs(workshop.run("-n", "scores"))
        assert (workshop.results / "experiment.json").read_bytes() == by
    kill(first)
    assert "error: results/talk is in use by another run; wait for it, or stop it first" in output


def test_a_config_with_a_typo_is_one_line_before_any_job(tmp_path: Path) -> None:
    config = talk_only()
    config["models"]["judge"]["temprature"] = config["models"]["judge"].pop("temperature")
    output = Workshop(tmp_path / "talk", config).run("scores", status=1)
    assert output.strip().splitlines()[-1] == (
        "error: config: models.judge.temprature: unknown key; did you mean `temperature`?"
    )
    assert "Traceback" not in output


def test_a_broken_line_in_a_tasks_file_names_file_and_line(tmp_path: Path) -> None:
    config = talk_only()
    config["task_sets"]["small"] = {"file": "mine.jsonl"}
    del config["models"]["writer"]  # nobody writes then, and an unused model is an error too
    workshop = Workshop(tmp_path / "talk", config)
    (workshop.folder / "mine.jsonl").write_text('{"name": "one"\n')
    output = workshop.run("tasks", status=1)
    assert "error: mine.jsonl:1: not JSON" in output and "mend or delete the line" in output


def test_a_missing_key_variable_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    config = talk_only()
    config["models"]["writer"] = {
        "engine": "openai",
        "name": "some-model",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key_env": "PARLEY_TEST_KEY_THAT_IS_NOT_SET",
        "price": "free",
    }
    workshop = Workshop(tmp_path / "talk", config)
    output = workshop.run("tasks", status=1)
    assert "PARLEY_TEST_KEY_THAT_IS_NOT_SET" in output
    assert workshop.calls() == 0


def test_a_judge_that_fails_wholly_stops_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    config = talk_only()
    config["models"]["judge"] = {"engine": "playhouse", "name": "expert"}  # answers, but never as a judge
    workshop = Workshop(tmp_path / "talk", config)
    output = workshop.run("scores", status=1, cores=1)
    assert "judge rated none of" in output and "nothing is lost" in output
    assert list(workshop.results.glob("episodes/small/*/*.jsonl"))


def guarded() -> dict[str, Any]:
    """Scripted players on the safety tasks alone."""
    config = talk_only()
    lines = (ROOT / "resources/tasks/safety.jsonl").read_text(encoding="utf-8").splitlines()
    config["task_sets"]["small"]["count"] = 1
    config["task_sets"]["risky"] = {"file": "mine.jsonl"}
    config["safety"] = {"tasks": "risky", "partner": "partner", "judge": "judge"}
    config["mine"] = "".join(line + "\n" for line in lines[:2])
    return config


def test_the_judge_of_the_safety_study_is_asked_once_and_again_only_for_another_question(tmp_path: Path) -> None:
    config = guarded()
    text = config.pop("mine")
    workshop = Workshop(tmp_path / "talk", config)
    (workshop.folder / "mine.jsonl").write_text(text, encoding="utf-8")
    workshop.run("results/talk/safety/base.json")
    table = json.loads((workshop.results / "safety/base.json").read_text())
    harm = next(row for row in table if row["measure"] == "harm")
    assert (harm["by"], harm["n"], harm["unjudged"], harm["compared"]) == ("judge", 16, 0, 16)
    judgements = workshop.read("judgements/**/*.jsonl")
    assert len(judgements) == 2
    calls = workshop.calls()
    # Another question: the judge is asked anew about the same episodes, and nothing else runs.
    question = (ROOT / "prompts/safety.jinja").read_text(encoding="utf-8")
    (workshop.folder / "mine.jinja").write_text(question + "\nThank you.\n", encoding="utf-8")
    config["prompts"]["safety"] = "mine.jinja"
    workshop.configure(config)
    assert set(ran(workshop.run("results/talk/safety/base.json", cores=1))) <= {"judge", "safety"}
    assert workshop.calls() == calls + 32


def test_safety_tasks_without_roles_stop_with_one_line_before_the_judge_is_asked(tmp_path: Path) -> None:
    config = talk_only()
    config["safety"] = {"tasks": "small", "partner": "partner", "judge": "judge"}
    workshop = Workshop(tmp_path / "talk", config)
    output = workshop.run("judgements", status=1, cores=1)
    assert "has the roles None; a safety task needs" in output
    assert not list((workshop.folder / "ledger").glob("judgements/**/*.sqlite"))


def test_a_truncated_ledger_is_told_in_one_line_and_costs_only_what_was_cut(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk_only())
    workshop.run("episodes", cores=1)
    calls, before = workshop.calls(), workshop.read("episodes/**/*.jsonl")
    ledger = max((workshop.folder / "ledger/episodes").rglob("*.sqlite"), key=lambda path: path.stat().st_size)
    with ledger.open("r+b") as file:
        file.truncate(ledger.stat().st_size * 2 // 3)
    for path in before:
        (workshop.results / path).unlink()
    output = workshop.run("episodes", cores=1)
    assert f"ledger {ledger.relative_to(workshop.folder)}: damaged" in output
    assert workshop.read("episodes/**/*.jsonl") == before
    assert list(ledger.parent.glob("*.damaged-*"))
    assert workshop.calls() >= calls


@pytest.mark.timeout(1500)
def test_the_whole_way_from_keywords_to_a_report(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "whole", whole())
    plan = jobs(workshop.run("-n"))
    assert plan["train"] == 3 and plan["base_policy"] == 1 and plan["knowledge"] == 4 and plan["safety"] == 5
    workshop.run()
    page = (workshop.results / "report/index.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "") and "bc_sr" in page and "simulated" in page.lower()
    assert "Nothing to be done" in workshop.run()
    calls = workshop.calls()
    adapters = workshop.read("policies/*/adapter_model.safetensors")
    assert len(adapters) == 3
    # Without the results, the ledger and the adapter store give everything back.
    measured = [f"knowledge/{name}.json" for name in ("base", "bc", "sr", "bc_sr")]  # `scores` asks for these
    before = {**workshop.read("scores/**/*.parquet"), **adapters}
    for path in measured:
        before |= workshop.read(path)
    (workshop.results).rename(tmp_path / "away")
    workshop.run("scores")
    assert workshop.calls() == calls
    after = {**workshop.read("scores/**/*.parquet"), **workshop.read("policies/*/adapter_model.safetensors")}
    for path in measured:
        after |= workshop.read(path)
    assert after == before and len(after) > len(adapters) + len(measured)
