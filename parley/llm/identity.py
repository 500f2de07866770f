"""A speaker's identity: everything that decides its answers, and nothing that does not."""

import ast
from functools import cache as remembered
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from parley.canonical import digest, file_digest
from parley.code import reached
from parley.config import Model
from parley.errors import ParleyError
from parley.llm.launch import vllm_executable
from parley.llm.weights import adapter_identity, checkpoint_identity, package_version


def identity_of(model: Model, adapter: Path | None, cache: Path) -> dict[str, Any]:
    """`Model.identity()`, and for what runs here the hashes of its weights or code and the version of its engine."""
    identity = model.identity()
    if model.engine == "playhouse":
        identity["served_by"] = playhouse_code()
    if model.engine in ("llamacpp", "vllm"):
        identity |= checkpoint_identity(Path(str(model.path)), cache)
        identity["served_by"] = vllm_version() if model.engine == "vllm" else _llamacpp_version()
        identity |= adapter_identity(adapter) if adapter is not None else {}
    return identity


def _llamacpp_version() -> str:
    return package_version("xllamacpp", "install it with `pip install parley[local]`")


def vllm_version() -> str:
    """vLLM's version, read from its own environment without starting it."""
    prefix = vllm_executable().resolve().parent.parent
    for folder in sorted(prefix.glob("lib/python*/site-packages/vllm-*.dist-info")):
        return folder.name.removesuffix(".dist-info").replace("-", " ", 1)
    raise ParleyError(f"{prefix}: holds a vllm command but no vllm package; install vLLM again")


@remembered
def playhouse_code() -> str:
    """A hash of the scripted speakers: of all code that their server reaches, without comments, and of their texts."""
    spec = find_spec("parley.playhouse")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    parts = [digest(ast.dump(ast.parse(path.read_bytes()))) for path in reached(folder / "server.py")]
    parts += [file_digest(path) for path in sorted(folder.glob("*.yaml"))]
    return f"playhouse {digest(parts, 16)}"
