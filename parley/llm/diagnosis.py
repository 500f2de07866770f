"""Diagnosis: why an engine did not come up, or ended, from what it printed."""

import re

from parley.config import Model

#: What vLLM, torch and CUDA print, and what it means: a pattern, the meaning, and the remedy.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"free memory on device .* less than desired",
        "another process uses the memory of its GPU",
        "see with nvidia-smi whose it is; a job on a cluster should have its GPU for itself",
    ),
    (
        r"max(imum)? seq(uence)? len.*larger than|KV cache is needed, which is larger",
        "the model's context does not fit beside its weights on {gpus}",
        "set `context` of the model to fewer tokens, or raise `gpus`",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|no available memory for the cache blocks|cudaErrorMemoryAllocation",
        "the model does not fit on {gpus}",
        "raise `gpus` of the model, take cards with more memory (`gpu_model` or `constraint` in the profile), "
        "or a smaller model",
    ),
    (
        r"no CUDA GPUs are available|found no NVIDIA driver|failed to infer device type|CUDA driver version is "
        r"insufficient|no CUDA-capable device",
        "it sees no GPU that it can use",
        "give the job one (the resource gpu of its rule), and see with nvidia-smi whether the driver answers",
    ),
    (
        r"unrecognized arguments",
        "this vllm is of another version",
        "install the one of requirements-vllm.lock (make setup-vllm)",
    ),
    (
        r"world size .* is larger than the number of available GPUs|tensor.parallel.* (number|count) of .*GPUs",
        "it sees fewer GPUs than it is to use",
        "lower `gpus` of the model, or give the job more",
    ),
)
_PREFIX = re.compile(r"^(\([^)]*\)\s*)?((ERROR|WARNING|INFO|CRITICAL)\s+\S+\s+\S+\s+\[[^\]]*\]\s*)?")
_ERROR = re.compile(r"^[\w.]*(Error|Exception|error)\b.*:")
_NEXT = re.compile(r"^\$ ", re.MULTILINE)


def diagnosis(log: str, model: Model) -> str:
    """One line about the last start in a log: a known fault with its remedy, else the last error, else the last line.

    `log` has a line `$ command` before what each start printed.
    """
    printed = _NEXT.split(log)[-1].splitlines()[1:] if _NEXT.search(log) else log.splitlines()
    lines = [line for text in printed if (line := _PREFIX.sub("", text.strip()).strip())]
    gpus = "1 GPU" if model.gpus == 1 else f"{model.gpus} GPUs"
    for pattern, meaning, remedy in _KNOWN:
        if told := next((line for line in lines if re.search(pattern, line, re.IGNORECASE)), None):
            return f"{meaning.format(gpus=gpus)} ({told[:200]}); {remedy}"
    if not lines:
        return "it printed nothing"
    return next((line for line in reversed(lines) if _ERROR.match(line)), lines[-1])[:300]
