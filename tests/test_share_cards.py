"""The hub's cards: what they say was done, in the form that the hub's own tools read."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from huggingface_hub import DatasetCard, ModelCard

from parley.config import Experiment, check
from parley.exchange.share import facts
from parley.exchange.share.adapter_card import Made, adapter_card
from parley.exchange.share.dataset_card import dataset_card
from parley.learning.adapters import LIBRARIES
from parley.records.frames import read_parquet
from parley.records.jsonl import read_json
from parley.records.rating import KEYS
from parley.records.score import DIFFERENCES, SCHEMA
from tests import sharing
from tests.builders import changed, experiment

#: No speaker is scripted.
REAL: dict[str, Any] = {"models.writer": {"engine": "openai", "name": "writer-1", "price": "free"}}


def facts_of(folder: Path, scored: bool = True) -> Made:
    score, difference = sharing.scores(folder / "scores")
    return Made(
        read_json(sharing.adapter(folder / "adapter") / "manifest.json"),
        read_json(sharing.dataset(folder / "data")),
        read_parquet(score) if scored else pl.DataFrame(schema=SCHEMA),
        read_parquet(difference) if scored else pl.DataFrame(schema=DIFFERENCES),
    )


def model_card(folder: Path, one: Experiment | None = None, scored: bool = True) -> str:
    return adapter_card(
        one or experiment(REAL), "bc", facts_of(folder, scored), "cc-by-sa-4.0", "org/agent-7b", "me/mini-bc"
    )


def counts(folder: Path) -> dict[str, Any]:
    manifest = sharing.dataset(folder)
    return {**read_json(manifest), **read_json(manifest.with_name("funnel.json"))}


# -- adapters --------------------------------------------------------------------------------------------------------


def test_the_hubs_own_tool_reads_the_header_of_an_adapters_card(tmp_path: Path) -> None:
    data = ModelCard(model_card(tmp_path)).data
    assert (data.base_model, data.library_name, data.license) == ("org/agent-7b", "peft", "cc-by-sa-4.0")
    assert (data.pipeline_tag, data.language) == ("text-generation", "en")
    assert {"lora", "parley"} <= set(data.tags)


def test_scores_are_in_the_model_index_with_their_intervals(tmp_path: Path) -> None:
    data = ModelCard(model_card(tmp_path)).data
    assert data.model_name == "mini-bc"
    results = {one.metric_type: one for one in data.eval_results}
    assert set(results) == {*KEYS, "overall"} and len(data.eval_results) == 8  # both seats pooled
    goal = results["goal"]
    assert (goal.metric_value, goal.metric_name) == (7.25, "GOAL (0 to 10)")
    assert goal.metric_args == {"low": 7.0, "high": 7.5, "seats": 180, "tasks": 90}
    assert (goal.dataset_name, goal.dataset_type) == ("all", "mini-test")
    assert goal.task_name == "social interaction, judged by judge"


def test_the_page_says_how_it_was_made_and_against_whom_it_was_measured(tmp_path: Path) -> None:
    text = model_card(tmp_path)
    for said in (
        "# mini-bc",
        'PeftModel.from_pretrained(base_model, "me/mini-bc")',
        "How it acts where harm is near was looked at on the tasks `risky` alone.",
        "**all**: against partner-1 (openai, temperature 1), judged by judge-1 (openai, temperature 0)",
        "| GOAL (0 to 10) | 7.25 | 7.00 to 7.50 | 180 | 2 |",
        "| SEC (-10 to 0) | 7.25 |",
        "- GOAL is +1.50 (1.00 to 2.00, p = 0.004) to that of `base`, paired over 90 tasks",
        "| learns from | expert-1 (openai, temperature 1) |",
        "| selection | rule bc, reward goal, top 2, share 0.2",
        "| judge of the selection | judge-1 (openai, temperature 0) |",
        "| samples | 3 turns of 1 episodes of 1 tasks |",
        "| learning_rate | 5e-05 |",
        "| last_loss | 0.5 |",
        "| peft | 0.1 |",
        f"| hash of the adapter | {'a' * 64} |",
        "The judge that scored it also chose what it learned from.",
        "Licence cc-by-sa-4.0",
    ):
        assert said in text, said
    assert "| knowledge" not in text and "KNO is" not in text  # differences of goal and overall only
    assert "/home/me" not in text and facts.SIMULATED not in text
    assert set(LIBRARIES) >= {"peft"}


def test_an_adapter_without_scores_has_a_card_without_them(tmp_path: Path) -> None:
    text = model_card(tmp_path, scored=False)
    assert "## Scores" not in text and "model-index" not in text
    assert ModelCard(text).data.base_model == "org/agent-7b"
    assert "was not looked at" in model_card(tmp_path / "unsafe", experiment({"safety": None, "task_sets.risky": None}))


def test_what_is_simulated_is_called_so_first(tmp_path: Path) -> None:
    text = model_card(tmp_path, experiment())  # its writer is scripted
    assert ModelCard(text).text.split("\n\n")[1].strip() == facts.SIMULATED
    assert "its scores say nothing of talk with people or models" in text


def test_a_score_that_nobody_has_is_no_number(tmp_path: Path) -> None:
    known = facts_of(tmp_path)
    none = known.scores.with_columns(
        mean=pl.when(pl.col("dimension") == "goal").then(None).otherwise("mean"), low=pl.lit(None, pl.Float64)
    )
    made = Made(known.manifest, known.dataset, none, known.differences)
    text = adapter_card(experiment(REAL), "bc", made, "mit", "org/agent-7b", "me/mini-bc")
    assert "| GOAL (0 to 10) | – | – | 180 | 2 |" in text
    results = {one.metric_type: one for one in ModelCard(text).data.eval_results}
    assert "goal" not in results and "low" not in results["overall"].metric_args


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    assert model_card(tmp_path / "one") == model_card(tmp_path / "two")
    texts = [dataset_card(experiment(), "bc", counts(tmp_path / name), "mit", "me/d") for name in ("three", "four")]
    assert texts[0] == texts[1]


# -- datasets --------------------------------------------------------------------------------------------------------


def test_the_hubs_own_tool_reads_the_header_of_a_datasets_card(tmp_path: Path) -> None:
    data = DatasetCard(dataset_card(experiment(REAL), "bc", counts(tmp_path / "d"), "cc-by-sa-4.0", "me/d")).data
    assert (data.pretty_name, data.license, data.language) == ("mini-bc-data", "cc-by-sa-4.0", "en")
    assert (data.task_categories, data.size_categories) == (["text-generation"], ["n<1K"])
    assert data.to_dict()["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train.parquet"}]}
    ]


@pytest.mark.parametrize(
    ("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (5_000_000, "1M<n<10M")]
)
def test_a_number_of_rows_has_the_hubs_name(rows: int, size: str, tmp_path: Path) -> None:
    text = dataset_card(experiment(), "bc", {**counts(tmp_path / "d"), "rows": rows}, "mit", "me/d")
    assert DatasetCard(text).data.size_categories == [size]


def test_the_page_says_where_the_samples_come_from(tmp_path: Path) -> None:
    text = dataset_card(experiment(REAL), "bc", counts(tmp_path / "d"), "cc-by-sa-4.0", "me/d")
    for said in (
        "`prompt` is what the agent was sent",
        'load_dataset("me/d", split="train")',
        "| players | expert-1 (openai, temperature 1) |",
        "| tasks | `round1`, written by writer-1 (openai, temperature 1); 1 casts each",
        "| judge | judge-1 (openai, temperature 0) |",
        "| seats kept | 1 of 2 |",
        "| seats: below the bar | 1 |",
        "| dropped turns: did nothing | 1 |",
    ):
        assert said in text, said
    assert "brought in from a file" in dataset_card(
        experiment({"policies.sr.learns_from.tasks": "test", "task_sets.round2": None}),
        "sr",
        counts(tmp_path / "e"),
        "mit",
        "me/d",
    )


# -- licences --------------------------------------------------------------------------------------------------------


def test_a_licence_is_that_of_what_was_brought_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours = check(changed())
    assert facts.licence(ours, "bc", None) == "apache-2.0"
    (tmp_path / "imported/sotopia").mkdir(parents=True)
    (tmp_path / "imported/sotopia/provenance.json").write_text(json.dumps({"licence": "CC-BY-SA-4.0"}))
    theirs = check(changed({"world.characters": "imported/sotopia/characters.jsonl"}))
    assert facts.licence(theirs, "bc", None) == "cc-by-sa-4.0"
    assert facts.licence(theirs, "bc", "mit") == "mit" and facts.licences(theirs, "bc") == ["cc-by-sa-4.0"]
    (tmp_path / "imported/keywords.provenance.json").write_text(json.dumps({"licence": "CC-BY-4.0"}))
    keywords = check(changed({"world.keywords": "imported/keywords.jsonl"}))
    assert facts.licence(keywords, "bc", None) == "cc-by-4.0"
    assert facts.licences(keywords, "sr") == ["cc-by-4.0"]  # its parent learned from them, too


def test_a_base_model_is_named_as_the_hub_knows_it() -> None:
    assert facts.base_name(experiment(), "sr") == "agent"
    named = experiment({"models.agent.name": "mistralai/Mistral-7B-Instruct-v0.1"})
    assert facts.base_name(named, "sr") == "mistralai/Mistral-7B-Instruct-v0.1"
    assert facts.speaker(named, "bc") == "policy `bc` on mistralai/Mistral-7B-Instruct-v0.1 (llamacpp, temperature 1)"
    assert facts.speaker(experiment(), "writer") == "writer (scripted, temperature 1)"
