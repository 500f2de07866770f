"""What a local model is: hashes of its weights, its tokenizer and its adapter, never of where they lie."""

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

from parley.canonical import digest, file_digest
from parley.errors import ParleyError
from parley.records.jsonl import read_json
from parley.records.published import published

#: Files larger than this are hashed once; the hash is kept in the cache for as long as they are not touched.
LARGE = 64 << 20
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
#: Fields of config files that say where something came from, not what it computes.
PROVENANCE = {"_name_or_path", "name_or_path", "transformers_version", "base_model_name_or_path", "peft_version"}
#: Fields of an adapter's config that change what it computes.
ADAPTER = ("peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "bias")


def cache_folder() -> Path:
    """Where converted models and hashes of large files are kept: `PARLEY_CACHE`, or `.parley/` here."""
    return Path(os.environ.get("PARLEY_CACHE") or ".parley")


def checkpoint_identity(folder: Path, cache: Path) -> dict[str, str]:
    """Hashes of a Hugging Face checkpoint (weights with config, tokenizer with chat template) or of a GGUF file.

    Raises `ParleyError` if there is nothing of the kind at `folder`.
    """
    if folder.suffix == ".gguf" and folder.is_file():
        return {"weights": _hash(folder, cache)}
    if not (folder / "config.json").is_file():
        raise ParleyError(
            f"{folder}: no checkpoint (config.json is missing); build it, or correct `path` in the config"
        )
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise ParleyError(f"{folder}: no *.safetensors in the checkpoint; save it in that format")
    weights = [_settings(folder / "config.json"), [_hash(shard, cache) for shard in shards]]
    tokenizer = {
        name: _settings(folder / name) if name.endswith("_config.json") else file_digest(folder / name)
        for name in TOKENIZER
        if (folder / name).is_file()
    }
    return {"weights": digest(weights), "tokenizer": digest(tokenizer)}


def adapter_identity(folder: Path) -> dict[str, str]:
    """The hash of a PEFT LoRA adapter: its weights and the settings that say how they act."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = file_digest(folder / "adapter_model.safetensors")
    except FileNotFoundError as error:
        raise ParleyError(f"{folder}: no adapter ({Path(error.filename).name} is missing); train it first") from None
    _check(folder, weights)
    return {"adapter": digest([{name: config.get(name) for name in ADAPTER}, weights])}


def _check(folder: Path, weights: str) -> None:
    """Raise `ParleyError` if an adapter that we trained has other weights than its manifest says."""
    if (manifest := folder / "manifest.json").is_file():
        files = read_json(manifest).get("files", {})
        if files.get("adapter_model.safetensors", weights) != weights:
            raise ParleyError(
                f"{folder}: the weights are not those of its manifest; delete it and run the same command again"
            )


def package_version(name: str, remedy: str) -> str:
    """`name version` of an installed package. Raises `ParleyError` with the remedy if it is not installed."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        raise ParleyError(f"{name} is not installed; {remedy}") from None


def _settings(path: Path) -> Any:
    config = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in config.items() if key not in PROVENANCE}


def _hash(path: Path, cache: Path) -> str:
    status = path.stat()
    if status.st_size < LARGE:
        return file_digest(path)
    known = cache / "hashes" / digest([str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino], 32)
    if known.is_file():
        return str(json.loads(known.read_text(encoding="utf-8")))
    value = file_digest(path)
    with published(known) as part:
        part.write_text(json.dumps(value), encoding="utf-8")
    return value
