"""What an engine printed becomes one line that says what is wrong, and the remedy."""

import pytest

from parley.config import Model
from parley.llm.diagnosis import diagnosis

MODEL = Model(engine="vllm", name="expert", path="base", gpus=2)
#: Lines as vLLM and torch print them, and what must be said of each.
FAULTS = {
    "(EngineCore_DP0 pid=7) ERROR 11-24 13:00:00 [core.py:708] torch.OutOfMemoryError: CUDA out of memory. Tried to "
    "allocate 1.16 GiB. GPU 0 has a total capacity of 79.19 GiB": "the model does not fit on 2 GPUs (torch.OutOfMemory",
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`": "does not fit on 2",
    "ValueError: To serve at least one request with the models's max seq len (32768), (4.00 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (1.20 GiB).": "set `context` of the model to fewer tokens",
    "ValueError: The model's max seq len (131072) is larger than the maximum number of tokens that can be stored in KV "
    "cache (30288).": "set `context`",
    "ValueError: Free memory on device (3.1/79.2 GiB) on startup is less than desired GPU memory utilization (0.9, "
    "71.28 GiB).": "another process uses the memory",
    "RuntimeError: No CUDA GPUs are available": "it sees no GPU that it can use (RuntimeError",
    "RuntimeError: Failed to infer device type": "nvidia-smi",
    "RuntimeError: The NVIDIA driver on your system is too old; CUDA driver version is insufficient": "driver",
    "vllm: error: unrecognized arguments: --max-lora-rank 8": "make setup-vllm",
    "ValueError: World size (2) is larger than the number of available GPUs (1) in this node.": "lower `gpus`",
}


@pytest.mark.parametrize("line", FAULTS)
def test_what_is_known_has_a_meaning_and_a_remedy(line: str) -> None:
    around = f"$ vllm serve base\nINFO 11-24 12:59:00 [api_server.py:1] vLLM API server\n{line}\nTraceback\nKilled\n"
    said = diagnosis(around, MODEL)
    assert FAULTS[line] in said and ";" in said and "\n" not in said
    assert "ERROR 11-24" not in said  # without what stands before each line


def test_only_the_last_start_counts() -> None:
    log = "$ vllm serve\nRuntimeError: No CUDA GPUs are available\n$ vllm serve\nloading\nSegmentation fault\n"
    assert diagnosis(log, MODEL) == "Segmentation fault"


def test_an_error_says_more_than_what_is_printed_after_it() -> None:
    log = "$ x\nTraceback (most recent call last):\n  File\nmy.own.ConfigError: no such layer: 7\ngoodbye\n"
    assert diagnosis(log, MODEL) == "my.own.ConfigError: no such layer: 7"


@pytest.mark.parametrize("log", ["", "\n\n", "$ vllm serve\n", "$ vllm serve\n\n  \n"])
def test_silence_is_said(log: str) -> None:
    assert diagnosis(log, MODEL) == "it printed nothing"


def test_one_gpu_is_one_gpu() -> None:
    alone = Model(engine="vllm", name="expert", path="base")
    assert "on 1 GPU (" in diagnosis("CUDA out of memory", alone)
