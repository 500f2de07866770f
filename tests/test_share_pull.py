"""Pulling with the hub's real client from a stand-in hub: what comes in, what it is good for, and what stops it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.canonical import file_digest
from parley.errors import ParleyError
from parley.exchange.share.pull import Wanted, check_dataset, merge
from parley.learning.dataset import learned
from parley.llm.weights import adapter_identity, checkpoint_identity
from tests import sharing
from tests.whole_hub import WholeHub, standing_whole

MODEL, DATA = "models/org/sr", "datasets/org/sr-data"


@pytest.fixture
def hub() -> Iterator[WholeHub]:
    with standing_whole(WholeHub()) as one:
        yield one


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def pulled(folder: Path, hub: WholeHub, kind: str, what: str, *options: str, status: int = 0, **variables: str) -> str:
    online = {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "PARLEY_PULL": what}
    return sharing.script(folder, "pull", kind, "--out", "in", *options, status=status, **(online | variables))


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "in/provenance.json").read_text())
    return found


# -- adapters --------------------------------------------------------------------------------------------------------


def test_an_adapter_comes_in_at_its_revision_with_its_provenance(tmp_path: Path, hub: WholeHub) -> None:
    source = sharing.adapter(tmp_path / "theirs")
    (source / "README.md").write_text("---\nlicense: cc-by-sa-4.0\n---\nTheirs.\n")
    commit = hub.add(MODEL, files_in(source))
    hub.add(MODEL, {"adapter_model.safetensors": b"later", "optimizer.pt": b"large"})
    assert f"org/sr at {commit} → in" in pulled(tmp_path, hub, "adapter", f"org/sr@{commit}")
    assert (tmp_path / "in/adapter_model.safetensors").read_bytes() == b"weights"
    assert not (tmp_path / "in/optimizer.pt").exists()
    provenance = told(tmp_path)
    assert (provenance["hub"], provenance["revision"], provenance["licence"]) == ("org/sr", commit, "cc-by-sa-4.0")
    assert provenance["files"]["adapter_config.json"] == file_digest(tmp_path / "in/adapter_config.json")
    assert adapter_identity(tmp_path / "in") == adapter_identity(source)


def test_a_branch_is_kept_as_the_commit_that_it_was(tmp_path: Path, hub: WholeHub) -> None:
    commit = hub.add(MODEL, files_in(sharing.adapter(tmp_path / "theirs")))
    pulled(tmp_path, hub, "adapter", "org/sr@main")
    assert (told(tmp_path)["revision"], told(tmp_path)["asked_for"]) == (commit, "main")


def test_what_came_in_once_comes_from_the_cache_without_the_hub(tmp_path: Path, hub: WholeHub) -> None:
    commit = hub.add(MODEL, files_in(sharing.adapter(tmp_path / "theirs")))
    pulled(tmp_path, hub, "adapter", f"org/sr@{commit}")
    first = told(tmp_path)
    hub.repos.clear()
    pulled(tmp_path, hub, "adapter", f"org/sr@{commit}", HF_HUB_OFFLINE="1")
    assert told(tmp_path) == first


FAULTS: list[tuple[str, str, dict[str, str], str]] = [
    (
        "adapter",
        "org/sr",
        {},
        "say what to pull: PARLEY_PULL=OWNER/NAME@REVISION, with a commit of the model's repository",
    ),
    ("adapter", "sr@main", {}, "say what to pull: PARLEY_PULL=OWNER/NAME@REVISION"),
    ("dataset", "", {}, "say what to pull: PARLEY_PULL=OWNER/NAME@REVISION, with a commit of the dataset's repository"),
    ("adapter", "org/none@main", {}, "org/none at main cannot be pulled: "),
    ("adapter", f"org/sr@{'0' * 40}", {}, f"org/sr at {'0' * 40} cannot be pulled: "),
    ("adapter", "org/sr@main", {"HF_HUB_OFFLINE": "1"}, "org/sr at main is not in the hub's cache, and HF_HUB_OFFLINE"),
    ("adapter", "org/bare@main", {}, "in.part: no adapter (adapter_config.json is missing); pull another repository"),
    ("adapter", "org/hollow@main", {}, "in.part: an adapter without weights (adapter_model.safetensors); pull another"),
    ("model", "org/sr@main", {}, "say what to merge it into: PARLEY_PULL_BASE=FOLDER, a checkpoint of the base model"),
    (
        "model",
        "org/sr@main",
        {"PARLEY_PULL_BASE": "no"},
        "no: no checkpoint (config.json is missing); set PARLEY_PULL_BASE",
    ),
]


@pytest.mark.parametrize(("kind", "what", "variables", "said"), FAULTS, ids=range(len(FAULTS)))
def test_what_stops_a_pull_is_one_line_and_leaves_what_was_there(
    kind: str, what: str, variables: dict[str, str], said: str, tmp_path: Path, hub: WholeHub
) -> None:
    source = files_in(sharing.adapter(tmp_path / "theirs"))
    hub.add(MODEL, source)
    hub.add("models/org/bare", {"README.md": b"nothing"})
    hub.add("models/org/hollow", {"adapter_config.json": source["adapter_config.json"]})
    (tmp_path / "in").mkdir()
    (tmp_path / "in/mine.txt").write_text("kept")
    errors = pulled(tmp_path, hub, kind, what, status=1, **variables).splitlines()[-1]
    assert errors.startswith(f"error: {said}") or said.removeprefix("in.part") in errors
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["mine.txt"]
    assert not list(tmp_path.glob(".in.*"))


# -- datasets --------------------------------------------------------------------------------------------------------


def test_a_dataset_of_ours_comes_in_as_what_training_takes(tmp_path: Path, hub: WholeHub) -> None:
    manifest = sharing.dataset(tmp_path / "theirs", rows=4)
    hub.add(DATA, files_in(manifest.parent))
    assert "4 samples, as their manifest states" in pulled(tmp_path, hub, "dataset", "org/sr-data@main")
    assert (tmp_path / "in/manifest.json").read_bytes() == manifest.read_bytes()


def test_a_table_of_samples_gets_the_manifest_that_training_asks_for(tmp_path: Path, hub: WholeHub) -> None:
    theirs = sharing.dataset(tmp_path / "theirs").parent
    hub.add(DATA, {"train.parquet": (theirs / "train.parquet").read_bytes()})
    assert "3 samples, manifest written" in pulled(tmp_path, hub, "dataset", "org/sr-data@main")
    stated = json.loads((tmp_path / "in/manifest.json").read_text())
    assert stated == {"sha256": learned(pl.read_parquet(theirs / "train.parquet")), "rows": 3}


def test_files_of_any_kind_can_be_named(tmp_path: Path, hub: WholeHub) -> None:
    hub.add(DATA, {"sotopia_pi_episodes.jsonl": b"{}\n", "dump.rdb": b"large"})
    pulled(tmp_path, hub, "dataset", "org/sr-data@main", "--files", "sotopia_pi_*.jsonl")
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"sotopia_pi_episodes.jsonl", "provenance.json"}
    said = pulled(tmp_path, hub, "dataset", "org/sr-data@main", "--files", "*.none", status=1)
    assert "org/sr-data at main holds no file of the kind; say which with --files" in said


def test_a_table_that_is_not_what_it_states_is_refused(tmp_path: Path) -> None:
    folder = sharing.dataset(tmp_path / "d").parent
    (folder / "manifest.json").write_text('{"sha256": "other"}')
    with pytest.raises(
        ParleyError, match=r"train\.parquet: not what its manifest states \(\w+, not other\); pull another"
    ):
        check_dataset(folder)
    pl.DataFrame({"text": ["a"]}).write_parquet(folder / "train.parquet")
    with pytest.raises(ParleyError, match=r"train\.parquet: no column is called 'prompt'; there are: text"):
        check_dataset(folder)
    (folder / "train.parquet").unlink()
    assert check_dataset(folder) is None  # not a table of samples: whatever else it is


def test_a_revision_must_be_said() -> None:
    assert Wanted.of("a/b@c", "dataset") == Wanted("a/b", "dataset", "c")
    for text in (None, "", "a/b", "a/b@", "@c", "b@c"):
        with pytest.raises(ParleyError, match="say what to pull"):
            Wanted.of(text, "model")


# -- a model to name in a config -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_merged_model_speaks_as_base_and_adapter_do_and_is_a_checkpoint(tmp_path: Path, hub: WholeHub) -> None:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tests.tiny import tiny_model

    base = tiny_model(tmp_path / "base")
    torch.manual_seed(1)
    settings = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings).save_pretrained(tmp_path / "theirs")
    commit = hub.add(MODEL, files_in(tmp_path / "theirs"))
    pulled(tmp_path, hub, "model", f"org/sr@{commit}", PARLEY_PULL_BASE="base")
    found = checkpoint_identity(tmp_path / "in", tmp_path / "cache")
    assert found["tokenizer"] == checkpoint_identity(base, tmp_path / "cache")["tokenizer"]
    assert (told(tmp_path)["revision"], len(told(tmp_path)["base"])) == (commit, 64)
    ids = AutoTokenizer.from_pretrained(base)("Hello there.", return_tensors="pt")["input_ids"]
    expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "theirs")
    plain = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        logits = [
            model(ids).logits for model in (AutoModelForCausalLM.from_pretrained(tmp_path / "in"), expected, plain)
        ]
    assert torch.allclose(logits[0], logits[1], atol=1e-4)
    assert not torch.allclose(logits[0], logits[2], atol=1e-2)
    config = json.loads((tmp_path / "theirs/adapter_config.json").read_text()) | {"r": 3}
    (tmp_path / "theirs/adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ParleyError, match=r"theirs: does not fit .*base: .*; give its own base model"):
        merge(base, tmp_path / "theirs", tmp_path / "out")
