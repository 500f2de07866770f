"""Packing: the same samples, the same loss and the same gradients; no sample sees another; what is interrupted goes on."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from parley.config import Training
from parley.learning.packing import PackedBatches, packs
from parley.learning.passage import Passage
from parley.learning.sft import finetune
from parley.learning.tokens import Encoded
from parley.learning.training import train
from tests.builders import ROOT
from tests.test_training import ADAPTER, SETTINGS, stop_at, write_samples
from tests.tiny import tiny_model

LENGTHS = st.lists(st.integers(2, 100), max_size=40)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("packing") / "base")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_CACHE", str(tmp_path / "cache"))


def samples(count: int, seed: int = 0, longest: int = 90) -> list[Encoded]:
    draw = random.Random(seed)
    lengths = [draw.randrange(10, longest) for _ in range(count)]
    return [Encoded([draw.randrange(4, 290) for _ in range(length)], draw.randrange(1, length)) for length in lengths]


def examples(rows: list[Encoded]) -> list[dict[str, Any]]:
    return [{"input_ids": row.ids, "labels": row.labels} for row in rows]


# -- the sequences -----------------------------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 120))
def test_every_sample_is_in_one_sequence_and_none_is_over_the_limit(lengths: list[int], limit: int) -> None:
    found = packs(lengths, limit)
    assert sorted(index for pack in found for index in pack) == list(range(len(lengths)))
    for pack in found:
        assert pack == sorted(pack)
        assert len(pack) == 1 or sum(lengths[index] for index in pack) <= limit
    assert found == packs(list(lengths), limit)


@given(LENGTHS, st.integers(100, 200))
def test_at_most_one_sequence_is_less_than_half_full(lengths: list[int], limit: int) -> None:
    """First fit opens a new sequence only for what fits into none: two that are half empty would have been one."""
    filled = [sum(lengths[index] for index in pack) for pack in packs(lengths, limit)]
    assert sum(tokens <= limit / 2 for tokens in filled) <= 1
    assert all(one + other > limit for place, one in enumerate(filled) for other in filled[:place])


def test_a_batch_holds_each_samples_tokens_positions_and_labels() -> None:
    rows = samples(7)
    batch = PackedBatches(0, limit=150)(examples(rows))
    chosen = packs([len(row.ids) for row in rows], 150)
    assert 1 < len(batch["packs"]) == len(chosen) < 7
    for sequence, pack in zip(batch["packs"], chosen, strict=True):
        assert "attention_mask" not in sequence  # it would hide where samples begin
        members = [rows[index] for index in pack]
        assert sequence["input_ids"].tolist() == [[token for row in members for token in row.ids]]
        assert sequence["labels"].tolist() == [[label for row in members for label in row.labels]]
        assert sequence["position_ids"].tolist() == [[place for row in members for place in range(len(row.ids))]]
    learned = sum(len(row.ids) - row.prompt for row in rows)
    assert int((batch["labels"][..., 1:] != -100).sum()) == learned  # as the trainer counts


# -- the loss and its gradients ----------------------------------------------------------------------------------------


def gradients(model: Any, sequences: list[dict[str, Any]], count: int) -> tuple[float, dict[str, torch.Tensor]]:
    """The mean loss over `count` answer tokens, and its gradients with respect to every weight."""
    model.zero_grad()
    total = 0.0
    for sequence in sequences:
        inputs = {name: value for name, value in sequence.items() if name != "labels"}
        scores = model(**inputs, use_cache=False).logits[:, :-1].flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(scores, sequence["labels"][:, 1:].flatten(), reduction="sum") / count
        loss.backward()
        total += loss.item()
    return total, {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("name", ["tiny", "pocket"])
def test_neither_the_loss_nor_a_gradient_differs_from_that_of_the_padded_batch(base: Path, name: str) -> None:
    folder = base if name == "tiny" else ROOT / "resources/pocket"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = samples(6)
    count = sum(len(row.ids) - row.prompt for row in rows)
    padded = DataCollatorForLanguageModeling(0)(examples(rows))
    packed = PackedBatches(0, limit=150)(examples(rows))["packs"]
    assert len(packed) > 1 and padded["attention_mask"].min() == 0
    loss, expected = gradients(model, [padded], count)
    found, actual = gradients(model, packed, count)
    assert found == pytest.approx(loss, rel=1e-5)
    assert actual.keys() == expected.keys() and len(actual) > 10
    for key, gradient in expected.items():
        torch.testing.assert_close(actual[key], gradient, rtol=1e-3, atol=1e-6, msg=key)


def test_a_sample_does_not_see_what_else_is_in_its_sequence(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    rows = samples(3)
    other = copy.deepcopy(rows)
    other[1].ids[:] = [token % 200 + 5 for token in rows[1].ids]
    border = len(rows[0].ids), len(rows[0].ids) + len(rows[1].ids)

    def scores(of: list[Encoded], *, marked: bool) -> torch.Tensor:
        (sequence,) = PackedBatches(0, limit=1000)(examples(of))["packs"]
        inputs = {key: value for key, value in sequence.items() if key != "labels" and (marked or key == "input_ids")}
        with torch.no_grad():
            return torch.as_tensor(model(**inputs, use_cache=False).logits[0])

    before, after = scores(rows, marked=True), scores(other, marked=True)
    torch.testing.assert_close(after[: border[0]], before[: border[0]], rtol=0, atol=1e-6)
    torch.testing.assert_close(after[border[1] :], before[border[1] :], rtol=0, atol=1e-6)
    assert (after[border[0] : border[1]] - before[border[0] : border[1]]).abs().max() > 1e-3
    # Without the positions the third sample would see the second one.
    assert (scores(other, marked=False)[border[1] :] - scores(rows, marked=False)[border[1] :]).abs().max() > 1e-3


# -- training ----------------------------------------------------------------------------------------------------------

QUIET = Training(batch_size=4, learning_rate=1e-2, rank=2, alpha=4, dropout=0)


def test_a_packed_training_takes_the_same_steps(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Loss, accuracy and learning rate of each step; with activations computed twice, to the same bytes."""
    rows = samples(14)  # the last step has two
    logs = {}
    for name, passage in {
        "padded": Passage(packed=False, samples=4, tokens=0, checkpointing=False),
        "packed": Passage(packed=True, samples=4, tokens=150, checkpointing=False),
        "twice": Passage(packed=True, samples=4, tokens=150, checkpointing=True),
    }.items():
        (tmp_path / name).mkdir()
        logs[name] = finetune(base, None, rows, QUIET, tmp_path / name, None, lambda _: None, 0, passage)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("samples go through at once")]
    assert [line.partition(": ")[2] for line in said] == [
        "packed, 150 tokens, sdpa",
        "packed, 150 tokens, sdpa, computed twice",
    ]
    assert len(logs["padded"]) == 4
    for padded, packed in zip(logs["padded"], logs["packed"], strict=True):
        assert packed == {key: pytest.approx(value, abs=2e-5) for key, value in padded.items()}
    assert (tmp_path / "twice" / ADAPTER).read_bytes() == (tmp_path / "packed" / ADAPTER).read_bytes()


def test_a_packed_training_that_is_interrupted_goes_on_and_ends_with_the_same_bytes(base: Path, tmp_path: Path) -> None:
    data = write_samples(
        tmp_path / "data", [f"Turn {turn}. {'word ' * (turn % 5)}" for turn in range(12)], ["yes"] * 12
    )
    settings = SETTINGS.model_copy(update={"packing": True})
    state, out = tmp_path / "state", tmp_path / "out" / "bc"
    train(base, None, data, settings, tmp_path / "whole" / "bc")
    with pytest.raises(InterruptedError):
        train(base, None, data, settings, out, on_progress=stop_at(4), checkpoints=state, save_every=0)
    steps: list[int] = []
    train(base, None, data, settings, out, on_progress=lambda step, *_: steps.append(step), checkpoints=state)
    assert steps == [4, 5, 6]
    for path in (tmp_path / "whole" / "bc").iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name
    assert json.loads((out / "manifest.json").read_text())["settings"]["packing"] is True
