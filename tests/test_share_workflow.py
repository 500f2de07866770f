"""Push and pull as targets of the workflow: named, they run; not named, nothing asks for them."""

import json
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard

from parley.layout import Layout
from tests.builders import experiment
from tests.whole_hub import TOKEN, WholeHub, standing_whole
from tests.workflow import Workshop, build_learning, jobs, ran, whole

PUSHED = [("models", "bc"), ("models", "sr"), ("datasets", "bc-data"), ("datasets", "sr-data")]


def test_no_run_asks_for_a_push_and_every_trained_policy_has_one() -> None:
    layout = Layout(experiment())
    receipts = [*layout.all_pushed("dataset"), *layout.all_pushed("adapter")]
    assert receipts == [
        f"results/mini/hub/{name}/{what}.json" for what in ("dataset", "adapter") for name in ("bc", "sr")
    ]
    assert not set(receipts) & set(layout.everything())
    assert layout.card_scores("sr") == ["results/mini/scores/sr/all.parquet"]
    assert layout.card_differences("sr") == ["results/mini/scores/sr/all.versus_base.parquet"]


@pytest.mark.slow
def test_a_plan_holds_a_push_or_a_pull_only_if_it_is_named(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, whole())
    assert not {"push_dataset", "push_adapter", "pull"} & jobs(shop.run("-n")).keys()
    plan = jobs(shop.run("push", "-n"))
    assert (plan["push_dataset"], plan["push_adapter"]) == (3, 3)
    assert jobs(shop.run("results/whole/hub/bc/dataset.json", "-n"))["push_dataset"] == 1
    assert jobs(shop.run("imported/models/theirs/provenance.json", "-n")) == {"pull": 1}
    shop.run("results/whole/hub/base/adapter.json", "-n", status=1)  # a base policy has none


@pytest.mark.slow
def test_what_was_learned_goes_to_the_hub_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = build_learning(tmp_path / "shop")
    with standing_whole(WholeHub()) as hub:
        for name, value in {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("PARLEY_HUB", "me")
        assert ran(shop.run("push")) == {"push_dataset": 2, "push_adapter": 2, "push": 1}
        assert set(hub.repos) == {f"{kind}/me/small-{name}" for kind, name in PUSHED}
        card = ModelCard(hub.repos["models/me/small-sr"].files["README.md"].decode())
        assert (card.data.library_name, card.data.license, card.data.base_model) == ("peft", "apache-2.0", "pocket")
        assert {one.metric_type for one in card.data.eval_results} >= {"goal", "overall"}
        assert DatasetCard(hub.repos["datasets/me/small-bc-data"].files["README.md"].decode()).data.license
        assert "push" not in jobs(shop.run("push", "-n"))  # the receipts are up to date
        commits = {name: len(repo.commits) for name, repo in hub.repos.items()}
        shop.run("push", "-R", "push_dataset", "push_adapter")
        assert {name: len(repo.commits) for name, repo in hub.repos.items()} == commits
        assert not any(TOKEN in path.read_text() for path in (shop.results / "logs/hub").rglob("*.log"))
        # Back again: the adapter merged into its base, as a model that a config names.
        monkeypatch.delenv("HF_TOKEN")
        monkeypatch.setenv("PARLEY_PULL", f"me/small-bc@{hub.repos['models/me/small-bc'].head}")
        monkeypatch.setenv("PARLEY_PULL_BASE", "resources/pocket")
        shop.run("imported/models/theirs/provenance.json")
    assert jobs(shop.run("imported/models/theirs/provenance.json", "-n")) == {}
    config = json.loads(json.dumps(shop.config))
    config["models"]["theirs"] = {**config["models"]["agent"], "name": "theirs", "path": "imported/models/theirs"}
    config["policies"] = {"released": {"model": "theirs"}}
    for name in ("agent", "writer", "expert"):
        del config["models"][name]
    config["task_sets"] = {"test": config["task_sets"]["test"]}
    shop.configure(config)
    shop.run("results/small/scores/released/all.parquet")
    assert (shop.results / "scores/released/all.parquet").is_file()
