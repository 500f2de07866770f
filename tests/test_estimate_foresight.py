"""Foresight: what is paid for is known call by call, what is new is counted, and a plan that only replays is known whole."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.canonical import digest
from parley.config import Training
from parley.errors import ParleyError
from parley.estimate.experience import Experience
from parley.estimate.foresight import foresee
from parley.estimate.plan import Job
from parley.estimate.priors import Priors
from parley.learning.adapters import AdapterStore, adapter_key, library_versions, training_code
from parley.learning.dataset import samples, write_dataset
from parley.learning.selection import select
from parley.llm.usage import usage
from parley.llm.weights import checkpoint_identity
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.rating import read_ratings
from parley.records.task import read_tasks
from tests.builders import ROOT
from tests.rehearsal import Rehearsal, fake_adapter, fake_checkpoint, small, sums


def stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("resources", "prompts"):
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def acted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small experiment was run."""
    folder = tmp_path_factory.mktemp("acted")
    with pytest.MonkeyPatch.context() as patch:
        stage(folder, patch)
        Rehearsal(small()).run()
    return folder


@pytest.fixture
def run(acted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """A copy of that folder, to change things in."""
    shutil.copytree(acted, tmp_path / "run", symlinks=True)
    monkeypatch.chdir(tmp_path / "run")
    return Rehearsal(small())


def truth(rehearsal: Rehearsal) -> dict[str, dict[str, int]]:
    """What the calls of each stage really took, by the rule that makes them."""
    frame = usage(rehearsal.ledger).group_by("stage").agg(pl.col("calls", "prompt_tokens", "completion_tokens").sum())
    rules = {"tasks": "write", "episodes": "play", "ratings": "rate"}
    return {rules[row["stage"]]: row for row in frame.iter_rows(named=True)}


# -- against the true ledger -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [{}, {"play": {"max_turns": 12, "history": 4}, "references": ["partner"]}])
def test_without_any_experience_calls_and_tokens_are_within_a_quarter(
    shape: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(tmp_path / "cold", monkeypatch)
    rehearsal = Rehearsal(small(**shape))
    before = rehearsal.foresee()
    rehearsal.run()
    for rule, took in truth(rehearsal).items():
        expected = sums(before, rule)
        assert expected.new.likely == pytest.approx(took["calls"], rel=0.25), rule
        assert expected.prompt_tokens.likely == pytest.approx(took["prompt_tokens"], rel=0.25), rule
        assert expected.completion_tokens.likely == pytest.approx(took["completion_tokens"], rel=0.25), rule
        assert expected.new.low <= took["calls"] <= expected.new.high, rule


def test_with_experience_another_seed_is_within_a_quarter(run: Rehearsal) -> None:
    """Other casts of other people: every call is new, but what calls take is known."""
    old = truth(run)
    again = Rehearsal(small(seed=4))
    for path in again.results.rglob("*"):
        if path.is_file() and "episodes" not in path.parts:
            path.unlink()
    expected = {rule: sums(again.foresee(), rule) for rule in old}
    assert [one.paid for one in expected.values()] == [0, 0, 0]
    shutil.rmtree(again.results)
    again.run()
    for rule, both in truth(again).items():
        for name, value in (
            ("calls", expected[rule].new),
            ("prompt_tokens", expected[rule].prompt_tokens),
            ("completion_tokens", expected[rule].completion_tokens),
        ):
            took = both[name] - old[rule][name]
            assert value.likely == pytest.approx(took, rel=0.25), (rule, name)


# -- what is paid for --------------------------------------------------------------------------------------------


def test_results_deleted_with_the_ledger_kept_cost_nothing_and_every_call_is_found(run: Rehearsal) -> None:
    shutil.rmtree(run.results)
    forecasts = run.foresee()
    assert {rule: sums(forecasts, rule).paid for rule in ("write", "play", "rate")} == {
        rule: took["calls"] for rule, took in truth(run).items()
    }
    assert sums(forecasts).new.high == 0
    assert not run.results.exists()  # nothing is written


def test_a_replay_is_told_by_speaker(run: Rehearsal) -> None:
    calls = [call for forecast in run.foresee(run.jobs("play")) for call in forecast.calls]
    by_name = usage(run.ledger).filter(stage="episodes")
    for player in ("expert", "partner"):
        total = sum(call.paid for call in calls if call.model == player)
        assert total == by_name.filter(model=player)["calls"].item()


def test_a_new_judge_pays_for_every_rating_and_for_no_episode(run: Rehearsal) -> None:
    config = small()
    config["models"]["judge"]["temperature"] = 0.5
    forecasts = Rehearsal(config).foresee()
    assert sums(forecasts, "play").new.high == 0
    ratings = sums(forecasts, "rate")
    assert ratings.paid == 0
    assert ratings.new.low == ratings.new.likely == truth(run)["rate"]["calls"]
    # The prompts are there word for word: only how the model counts them is open.
    assert ratings.prompt_tokens.likely == pytest.approx(truth(run)["rate"]["prompt_tokens"], rel=0.02)


def test_the_other_order_is_new_where_the_usual_one_is_paid_for(run: Rehearsal) -> None:
    jobs = [replace(job, rule="rate_swapped", outputs=(f"{job.outputs[0]}.swapped",)) for job in run.jobs("rate")]
    again = sums(run.foresee(jobs), "rate_swapped")
    assert again.paid == 0 and again.new.low == again.new.likely == truth(run)["rate"]["calls"]
    assert again.prompt_tokens.likely == pytest.approx(truth(run)["rate"]["prompt_tokens"], rel=0.02)


def test_a_canary_costs_a_call_for_each_frozen_episode_and_date(run: Rehearsal) -> None:
    config = {**small(), "canary": {"dates": ["2026-11-01", "2026-11-24"]}}
    forecasts = Rehearsal(config).foresee([Job("ask_canary", {"judge": "judge"}, ("not there yet",))])
    asked = sums(forecasts, "ask_canary")
    assert (asked.paid, asked.new.low, asked.new.likely) == (0, 24, 24)


def test_simulated_raters_cost_a_call_for_each_rater_that_an_item_wants(run: Rehearsal) -> None:
    config = {**small(), "human": {"evaluation": "all", "per_policy": 4, "raters": 3, "simulated_by": "judge"}}
    rehearsal = Rehearsal(config)
    forecasts = rehearsal.foresee([Job("annotate", {}, ("not there yet",))])
    asked, players = sums(forecasts, "annotate"), len(rehearsal.layout.human_players())
    assert (asked.paid, asked.new.low, asked.new.high) == (0, 4 * 3 * players, pytest.approx(4 * 4 * players, rel=0.3))
    assert asked.new.low < asked.new.likely < asked.new.high
    # A rater reads what a judge reads, and about as much.
    judged = truth(run)["rate"]
    assert asked.prompt_tokens.likely / asked.new.likely == pytest.approx(
        judged["prompt_tokens"] / judged["calls"], rel=0.5
    )


def test_an_edited_task_pays_for_its_own_episodes_alone(run: Rehearsal) -> None:
    path = Path(run.layout.shard("few", "00"))
    first, *rest = path.read_text().splitlines(keepends=True)
    task = json.loads(first)
    task["scenario"] = "It is late. " + task["scenario"]
    path.write_text("".join([json.dumps(task) + "\n", *rest]))
    jobs = [job for job in run.jobs("play", "rate") if job.wildcards["shard"] == "00"]
    forecasts = run.foresee(jobs)
    episodes = 2 * 2  # two casts in two seatings
    assert sums(forecasts, "rate").new.likely == episodes
    played = [len(one.turns) for path in run.layout.episodes("few", ("base", "partner")) for one in _episodes(path)]
    assert 2 * episodes < sums(forecasts, "play").new.likely <= episodes * max(played)
    assert sums(forecasts, "play").paid > 0
    # An edit of the shard by hand stays, whatever would be cut anew.
    whole = run.foresee([job for job in run.jobs() if job.wildcards.get("shard") in (None, "00")])
    assert sums(whole, "rate").new.likely == episodes


def _episodes(path: str) -> list[Episode]:
    return read_jsonl(path, Episode)


def test_a_higher_count_pays_for_the_new_tasks_alone(run: Rehearsal) -> None:
    more = small()
    more["task_sets"]["few"]["count"] = 11
    forecasts = Rehearsal(more).foresee()
    written = sums(forecasts, "write")
    assert written.paid == 8 and 3 <= written.new.likely <= 4
    assert sums(forecasts, "play").paid == truth(run)["play"]["calls"]
    assert sums(forecasts, "rate").paid == truth(run)["rate"]["calls"]
    assert sums(forecasts, "rate").new.likely == pytest.approx(3 * 2 * 2, rel=0.01)


def test_more_casts_keep_what_was_played(run: Rehearsal) -> None:
    more = small()
    more["task_sets"]["few"]["casts"] = 3
    forecasts = Rehearsal(more).foresee()
    assert sums(forecasts, "play").paid == truth(run)["play"]["calls"]
    assert sums(forecasts, "rate").new.likely == pytest.approx(8 * 2, rel=0.01)


def test_an_episode_that_was_cut_off_goes_on_where_it_was(run: Rehearsal) -> None:
    """A killed job: half of its calls are gone, and with the first one that is missing an episode breaks off."""
    path = run.ledger / "episodes/few/base+partner/00.sqlite"
    with sqlite3.connect(path) as connection:
        whole = connection.execute("SELECT count(*) FROM calls").fetchone()[0]
        connection.execute("DELETE FROM calls WHERE id > ?", (whole // 2,))
    job = [job for job in run.jobs("play") if job.wildcards["players"] == "base+partner"][:1]
    total = sums(run.foresee(job))
    assert total.paid == whole // 2  # what was said first is said first again
    assert total.new.likely == pytest.approx(whole - whole // 2, rel=0.25)


def test_a_shard_that_another_number_of_shards_put_elsewhere_is_found(run: Rehearsal) -> None:
    config = small()
    config["task_sets"]["few"]["shards"] = 3
    shutil.rmtree(run.results)
    assert sums(Rehearsal(config).foresee()).new.high == 0


def test_a_ledger_that_cannot_be_read_tells_nothing_and_stays_as_it_is(run: Rehearsal) -> None:
    path = run.ledger / "ratings/few/base+partner/judge/00.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    before = path.read_bytes()
    forecasts = run.foresee(run.jobs("rate"))
    assert 0 < sums(forecasts).new.likely < truth_of(run, "rate")
    assert path.read_bytes() == before


def truth_of(run: Rehearsal, rule: str) -> int:
    return sum(len(_episodes(path)) for path in run.layout.all_episodes()) if rule == "rate" else 0


# -- policies that are trained on the way ------------------------------------------------------------------------


def learner() -> dict[str, Any]:
    """The small experiment with a policy that learns from the expert's play."""
    config = small()
    config["models"]["agent"] = {"engine": "llamacpp", "name": "agent", "path": "agent"}
    config["policies"] = {
        "base": {"model": "agent"},
        "bc": {
            "parent": "base",
            "learns_from": {"players": ["expert", "expert"], "tasks": "few", "judge": "judge", "selection": "bc"},
        },
    }
    return config


LEARNING = ("select", "collect", "train")


def learning(own: bool = True) -> list[Job]:
    reason = "not there yet" if own else "only if what is before it changes"
    return [Job(rule, {"policy": "bc"}, (reason,), own=own) for rule in LEARNING]


def trained(rehearsal: Rehearsal) -> str:
    """Put the adapter of `bc` where training would: in the results and in the store; its key."""
    layout, experiment = rehearsal.layout, rehearsal.experiment
    folder = fake_adapter(Path(layout.policy("bc")))
    source = layout.learned_from("bc")
    selection = select(read_ratings(layout.training_ratings("bc")), source.selection, players=set(source.players))
    episodes = [one for path in layout.training_episodes("bc") for one in _episodes(path)]
    tasks = {task.name: task for path in layout.tasks("few") for task in read_tasks(path)}
    from parley.records.character import read_characters
    from parley.world.observation import Renderer
    from parley.world.prompts import prompt

    people = read_characters(experiment.world.characters)
    renderer = Renderer(prompt(experiment.prompts.turn), experiment.play, tasks, people)
    dataset = Path(layout.results) / "datasets" / "bc"
    write_dataset(dataset, samples(selection, episodes, renderer.messages), selection, "bc", {})
    sha = json.loads((dataset / "manifest.json").read_text())["sha256"]
    base = digest(checkpoint_identity(Path("agent"), Path(".parley")))
    key = adapter_key(base, None, sha, Training(), training_code(), library_versions())
    AdapterStore(rehearsal.ledger / "adapters").keep(key, folder)
    return key


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run in which a policy was trained."""
    folder = tmp_path_factory.mktemp("school")
    with pytest.MonkeyPatch.context() as patch:
        stage(folder, patch)
        rehearsal = Rehearsal(learner())
        fake_checkpoint(Path("agent"))
        rehearsal.write("few")
        rehearsal.cast("few")
        for shard in rehearsal.layout.shards("few"):
            rehearsal.play("few", ("expert", "expert"), shard)
            rehearsal.rate("few", ("expert", "expert"), "judge", shard)
        trained(rehearsal)
        rehearsal.run()
    return folder


@pytest.fixture
def taught(school: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """A copy of that folder, to change things in."""
    shutil.copytree(school, tmp_path / "taught", symlinks=True)
    monkeypatch.chdir(tmp_path / "taught")
    return Rehearsal(learner())


def in_order(rehearsal: Rehearsal, own: bool = True, rules: tuple[str, ...] = ()) -> list[Job]:
    """The jobs with training between what it learns from and what the policy plays."""
    jobs = rehearsal.jobs(*rules)
    plays_bc = [job for job in jobs if "bc" in job.wildcards.get("players", "").split("+")]
    return [*(job for job in jobs if job not in plays_bc), *learning(own), *plays_bc]


def test_a_run_that_finds_its_adapter_in_the_store_is_known_to_its_end(taught: Rehearsal) -> None:
    calls = usage(taught.ledger)["calls"].sum()
    shutil.rmtree(taught.results)
    forecasts = taught.foresee(in_order(taught))
    assert sums(forecasts).new.high == 0
    assert sums(forecasts).paid == calls


def test_a_policy_that_is_not_in_the_store_will_play_anew(taught: Rehearsal) -> None:
    shutil.rmtree(taught.results)
    shutil.rmtree(taught.ledger / "adapters")
    forecasts = taught.foresee(in_order(taught))
    for forecast in forecasts:
        plays = "bc" in forecast.job.wildcards.get("players", "").split("+")
        new = sum(call.new.low for call in forecast.calls)
        assert (new > 0) == (plays and bool(forecast.calls)), forecast.job


def test_what_is_only_behind_a_change_may_cost_nothing(taught: Rehearsal) -> None:
    """One task is edited; training is stale only through its data: selection may drop what is new."""
    path = Path(taught.layout.shard("few", "00"))
    first, *rest = path.read_text().splitlines(keepends=True)
    edited = {**json.loads(first), "scenario": "Two people meet once more, and it rains."}
    path.write_text("".join([json.dumps(edited) + "\n", *rest]))
    forecasts = taught.foresee(in_order(taught, own=False, rules=("play", "rate")))
    episodes = 8 * 2
    # Each play of bc is at stake; at least the edited task's casts are new.
    for players in ("bc+partner", "partner+bc"):
        rated = [f for f in forecasts if f.job.rule == "rate" and f.job.wildcards["players"] == players]
        new = sums(rated).new
        assert (new.low, new.likely) == (2, pytest.approx(episodes))
        played = sums([f for f in forecasts if f.job.rule == "play" and f.job.wildcards["players"] == players]).new
        assert 0 < played.low < played.likely / 4


def test_a_policy_whose_own_settings_changed_plays_anew_at_any_rate(taught: Rehearsal) -> None:
    config = learner()
    config["policies"]["bc"]["training"] = {"rank": 4}
    changed = Rehearsal(config)
    train = Job("train", {"policy": "bc"}, ("settings changed: training.rank",))
    plays = [job for job in changed.jobs("play") if "bc" in job.wildcards["players"].split("+")]
    total = sums(changed.foresee([train, *plays]))
    assert total.paid == 8 * 2  # what the partner says first, before the policy has said anything
    assert total.new.low > 0.5 * total.new.likely


def test_a_policy_that_is_not_trained_again_is_taken_as_it_lies_there(taught: Rehearsal) -> None:
    plays = [job for job in taught.jobs("play") if "bc" in job.wildcards["players"].split("+")]
    assert sums(taught.foresee(plays)).new.high == 0


def test_an_engine_that_is_not_here_makes_calls_new_and_is_no_error(taught: Rehearsal) -> None:
    shutil.rmtree("agent")
    plays = [job for job in taught.jobs("play") if "base" in job.wildcards["players"].split("+")]
    assert sums(taught.foresee(plays)).new.low > 0


# -- the safety study --------------------------------------------------------------------------------------------


def guarded(**changes: Any) -> dict[str, Any]:
    """The small experiment with a safety study, its tasks written into the folder."""
    tasks = read_tasks(ROOT / "resources/tasks/safety.jsonl")
    write_jsonl(Path("risky.jsonl"), [task.model_copy(update={"casts": ()}) for task in tasks])
    config = small()
    config["task_sets"]["safety"] = {"file": "risky.jsonl", "casts": 4, "shards": 2}
    config["safety"] = {"tasks": "safety", "partner": "partner", "judge": "judge", **changes}
    return config


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    with pytest.MonkeyPatch.context() as patch:
        stage(folder, patch)
        Rehearsal(guarded()).run()
    return folder


def test_judgements_are_foreseen_cold_and_known_warm(
    watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(tmp_path / "cold", monkeypatch)
    rehearsal = Rehearsal(guarded())
    cold = sums(rehearsal.foresee(), "judge")
    shutil.copytree(watched / "ledger", "ledger")
    warm = sums(rehearsal.foresee(), "judge")
    took = usage(Path("ledger")).filter(stage="judgements")
    assert (warm.paid, warm.new.high) == (took["calls"].sum(), 0)
    assert cold.new.likely == pytest.approx(took["calls"].sum(), rel=0.25)
    assert cold.prompt_tokens.likely == pytest.approx(took["prompt_tokens"].sum(), rel=0.25)
    assert cold.completion_tokens.likely == pytest.approx(took["completion_tokens"].sum(), rel=0.25)


def test_another_question_pays_for_judgements_alone(
    watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(tmp_path / "asked", monkeypatch)
    shutil.copytree(watched / "ledger", "ledger")
    Path("mine.jinja").write_text((ROOT / "prompts/safety.jinja").read_text() + "\nThank you.\n")
    config = guarded()
    config["prompts"]["safety"] = "mine.jinja"
    forecasts = Rehearsal(config).foresee()
    took = usage(Path("ledger")).filter(stage="judgements")["calls"].sum()
    assert sums(forecasts, "judge").new.likely == took
    assert sums(forecasts).new.likely == took


def test_where_rules_decide_no_judgement_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(tmp_path / "rules", monkeypatch)
    assert not Rehearsal(guarded(decided_by="rules")).jobs("judge")


# -- jobs without calls ------------------------------------------------------------------------------------------


def test_other_jobs_make_no_calls(run: Rehearsal) -> None:
    job = Job("score", {"player": "base", "evaluation": "all"}, ("settings changed",))
    (forecast,) = foresee([job], run.experiment, Priors(run.experiment, Experience()), run.ledger)
    assert forecast.calls == ()


def test_failed_episodes_are_not_rated_and_cost_nothing(run: Rehearsal) -> None:
    path = run.layout.episodes("few", ("base", "partner"))[0]
    episodes = _episodes(path)
    broken = [one.model_copy(update={"ending": "failed", "failure": "it broke"}) for one in episodes]
    write_jsonl(Path(path), broken)
    jobs = [
        job
        for job in run.jobs("rate")
        if job.wildcards == {"task_set": "few", "players": "base+partner", "judge": "judge", "shard": "00"}
    ]
    assert sums(run.foresee(jobs)) == sums(run.foresee([]))


# -- before everything is there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["sotopia", "keywords"])
def test_a_plan_that_begins_with_an_import_says_what_to_bring_in_first(run: Rehearsal, rule: str) -> None:
    importing = Job(rule, {}, ("not there yet",), outputs=(f"imported/{rule}.jsonl",))
    with pytest.raises(ParleyError, match=rf"^imported/{rule}.jsonl: is not there yet.*snakemake --cores 1 {rule}\)"):
        run.foresee([importing, *run.jobs()])


def test_a_tokenizer_that_is_not_there_yet_stops_no_estimate(run: Rehearsal) -> None:
    config = small()
    config["play"] = {**config.get("play", {}), "prompt_tokens": 2048, "tokenizer": "models/none/tokenizer.json"}
    assert sums(Rehearsal(config).foresee()).new.high == 0  # prompts that are not cut are those that were sent


def test_another_draw_of_casts_is_foreseen_as_it_will_be(run: Rehearsal) -> None:
    config = small()
    for entry in config["task_sets"].values():
        entry["cast_seed"] = 99
    forecasts = Rehearsal(config).foresee()
    assert sums(forecasts, "write").new.high == 0  # the tasks are those that were written
    assert sums(forecasts, "play").new.likely > 0
