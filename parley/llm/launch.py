"""How each kind of local engine is started: its command line, and how a request asks for one of its models."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.code import ROOT
from parley.config import Model
from parley.errors import ParleyError

#: What `make setup-vllm` makes. vLLM wants other versions than training does.
VLLM = ROOT / ".venv-vllm" / "bin" / "vllm"
#: The ranks that vLLM allocates room for.
VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
#: More at once is not faster on a CPU (measured), and every place costs memory.
LLAMACPP_PARALLEL = 8
LLAMACPP_CONTEXT = 4096


#: A JSON schema as the fields of a request that make an endpoint keep to it.
Shape = Callable[[dict[str, Any]], dict[str, Any]]


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """The OpenAI protocol's own way to ask for an answer of a given shape."""
    named = {"name": schema.get("title", "answer"), "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def grammar(schema: dict[str, Any]) -> dict[str, Any]:
    """llama.cpp's own way. Its `response_format` answers 500 where a small model's text has broken characters.

    Spaces are fixed as in `{"a": 1, "b": 2}`, so that a small model cannot lose its way in white space.
    """
    import xllamacpp  # type: ignore[import-untyped,unused-ignore]

    spaces = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return {"grammar": xllamacpp.json_schema_to_grammar(json.dumps({**schema, "x-guidance": spaces}))}


@dataclass(frozen=True)
class Launch:
    """A server that is ready to be started. Seconds: `patience` until it must be ready, `grace` to end by itself."""

    command: Callable[[int], list[str]]  # of the port
    served: tuple[str, ...]  # names that /v1/models must show
    target: Callable[[str | None], tuple[str, dict[str, Any]]]  # of an adapter's name, None for the base
    patience: float
    grace: float
    shape: Shape = response_format
    apart: bool = False  # it runs in an environment of its own


def prepare(model: Model, adapters: Mapping[str, Path], cache: Path) -> Launch:
    """Everything that comes before the start, the conversion of weights included."""
    return {"llamacpp": _llamacpp, "vllm": _vllm, "playhouse": _playhouse}[model.engine](model, adapters, cache)


def _llamacpp(model: Model, adapters: Mapping[str, Path], cache: Path) -> Launch:
    from parley.llm.gguf import context_length, gguf_of, lora_gguf_of  # needs numpy

    base = Path(str(model.path))
    weights = gguf_of(base, cache)
    loras = [lora_gguf_of(folder, base, cache) for folder in adapters.values()]
    alias = f"{model.name or 'model'}-{weights.stem[:12]}"
    context = min(context_length(base) or LLAMACPP_CONTEXT, model.context or LLAMACPP_CONTEXT)
    places = {name: number for number, name in enumerate(adapters)}

    def command(port: int) -> list[str]:
        return [
            *(sys.executable, "-m", "parley.llm.llamacpp", "--model", str(weights), "--alias", alias),
            *(part for lora in loras for part in ("--lora", str(lora))),
            *("--port", str(port), "--context", str(context)),
            *("--parallel", str(min(model.concurrency, LLAMACPP_PARALLEL))),
        ]

    def target(name: str | None) -> tuple[str, dict[str, Any]]:
        chosen = None if name is None else places[name]
        # Every adapter is named: one that is left out would act by its default.
        scales = [{"id": place, "scale": 1.0 if place == chosen else 0.0} for place in places.values()]
        return alias, {"lora": scales} if scales else {}

    return Launch(command, (alias,), target, patience=120, grace=5, shape=grammar)


def _vllm(model: Model, adapters: Mapping[str, Path], cache: Path) -> Launch:
    executable = vllm_executable()
    name_of_base = model.name or "base"

    def command(port: int) -> list[str]:
        return [
            *(str(executable), "serve", str(Path(str(model.path)).resolve()), "--served-model-name", name_of_base),
            *("--host", "127.0.0.1", "--port", str(port), "--enable-prefix-caching"),
            *(("--tensor-parallel-size", str(model.gpus)) if model.gpus > 1 else ()),
            *(("--max-model-len", str(model.context)) if model.context else ()),
            # Sampling is what the request says, never what a file in the checkpoint says.
            *("--generation-config", "vllm"),
            *(_vllm_adapters(adapters) if adapters else []),
        ]

    def target(name: str | None) -> tuple[str, dict[str, Any]]:
        return name or name_of_base, {}

    return Launch(command, (name_of_base, *adapters), target, patience=1800, grace=30, apart=True)


def _playhouse(model: Model, adapters: Mapping[str, Path], cache: Path) -> Launch:
    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "parley.playhouse", "--port", str(port)]

    return Launch(command, (model.name,), lambda name: (model.name, {}), patience=60, grace=3)


def vllm_executable() -> Path:
    """The `vllm` command: on the PATH, else where `make setup-vllm` puts it. Raises `ParleyError` if it is not there."""
    if found := shutil.which("vllm"):
        return Path(found)
    if os.access(VLLM, os.X_OK):
        return VLLM
    raise ParleyError(
        "vllm is not on the PATH; install it in its own environment (make setup-vllm), or put its bin folder on the PATH"
    )


def _vllm_adapters(adapters: Mapping[str, Path]) -> list[str]:
    modules = [f"{name}={folder.resolve()}" for name, folder in adapters.items()]
    room = ["--max-lora-rank", str(_rank(adapters)), "--max-loras", str(len(modules))]
    return ["--enable-lora", *room, "--lora-modules", *modules]


def _rank(adapters: Mapping[str, Path]) -> int:
    """The smallest rank that vLLM can be told which holds every adapter."""
    ranks = [json.loads((folder / "adapter_config.json").read_text())["r"] for folder in adapters.values()]
    if not (enough := [rank for rank in VLLM_RANKS if rank >= max(ranks)]):
        raise ParleyError(
            f"an adapter has rank {max(ranks)}, vLLM serves at most {VLLM_RANKS[-1]}; lower training.rank"
        )
    return enough[0]
