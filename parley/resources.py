"""What a job is to be given: memory (MB), time (minutes) and GPUs, from what it serves, asks and trains.

These are requests, on the safe side: a cluster ends a job that exceeds them. Nothing is lost then, since calls are in
the ledger and trainings have checkpoints, and the next attempt is given more (`grown`). No result depends on them.
"""

import json
from collections.abc import Iterable
from math import ceil
from pathlib import Path

from parley.config import Model
from parley.config.learning import Training

MB = 1_000_000

#: What the two Snakemakes take that a cluster runs around a job.
AROUND = 300  # MB
#: What an engine takes besides its weights: libraries, buffers, the conversion of weights.
ENGINE = {"openai": 0, "playhouse": 100, "llamacpp": 500, "vllm": 8_000}  # MB
#: What training takes besides the weights: libraries, optimizer and data on the CPU; with a GPU its driver's buffers too.
TRAINER, TRAINER_GPU = 3_000, 8_000  # MB
#: How often the weights are in memory at once: read and converted, or read and passed on to a GPU.
COPIES = {"openai": 0, "playhouse": 0, "llamacpp": 2, "vllm": 1}

#: How long an engine may take until it is ready (parley/llm/launch.py).
START = {"openai": 0, "playhouse": 1, "llamacpp": 2, "vllm": 30}  # minutes
#: How long a call takes, the slow ones counted in, with as many in flight as `concurrency` says.
SECONDS = {"openai": 20.0, "playhouse": 0.5, "llamacpp": 2.0, "vllm": 20.0}
#: A small engine on the CPU works at as many calls as it is given cores, and jobs are given one.
AT_ONCE = {"llamacpp": 1, "playhouse": 8}
#: Calls are asked again when they fail, and endpoints have slow hours.
MARGIN = 3
#: The least that a job is given, for starting up and waiting for files.
LEAST = 30  # minutes
#: Tokens a second that are trained on, times billions of parameters: a GPU at 42 TFLOP/s, and a CPU core.
TRAINED_GPU, TRAINED_CPU = 7_000.0, 5.0
#: Tokens of a sample, if nothing else is known: an episode's prompt and one turn.
SAMPLE = 1_500


def grown(amount: float, attempt: int) -> int:
    """What the n-th attempt gets of what the first one gets `amount` of: n times as much."""
    return ceil(amount * attempt)


def size(files: Iterable[str | Path]) -> float:
    """MB of these files together; what is not there counts nothing."""
    return sum(Path(file).stat().st_size for file in files if Path(file).is_file()) / MB


def gpus(models: Iterable[Model]) -> int:
    """GPUs that a job needs which serves these models: those of every engine that needs some."""
    return sum(model.gpus for model in _served(models) if model.engine == "vllm")


def cpus(models: Iterable[Model]) -> int:
    """Cores of a job that serves these models: one, or what feeds its GPUs (vLLM: two processes and one a GPU)."""
    count = gpus(models)
    return 2 + 2 * count if count else 1


def serving(models: Iterable[Model], own: float) -> int:
    """MB of a job that serves these models itself and takes `own` for what it does with the answers."""
    engines = [ENGINE[one.engine] + COPIES[one.engine] * size(weights_of(one)) for one in _served(models)]
    return ceil(AROUND + own + sum(engines))


def training(model: Model) -> int:
    """MB of main memory of a job that trains an adapter of this model.

    The weights are there twice while they are read. On a CPU they are computed with in 32 bits: twice the bytes of bf16.
    """
    weights = size(weights_of(model))
    return ceil(AROUND + (TRAINER_GPU if model.engine == "vllm" else TRAINER) + 2 * weights)


def asking(calls: float, models: Iterable[Model]) -> int:
    """Minutes of a job that makes `calls` calls of these models, at the pace of the slowest; their start comes first."""
    served = _served(models)
    pace = max([SECONDS[one.engine] / min(one.concurrency, AT_ONCE.get(one.engine, 128)) for one in served], default=0)
    return max(LEAST, ceil(sum(map(start, served)) + MARGIN * calls * pace / 60))


def start(model: Model) -> float:
    """Minutes until this model's engine must be ready."""
    return model.start_timeout / 60 if model.start_timeout is not None else START[model.engine]


def waiting(model: Model) -> int:
    """Minutes of the longest wait for a batch; 0 if the model's calls are live."""
    return ceil(model.batch.hours * 60) if model.batch is not None else 0


def learning(samples: float, settings: Training, model: Model) -> int:
    """Minutes of a job that trains on so many samples of usual length."""
    billions = size(weights_of(model)) / 2_000  # of parameters, at two bytes each
    speed = TRAINED_GPU if model.engine == "vllm" else TRAINED_CPU
    tokens = samples * settings.epochs * min(SAMPLE, settings.max_length)
    return max(LEAST, ceil(start(model) + tokens * billions / speed / 60))


def count(file: str | Path, key: str = "") -> int:
    """What a file that another job wrote holds: the number `key` of a small JSON file, or the lines of any other.

    Raises FileNotFoundError while it is not there, which tells Snakemake to ask again when it is.
    """
    with Path(file).open("rb") as stream:
        if not key:
            return sum(1 for _ in stream)
        found: dict[str, int] = json.load(stream)
    return found.get(key, 0)


def weights_of(model: Model) -> list[Path]:
    """The weights files of a local model's checkpoint; none for what is asked at an endpoint."""
    folder = Path(model.path or "")
    if not model.path or model.engine not in ("llamacpp", "vllm"):
        return []
    return [folder] if folder.is_file() else sorted(folder.glob("*.safetensors"))


def _served(models: Iterable[Model]) -> list[Model]:
    """One model for each engine that a job starts (parley/llm/source.py) and endpoint that it asks: that with most GPUs."""
    found: dict[tuple[str | None, ...], Model] = {}
    for one in sorted(models, key=lambda model: model.gpus):
        local = one.engine in ("llamacpp", "vllm")
        found[(one.engine, one.name, one.path) if local else (one.engine, one.base_url, one.api_key_env)] = one
    return list(found.values())
