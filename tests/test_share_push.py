"""Pushing with the hub's real client to a stand-in hub: what lies there after, and that nothing is told that is secret."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, ModelCard

from parley.canonical import file_digest
from parley.errors import ParleyError
from parley.exchange.share.push import client, push, token
from tests import sharing
from tests.whole_hub import TOKEN, WholeHub, standing_whole

MODEL, DATA = "models/me/mini-bc", "datasets/me/mini-bc-data"


@pytest.fixture
def hub() -> Iterator[WholeHub]:
    with standing_whole(WholeHub()) as one:
        yield one


def pushed(folder: Path, hub: WholeHub, what: str, *options: str, status: int = 0, **variables: str) -> str:
    """Push by the script, with all that it needs; what it says."""
    ours = sharing.made(folder) if not (folder / "experiment.json").exists() else options_of(folder)
    online = {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN, "PARLEY_HUB": "me"}
    receipt = ["--receipt", f"{what}.json", "--log", f"{what}.log"]
    return sharing.script(folder, "push", what, *ours, *receipt, *options, status=status, **(online | variables))


def options_of(folder: Path) -> list[str]:
    names = ["--experiment", "experiment.json", "--policy", "bc", "--dataset", "datasets/bc/manifest.json"]
    names += ["--adapter", "policies/bc", "--scores", "scores/all.parquet"]
    return [*names, "--differences", "scores/all.versus_base.parquet"]


# -- what is pushed --------------------------------------------------------------------------------------------------


def test_an_adapter_lies_on_the_hub_with_its_card_and_a_receipt(tmp_path: Path, hub: WholeHub) -> None:
    said = pushed(tmp_path, hub, "adapter", "--base", "org/agent-7b")
    repo = hub.repos[MODEL]
    assert f"me/mini-bc: pushed, revision {repo.head}" in said
    assert repo.private and repo.messages == ["initial commit", "adapter of bc (mini), by Parley"]
    assert repo.files["adapter_model.safetensors"] == b"weights"
    assert set(repo.files) == {
        *(".gitattributes", "README.md", "adapter_config.json", "adapter_model.safetensors"),
        *("manifest.json", "training_log.jsonl"),
    }
    card = ModelCard(repo.files["README.md"].decode())
    assert card.data.base_model == "org/agent-7b" and "GOAL (0 to 10)" in card.text
    # No path of this machine: the base model is called what the hub calls it.
    assert json.loads(repo.files["adapter_config.json"])["base_model_name_or_path"] == "org/agent-7b"
    assert not any(b"/home/me" in content for content in repo.files.values())
    receipt = json.loads((tmp_path / "adapter.json").read_text())
    assert (receipt["repository"], receipt["kind"], receipt["revision"]) == ("me/mini-bc", "model", repo.head)
    assert receipt["files"]["adapter_model.safetensors"] == file_digest(
        tmp_path / "policies/bc/adapter_model.safetensors"
    )
    assert set(receipt["files"]) == set(repo.files) - {".gitattributes"}


def test_a_dataset_lies_on_the_hub_as_it_was_made(tmp_path: Path, hub: WholeHub) -> None:
    pushed(tmp_path, hub, "dataset")
    repo = hub.repos[DATA]
    for name in ("train.parquet", "funnel.json", "manifest.json"):
        assert repo.files[name] == (tmp_path / "datasets/bc" / name).read_bytes()
    assert b"size_categories" in repo.files["README.md"] and repo.private


def test_the_same_again_makes_no_commit(tmp_path: Path, hub: WholeHub) -> None:
    pushed(tmp_path, hub, "adapter")
    first = (tmp_path / "adapter.json").read_bytes()
    hub.asked.clear()
    assert "there already" in pushed(tmp_path, hub, "adapter")
    assert len(hub.repos[MODEL].commits) == 2 and (tmp_path / "adapter.json").read_bytes() == first
    assert not any("/commit/" in one for one in hub.asked)


def test_other_content_is_one_commit_more_and_what_is_gone_is_gone(tmp_path: Path, hub: WholeHub) -> None:
    pushed(tmp_path, hub, "adapter")
    hub.add(MODEL, {"old_checkpoint.bin": b"x"})
    (tmp_path / "policies/bc/adapter_model.safetensors").write_bytes(b"better weights")
    pushed(tmp_path, hub, "adapter")
    repo = hub.repos[MODEL]
    assert repo.files["adapter_model.safetensors"] == b"better weights"
    assert "old_checkpoint.bin" not in repo.files and ".gitattributes" in repo.files
    assert len(repo.messages) == 4


def test_public_and_licence_and_base_are_said_by_the_environment(tmp_path: Path, hub: WholeHub) -> None:
    chosen = {"PARLEY_HUB_PUBLIC": "1", "PARLEY_HUB_LICENCE": "mit", "PARLEY_HUB_BASE": "org/base"}
    pushed(tmp_path, hub, "adapter", **chosen)
    assert not hub.repos[MODEL].private
    data = ModelCard(hub.repos[MODEL].files["README.md"].decode()).data
    assert (data.license, data.base_model) == ("mit", "org/base")


def test_another_licence_than_that_of_the_sources_is_told(tmp_path: Path, hub: WholeHub) -> None:
    sharing.made(tmp_path, {"world.characters": "theirs/characters.jsonl"})
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/provenance.json").write_text('{"licence": "CC-BY-SA-4.0"}')
    said = pushed(tmp_path, hub, "dataset", PARLEY_HUB_LICENCE="mit")
    assert "licence mit, though what it was made from says cc-by-sa-4.0" in said


def test_what_would_be_pushed_can_be_looked_at_without_a_hub(tmp_path: Path) -> None:
    options = sharing.made(tmp_path)
    sharing.script(tmp_path, "push", "adapter", *options, "--stage", "look", HF_HUB_OFFLINE="1", PARLEY_HUB="me")
    assert ModelCard.load(tmp_path / "look/README.md").data.library_name == "peft"


# -- what is not told, and what stops it -----------------------------------------------------------------------------


def test_the_token_is_in_no_file_and_in_nothing_that_is_said(tmp_path: Path, hub: WholeHub) -> None:
    said = pushed(tmp_path, hub, "adapter")
    said += pushed(tmp_path, hub, "dataset", status=1, HF_TOKEN="hf_wrong" + "x" * 26)
    hub.refuse = 500
    said += pushed(tmp_path, hub, "dataset", status=1)
    assert TOKEN not in said and "hf_wrong" not in said
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
    for content in hub.repos[MODEL].files.values():
        assert TOKEN.encode() not in content


FAULTS: list[tuple[dict[str, str], int | None, str]] = [
    ({"HF_TOKEN": ""}, None, "pushing needs a token of the hub that may write, in the environment variable HF_TOKEN"),
    ({"HF_HUB_OFFLINE": "1"}, None, "HF_HUB_OFFLINE forbids to push to the hub (`make` sets it"),
    ({"PARLEY_HUB": ""}, None, "say whose repository it will be: PARLEY_HUB=NAME"),
    ({"HF_TOKEN": "hf_other"}, None, "me/mini-bc cannot be pushed to the hub: "),
    ({}, 403, "me/mini-bc cannot be pushed to the hub: "),
    ({"HF_ENDPOINT": "http://127.0.0.1:9"}, None, "me/mini-bc cannot be pushed to the hub: "),
    ({"PARLEY_HUB": "no such owner"}, None, "no such owner/mini-bc cannot be pushed to the hub: "),
]


@pytest.mark.parametrize(("variables", "refused", "told"), FAULTS, ids=range(len(FAULTS)))
def test_what_stops_a_push_is_one_line_and_leaves_no_receipt(
    variables: dict[str, str], refused: int | None, told: str, tmp_path: Path, hub: WholeHub
) -> None:
    hub.refuse = refused
    said = pushed(tmp_path, hub, "adapter", status=1, **variables)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len({*errors}) == 1 and errors[0].removeprefix("error: ").startswith(told)
    assert "Traceback" not in said and not (tmp_path / "adapter.json").exists()


def test_a_push_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hub: WholeHub) -> None:
    (tmp_path / "README.md").write_text("hello")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    api = HfApi(endpoint=hub.address, token=TOKEN)
    for status, remedy in (
        (401, "a token that is valid in HF_TOKEN"),
        (403, "a token that may write there in HF_TOKEN"),
    ):
        hub.refuse = status
        with pytest.raises(ParleyError, match=remedy):
            push(api, tmp_path, "me/x", "model", True, "m")


def test_somebody_elses_commit_in_between_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hub: WholeHub
) -> None:
    (tmp_path / "README.md").write_text("hello")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    class Slow(HfApi):
        def list_repo_files(self, *given: Any, **named: Any) -> list[str]:
            found = super().list_repo_files(*given, **named)
            hub.add("models/me/x", {"theirs.txt": b"new"})
            return found

    with pytest.raises(ParleyError, match="somebody else changed it meanwhile; run the same command again"):
        push(Slow(endpoint=hub.address, token=TOKEN), tmp_path, "me/x", "model", True, "m")
    assert set(hub.repos["models/me/x"].files) == {".gitattributes", "theirs.txt"}


def test_the_token_comes_from_its_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert token({"HF_TOKEN": f" {TOKEN}\n"}) == TOKEN
    with pytest.raises(ParleyError, match="HF_TOKEN"):
        token({"HUGGING_FACE_HUB_TOKEN": TOKEN})
    assert client(TOKEN).token == TOKEN
