"""Passage: what goes through a device at once follows from its memory; what a layer keeps is counted where it is kept."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, MistralConfig

from parley.config import Training
from parley.learning.activations import activations
from parley.learning.packing import packs
from parley.learning.passage import BUSY_TOKENS, MASKED_TOKENS, MOST_TOKENS, Device, Passage

GB = 10**9
SEVEN = MistralConfig(sliding_window=None)  # its defaults are those of the 7B model
WEIGHTS = 14_500_000_000
LENGTHS = [300, 900, 1200, 2100] * 8
H200, H100, SMALL = (Device(memory * GB, "flash_attention_2") for memory in (141, 80, 24))


def choose(device: Device, lengths: list[int] = LENGTHS, **settings: Any) -> Passage:
    return Passage.choose(Training(**settings), SEVEN, WEIGHTS, lengths, device)


def test_on_a_cpu_a_step_goes_through_at_once_and_padded() -> None:
    assert choose(Device()) == Passage(packed=False, samples=16, tokens=max(LENGTHS), checkpointing=False)
    assert choose(Device(), packing=True).packed and choose(Device(), checkpointing=True).checkpointing


def test_activations_are_kept_where_there_is_memory_for_them() -> None:
    for device, kept in ((H200, True), (H100, True), (SMALL, False)):
        passage = choose(device)
        assert passage.packed and passage.attention == "flash_attention_2"
        assert passage.checkpointing != kept
        assert BUSY_TOKENS < passage.tokens <= MOST_TOKENS
    assert choose(H200).tokens > choose(H100).tokens
    assert choose(SMALL, quantization="nf4").tokens > choose(SMALL).tokens
    assert choose(H100, [9_000] * 4).checkpointing  # one sample alone would not fit


@pytest.mark.parametrize("device", [H200, SMALL])
@pytest.mark.parametrize("wanted", [True, False])
def test_who_sets_it_has_it(device: Device, wanted: bool) -> None:
    assert choose(device, checkpointing=wanted).checkpointing is wanted
    assert choose(device, packing=wanted).packed is wanted


def test_padded_batches_on_a_gpu_are_equal_parts_of_the_step() -> None:
    passage = choose(H100, packing=False, checkpointing=True)
    assert (passage.samples, passage.tokens) == (4, MOST_TOKENS)  # 4 x 2,100 tokens; 8 x 2,100 are more than 16,384


def test_under_a_mask_sequences_are_short() -> None:
    assert choose(Device(141 * GB), [500, 100]).tokens == MASKED_TOKENS
    assert choose(Device(141 * GB), [5_000, 100]).tokens == 5_000


def test_attention_for_samples_of_unlike_lengths_is_for_packed_ones() -> None:
    device = Device(141 * GB, "varlen")
    assert choose(device).attention == "varlen" and choose(device).tokens > MASKED_TOKENS
    assert choose(device, packing=False).attention == "sdpa"
    assert choose(H200, packing=False).attention == "flash_attention_2"


@given(
    st.integers(0, 200),
    st.sampled_from(["sdpa", "varlen", "flash_attention_2"]),
    st.lists(st.integers(2, 5_000), min_size=1, max_size=40),
    st.sampled_from(["none", "nf4"]),
    st.integers(1, 20),
)
def test_every_sample_goes_through_whatever_the_memory(
    memory: int, kernel: str, lengths: list[int], quantization: str, batch: int
) -> None:
    device = Device(memory * GB, kernel)
    passage = choose(device, lengths, quantization=quantization, batch_size=batch)
    assert passage.tokens >= max(lengths)
    assert 1 <= passage.samples <= batch
    if passage.packed:
        assert max(len(pack) for pack in packs(lengths[:batch], passage.tokens)) <= passage.samples
    elif memory:
        assert batch % passage.samples == 0
    assert choose(device, lengths, quantization=quantization, batch_size=batch) == passage


# -- activations -------------------------------------------------------------------------------------------------------

TOKENS = 256


def kept_by_autograd(config: MistralConfig, *, half: bool) -> float:
    """Bytes a token that autograd saves on the way through the decoder, weights left out."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16 if half else torch.float32)
    lora = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
    decoder = get_peft_model(model, lora).base_model.model.model
    weights = {weight.untyped_storage().data_ptr() for weight in decoder.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def save(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights and TOKENS in tensor.shape:
            saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    cast = torch.autocast("cpu", torch.bfloat16) if half else nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor), cast:
        decoder(input_ids=torch.randint(0, 300, (1, TOKENS)), use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values()) / TOKENS


@pytest.mark.parametrize(("hidden", "inner", "heads", "keys"), [(128, 448, 4, 1), (192, 384, 6, 6)])
def test_what_a_layer_keeps_is_what_autograd_saves(hidden: int, inner: int, heads: int, keys: int) -> None:
    """The estimate takes keys for as wide as queries, as kernels without grouped heads keep them: it may be a bit more."""
    found = {}
    for layers in (2, 4):
        config = MistralConfig(
            vocab_size=300,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=keys,
            sliding_window=None,
        )
        found[layers] = kept_by_autograd(config, half=True)
    layer = (found[4] - found[2]) / 2
    assert 0.99 * layer <= activations(config, 8, 0.0).whole / 4 <= 1.15 * layer


def test_dropout_costs_a_byte_each_and_a_second_way_forward_saves_most() -> None:
    plain, masked = activations(SEVEN, 8, 0.0), activations(SEVEN, 8, 0.05)
    assert masked.whole - plain.whole == 32 * (6 * 4096 + 14336)
    assert 7_000_000 < plain.whole < 10_000_000  # of a token in a 7B model
    assert masked.checkpointed < masked.whole / 10


# -- the settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "read"), [("on", True), ("off", False), ("auto", "auto"), ("true", True)])
def test_settings_are_read_as_they_are_written(written: str, read: bool | str) -> None:
    settings = Training.model_validate(yaml.safe_load(f"packing: {written}\ncheckpointing: {written}"))
    assert (settings.packing, settings.checkpointing) == (read, read)
    assert Training.model_validate_json(settings.model_dump_json()) == settings


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="packing"):
        Training.model_validate({"packing": "sometimes"})
