"""What a training that has not enough memory is told to change: that which costs the result least."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.learning.memory import Fit, is_out_of_memory

SEVEN = Fit(
    base=14_500_000_000, memory=80_000_000_000, quantization="none", batch=16, samples=4, longest=4096, median=3900
)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.19 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_the_words_of_every_allocator_are_known(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert "\n" not in SEVEN.advice(error, loading=False)


def test_a_large_base_without_a_gpu_is_refused_before_hours_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ParleyError, match=r"no GPU is visible \(CUDA_VISIBLE_DEVICES=\), and a base of 14.5 GB is not"):
        replace(SEVEN, memory=0).check()
    SEVEN.check()
    replace(SEVEN, memory=0, base=4_000_000).check()  # the pocket model


def test_another_fault_is_none_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


@pytest.mark.parametrize(
    ("fit", "loading", "remedy"),
    [
        (replace(SEVEN, kept=True), False, "set training.checkpointing: on, which costs time and changes nothing else"),
        (replace(SEVEN, kept=True, memory=0), False, "set training.checkpointing: on"),
        (replace(SEVEN, kept=True, memory=12_000_000_000), True, "set training.quantization: nf4"),
        (SEVEN, False, "lower training.batch_size from 16 to 2"),
        (
            replace(SEVEN, memory=24_000_000_000),
            False,
            "set training.quantization: nf4",
        ),  # a 7B base on a card of 24 GB
        (replace(SEVEN, memory=12_000_000_000), True, "set training.quantization: nf4"),
        (replace(SEVEN, memory=24_000_000_000, quantization="nf4"), False, "lower training.batch_size from 16 to 2"),
        (replace(SEVEN, memory=12_000_000_000, quantization="nf4"), True, "take a GPU with more memory"),
        (replace(SEVEN, samples=1), False, "set training.quantization: nf4"),
        (
            replace(SEVEN, samples=1, median=900),
            False,
            "lower training.max_length below 4096: half of the samples have",
        ),
        (replace(SEVEN, samples=1, quantization="nf4"), False, "take a GPU with more memory, or shorten prompts"),
        (replace(SEVEN, memory=0), True, "a machine with more memory (mem_mb of rule train)"),
        (replace(SEVEN, memory=0, samples=16), False, "lower training.batch_size from 16 to 8"),
    ],
)
def test_the_first_thing_to_change_is_named(fit: Fit, loading: bool, remedy: str) -> None:
    assert fit.remedy(loading).startswith(remedy) or remedy in fit.remedy(loading)


@given(
    st.builds(
        Fit,
        base=st.integers(0, 10**12),
        memory=st.just(0) | st.integers(10**9, 10**12),
        quantization=st.sampled_from(["none", "nf4"]),
        batch=st.integers(1, 64),
        samples=st.integers(1, 64),
        longest=st.integers(1, 10**5),
        median=st.integers(1, 10**5),
        kept=st.booleans(),
    ),
    st.booleans(),
)
def test_no_advice_is_what_is_done_already_and_none_sends_a_cpu_to_four_bits(fit: Fit, loading: bool) -> None:
    remedy = fit.remedy(loading)
    if fit.quantization == "nf4" or not fit.memory:
        assert "nf4" not in remedy
    assert ("checkpointing" in remedy) == (fit.kept and not loading)
    if "batch_size" in remedy:
        assert fit.samples > 1
    assert len(remedy) > 20 and remedy == remedy.strip()
