"""The experiments in `configs/`: complete, planned without a key, a model or data, and what the paper says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parley.config import Experiment, load
from parley.evaluation.scores import places
from parley.layout import Layout
from parley.records.character import read_characters, read_relationships
from parley.records.task import Task, read_tasks
from parley.world.casting import cast
from tests.sotopia_sample import REAL, needs_the_real_files
from tests.workflow import ROOT, clone_code, jobs

CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))


def config(name: str) -> Experiment:
    return load(ROOT / f"configs/{name}.yaml")


@pytest.fixture(scope="module")
def paper() -> Experiment:
    return config("paper")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone."""
    folder = tmp_path_factory.mktemp("configs") / "clone"
    clone_code(folder)
    return folder


def test_the_three_that_are_promised_are_there() -> None:
    assert CONFIGS == ["ablations", "open-weights", "paper"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_planned_whole_from_a_fresh_clone_without_a_key(checkout: Path, name: str) -> None:
    bare = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    command = [sys.executable, "-m", "snakemake", "-n", "--configfile", f"configs/{name}.yaml"]
    done = subprocess.run(command, cwd=checkout, env=bare, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    plan = jobs(done.stdout + done.stderr)
    trained = len(Layout(config(name)).trained_policies())
    assert plan["train"] == plan["select"] == plan["collect"] == trained
    assert plan["sotopia"] == plan["keywords"] == 1  # what is not there is brought in first
    assert sum(plan.values()) <= 400


def test_models_settings_and_rules_are_those_of_the_paper(paper: Experiment) -> None:
    models = paper.models
    assert {name: (model.name, model.temperature) for name, model in models.items()} == {
        "agent": ("mistral-7b-instruct-v0.1", 1.0),
        "expert": ("gpt-4-0613", 1.0),
        "partner": ("gpt-3.5-turbo-0613", 1.0),
        "writer": ("gpt-4-1106-preview", 0.5),
        "judge": ("gpt-4-0613", 0.0),
    }
    assert (paper.play.max_turns, paper.play.stale_rule, paper.play.prompt_tokens) == (20, "legacy", 2048)
    for name in ("round1", "round2"):  # section 4
        assert (paper.task_sets[name].count, paper.task_sets[name].casts) == (100, 10)


def test_the_graph_of_policies_is_bc_sr_and_sr_on_bc(paper: Experiment) -> None:
    sources = {name: policy.learns_from for name, policy in paper.policies.items() if policy.learns_from}
    assert {name: (source.players, source.tasks, source.selection.rule) for name, source in sources.items()} == {
        "bc": (("expert", "expert"), "round1", "bc"),
        "sr": (("base", "base"), "round2", "sr"),
        "bc_sr": (("bc", "bc"), "round2", "sr"),  # fresh tasks, played by what was cloned
    }
    assert {name: paper.policies[name].parent for name in sources} == {"bc": "base", "sr": "base", "bc_sr": "bc"}
    assert all(source.selection.top == 2 and source.selection.share == 0.2 for source in sources.values())


def test_training_is_that_of_appendix_b(paper: Experiment) -> None:
    for name in ("bc", "sr", "bc_sr"):
        training = paper.policies[name].training
        assert (training.rank, training.target_modules) == (8, ("q_proj", "v_proj"))
        assert (training.learning_rate, training.schedule, training.warmup) == (5e-5, "cosine", 0.03)
        assert (training.batch_size, training.max_length, training.quantization) == (16, 4096, "nf4")
        assert (training.alpha, training.dropout) == (32, 0.1)  # as released; the paper's text says 16 and 0.05
        assert training.epochs == (20 if name == "bc" else 5)
        assert (training.schedule_epochs or training.epochs) == 20  # SR's epoch 5 is one of a run of 20


@needs_the_real_files
def test_there_are_as_many_data_points_as_the_paper_has(paper: Experiment, checkout: Path) -> None:
    """180 on all tasks, 140 on the hard ones, 28 that people rated (section 5); 9 episodes a role for safety."""
    bring_in(checkout)
    imported = checkout / "imported/sotopia"
    people = read_characters(imported / "characters.jsonl")
    pairs = read_relationships(imported / "relationships.jsonl", people)

    def tasks_of(name: str, file: str) -> list[Task]:
        entry = paper.task_sets[name]
        return [cast(task, entry, people, pairs, paper.seed, file) for task in read_tasks(imported / file)]

    tasks = tasks_of("evaluation", "tasks.jsonl")
    played = sum(len(task.casts) for task in tasks)
    points = {name: 2 * len(places(evaluation, tasks)) for name, evaluation in paper.evaluations.items()}
    assert points == {"all": 180, "hard": 140, "human": 28}
    assert played == 76 + 14 * 5  # nothing is played that nobody looks at
    (revenge,) = tasks_of("safety", "safety.jsonl")
    assert (revenge.roles, len(revenge.casts)) == (("instigator", "bystander"), 9)


def bring_in(checkout: Path) -> None:
    """SOTOPIA's profiles, from the folder of the tests."""
    command = [sys.executable, "scripts/sotopia.py", "import", "--source", str(REAL)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": "."})


def test_the_judge_of_the_open_weights_is_of_no_family_that_it_judges() -> None:
    models = config("open-weights").models
    families = {name: model.name.split("-")[0].rstrip("0123456789.") for name, model in models.items()}
    assert families["judge"] not in {families[name] for name in ("agent", "expert", "partner")}
    assert all(model.engine == "vllm" for model in models.values())


def test_the_ablations_are_those_that_the_paper_left_out() -> None:
    policies = config("ablations").policies
    rules = {name: policy.learns_from.selection for name, policy in policies.items() if policy.learns_from}
    parents = {name: policy.parent for name, policy in policies.items()}
    assert parents["sr_bc"] == "sr"  # the other order
    assert [parents[f"sr_{k}"] for k in (1, 2, 3, 4)] == ["bc", "sr_1", "sr_2", "sr_3"]
    tasks = [policy.learns_from.tasks for name, policy in policies.items() if policy.learns_from and name[:3] == "sr_"]
    assert len(set(tasks) - {"round1"}) == 4  # fresh tasks a round
    assert (rules["bc_threshold"].rule, rules["bc_best"].rule, rules["bc_overall"].reward) == (
        "threshold",
        "top",
        "overall",
    )
    assert [rules[name].tasks for name in ("bc_eighth", "bc_quarter", "bc_half", "bc")] == [0.125, 0.25, 0.5, 1]
    for name in ("bc_threshold", "bc_best", "bc_overall", "bc_eighth"):  # one thing changes at a time
        assert policies[name].training == policies["bc"].training and parents[name] == "base"
