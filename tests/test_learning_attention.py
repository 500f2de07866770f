"""Attention: the best kernel that can run is taken, and the one that is called by Parley itself is called right.

Torch's kernel wants a GPU. Here a few lines stand in for it that compute what its documentation says, sample by sample.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from parley.learning import attention as kernels
from parley.learning.attention import attention, computes
from parley.learning.packing import PackedBatches
from parley.learning.passage import Passage
from parley.learning.sft import finetune
from tests.test_learning_packing import QUIET, examples, samples
from tests.tiny import tiny_model

CPU = torch.device("cpu")
Kernel = Callable[..., torch.Tensor]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("attention") / "base")


def by_the_book(*, causal: bool = True) -> Kernel:
    """`torch.nn.attention.varlen.varlen_attn`: tokens, heads, width; borders; a window of (left, right), -1 for no end."""

    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        borders: torch.Tensor,
        other: torch.Tensor,
        longest: int,
        _: int,
        *,
        scale: float | None,
        window_size: tuple[int, int],
        enable_gqa: bool,
    ) -> torch.Tensor:
        assert borders is other and borders.dtype == torch.int32 and int(borders.diff().max()) == longest
        assert window_size[1] == 0 and enable_gqa == (query.shape[1] != key.shape[1])
        parts = []
        for first, last in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            apart = torch.arange(last - first)[:, None] - torch.arange(last - first)[None]
            seen = (apart >= 0) if causal else torch.ones_like(apart, dtype=torch.bool)
            if window_size[0] >= 0:
                seen &= apart <= window_size[0]
            piece = [tensor[first:last].transpose(0, 1)[None] for tensor in (query, key, value)]
            attend = torch.nn.functional.scaled_dot_product_attention
            parts.append(attend(*piece, attn_mask=seen, scale=scale, enable_gqa=enable_gqa)[0].transpose(0, 1))
        return torch.cat(parts)

    return kernel


@pytest.mark.parametrize("window", [None, 20])
def test_a_model_gives_the_same_with_the_kernel_as_under_a_mask(
    base: Path, monkeypatch: pytest.MonkeyPatch, window: int | None
) -> None:
    monkeypatch.setattr(kernels, "varlen_attn", by_the_book())
    (sequence,) = PackedBatches(0, limit=1000)(examples(samples(4)))["packs"]
    inputs: dict[str, Any] = {name: value for name, value in sequence.items() if name != "labels"}
    found = {}
    for name in ("sdpa", "varlen"):
        model = AutoModelForCausalLM.from_pretrained(base, attn_implementation=name, sliding_window=window)
        assert model.config.sliding_window == window
        scores = model(**inputs, use_cache=False).logits
        scores.square().mean().backward()
        weight = model.model.layers[0].self_attn.k_proj.weight
        found[name] = scores.detach(), weight.grad
    for one, other in zip(found["sdpa"], found["varlen"], strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)


def test_a_window_reaches_as_far_back_as_transformers_says(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison above would hold for any window of a model that looks no farther."""
    monkeypatch.setattr(kernels, "varlen_attn", by_the_book())
    (sequence,) = PackedBatches(0, limit=1000)(examples(samples(1)))["packs"]
    inputs = {name: value for name, value in sequence.items() if name != "labels"}
    scores = []
    for window in (20, 21, None):
        model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="varlen", sliding_window=window)
        with torch.no_grad():
            scores.append(model(**inputs, use_cache=False).logits)
    assert not torch.equal(scores[0], scores[1]) and not torch.equal(scores[1], scores[2])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_with_the_kernel_takes_the_same_steps(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpointing: bool
) -> None:
    """The borders reach every layer through trl, peft and what computes layers twice."""
    monkeypatch.setattr(kernels, "varlen_attn", by_the_book())
    logs = []
    for name in ("sdpa", "varlen"):
        passage = Passage(packed=True, samples=4, tokens=150, checkpointing=checkpointing, attention=name)
        (tmp_path / name).mkdir()
        logs.append(finetune(base, None, samples(8), QUIET, tmp_path / name, None, lambda _: None, 0, passage))
    assert len(logs[0]) == 2
    for masked, own in zip(*logs, strict=True):
        assert own == {key: pytest.approx(value, abs=2e-5) for key, value in masked.items()}


def test_padded_samples_are_not_for_this_kernel() -> None:
    tensor = torch.zeros(2, 1, 4, 8)
    with pytest.raises(ValueError, match="stand in one sequence"):
        kernels.varlen(None, tensor, tensor, tensor, None)
    with pytest.raises(ValueError, match="have no mask"):
        kernels.varlen(None, tensor[:1], tensor[:1], tensor[:1], torch.ones(1, 4))


# -- the choice --------------------------------------------------------------------------------------------------------


def test_a_device_that_cannot_run_it_is_found_out() -> None:
    assert not computes(CPU)  # torch has no such kernel for a CPU


def test_a_kernel_is_trusted_if_it_agrees_with_sdpa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "varlen_attn", by_the_book())
    assert computes(CPU)
    monkeypatch.setattr(kernels, "varlen_attn", by_the_book(causal=False))
    assert not computes(CPU)


@pytest.mark.parametrize(
    ("two", "three", "hopper", "loads", "own", "name"),
    [
        (False, False, True, True, True, "varlen"),
        (False, False, True, True, False, "sdpa"),
        (True, False, True, True, True, "flash_attention_2"),
        (True, True, True, True, True, "flash_attention_3"),
        (True, True, False, True, True, "flash_attention_2"),
        (True, True, True, False, True, "varlen"),  # built for another torch
        (True, True, True, False, False, "sdpa"),
    ],
)
def test_the_best_attention_that_can_be_loaded_is_taken(
    monkeypatch: pytest.MonkeyPatch, two: bool, three: bool, hopper: bool, loads: bool, own: bool, name: str
) -> None:
    monkeypatch.setattr("transformers.utils.import_utils.is_flash_attn_2_available", lambda: two)
    monkeypatch.setattr("transformers.utils.import_utils.is_flash_attn_3_available", lambda: three)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0) if hopper else (8, 0))
    monkeypatch.setattr(kernels, "computes", lambda _: own)
    for module in ("flash_attn", "flash_attn_interface"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module) if loads else None)
    assert attention() == name
