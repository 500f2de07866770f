"""Hugging Face checkpoints and PEFT adapters as GGUF files, which llama.cpp serves. Needs the extra `local`.

Done here for the small models that are trained on a CPU: the Llama layout (Mistral is the same) with a byte-level BPE
tokenizer. Anything else is a clear error; llama.cpp's own converter makes a `.gguf` file that `path` may name.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.canonical import digest
from parley.errors import ParleyError
from parley.llm.weights import adapter_identity, checkpoint_identity
from parley.records.published import published

#: Part of a converted file's name: raise it when the conversion changes.
CONVERTER = 1
ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM")
NORMAL, CONTROL, UNUSED = 1, 3, 5  # llama.cpp's token types
Array = NDArray[np.float32]


def gguf_of(folder: Path, cache: Path) -> Path:
    """The checkpoint in `folder` as a GGUF file of 32-bit floats in `cache`, named by content and converted once.

    A path to a `.gguf` file is given back as it is. Raises `ParleyError` for what cannot be converted.
    """
    if folder.suffix == ".gguf":
        checkpoint_identity(folder, cache)
        return folder
    name = digest([CONVERTER, checkpoint_identity(folder, cache)], 32)
    path = cache / "gguf" / f"{name}.gguf"
    if not path.exists():
        with published(path) as part:
            _write_model(folder, part)
    return path


def lora_gguf_of(adapter: Path, base: Path, cache: Path) -> Path:
    """The PEFT LoRA in `adapter`, trained on the checkpoint in `base`, as a GGUF adapter in `cache`."""
    config = _base_config(base)
    name = digest([CONVERTER, adapter_identity(adapter), _heads(config)], 32)
    path = cache / "gguf" / f"lora-{name}.gguf"
    if not path.exists():
        with published(path) as part:
            _write_lora(adapter, config, part)
    return path


def context_length(path: Path) -> int | None:
    """The longest context, in tokens, that the checkpoint in `path` was made for; None for a `.gguf` file."""
    return None if path.suffix == ".gguf" else int(_base_config(path)["max_position_embeddings"])


# -- the model -------------------------------------------------------------------------------------------------


def _write_model(folder: Path, out: Path) -> None:
    import gguf

    config = _base_config(folder)
    if not {*config.get("architectures", [])} & {*ARCHITECTURES}:
        raise ParleyError(
            f"{folder}: cannot convert {config.get('architectures')} to GGUF; convert it with llama.cpp and name the "
            ".gguf file as `path`"
        )
    writer = gguf.GGUFWriter(out, "llama")
    _add_shape(writer, config)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, folder, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for shard in sorted(folder.glob("*.safetensors")):
        for name, tensor in read_safetensors(shard):
            target = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if target is None:
                raise ParleyError(f"{shard}: cannot convert the tensor {name!r} to GGUF; convert it with llama.cpp")
            writer.add_tensor(target, np.ascontiguousarray(_permuted(name, tensor, config)))
    _finish(writer)


def _add_shape(writer: Any, config: dict[str, Any]) -> None:
    query_heads, key_heads = _heads(config)
    width = config.get("head_dim") or config["hidden_size"] // query_heads
    rope = config.get("rope_parameters") or config
    if (scaling := config.get("rope_scaling") or rope).get("rope_type", "default") != "default":
        raise ParleyError(f"cannot convert a model with rope type {scaling['rope_type']!r}; convert it with llama.cpp")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(query_heads)
    writer.add_head_count_kv(key_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    writer.add_vocab_size(config["vocab_size"])
    if window := config.get("sliding_window"):
        writer.add_sliding_window(window)


def _add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if tokenizer["model"].get("type") != "BPE" or not _byte_level(tokenizer.get("pre_tokenizer")):
        raise ParleyError(
            f"{folder}: cannot convert this tokenizer to GGUF (only byte-level BPE as GPT-2 splits text); convert the "
            "model with llama.cpp and name the .gguf file as `path`"
        )
    texts = {number: text for text, number in tokenizer["model"]["vocab"].items()}
    added = {token["id"]: token for token in tokenizer.get("added_tokens", [])}
    texts |= {number: token["content"] for number, token in added.items()}
    numbers = range(max(config["vocab_size"], max(texts) + 1))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([texts.get(number, f"[unused{number}]") for number in numbers])
    writer.add_token_types([_type(number, texts, added) for number in numbers])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in merges])
    for add, field in (
        (writer.add_bos_token_id, "bos_token_id"),
        (writer.add_eos_token_id, "eos_token_id"),
        (writer.add_pad_token_id, "pad_token_id"),
    ):
        if isinstance(number := config.get(field), int):
            add(number)
    writer.add_add_bos_token(_adds_bos(tokenizer))
    if template := _chat_template(folder):
        writer.add_chat_template(template)


def _type(number: int, texts: dict[int, str], added: dict[int, dict[str, Any]]) -> int:
    if number not in texts:
        return UNUSED
    return CONTROL if added.get(number, {}).get("special") else NORMAL


def _byte_level(splitter: dict[str, Any] | None) -> bool:
    """True if text is split as GPT-2 does."""
    return (
        splitter is not None
        and splitter.get("type") == "ByteLevel"
        and splitter.get("use_regex", True)
        and not splitter.get("add_prefix_space", False)
    )


def _adds_bos(tokenizer: dict[str, Any]) -> bool:
    """True if the tokenizer itself starts every text with a special token."""
    single = (tokenizer.get("post_processor") or {}).get("single") or []
    return bool(single) and "SpecialToken" in single[0]


def _chat_template(folder: Path) -> str | None:
    """The chat template without the marks that only training reads."""
    template: str | None = None
    own = folder / "chat_template.jinja"
    if own.is_file():
        template = own.read_text(encoding="utf-8")
    elif (settings := folder / "tokenizer_config.json").is_file():
        template = json.loads(settings.read_text(encoding="utf-8")).get("chat_template")
    return None if template is None else re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", template)


# -- the adapter -----------------------------------------------------------------------------------------------


def _write_lora(adapter: Path, config: dict[str, Any], out: Path) -> None:
    import gguf

    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("use_dora") or settings.get("alpha_pattern") or settings.get("rank_pattern"):
        raise ParleyError(f"{adapter}: only plain LoRA can be served by llama.cpp (no DoRA, no rank or alpha patterns)")
    alpha = float(settings["lora_alpha"])
    if settings.get("use_rslora"):  # llama.cpp scales by alpha / rank, this kind by alpha / sqrt(rank)
        alpha *= float(settings["r"]) ** 0.5
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for key, tensor in read_safetensors(adapter / "adapter_model.safetensors"):
        match = re.fullmatch(r"base_model\.model\.(.+)\.lora_(A|B)\.weight", key)
        target: str | None = names.get_name(match[1]) if match else None
        if match is None or target is None:
            raise ParleyError(
                f"{adapter}: the tensor {key!r} cannot be served by llama.cpp; train LoRA on linear layers"
            )
        rows = _permuted(f"{match[1]}.weight", tensor, config) if match[2] == "B" else tensor
        writer.add_tensor(f"{target}.weight.lora_{match[2].lower()}", np.ascontiguousarray(rows))
    _finish(writer)


# -- both ------------------------------------------------------------------------------------------------------


def _base_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ParleyError(
            f"{folder}: no checkpoint (config.json is missing); build it, or correct `path` in the config"
        )
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _heads(config: dict[str, Any]) -> tuple[int, int]:
    heads = int(config["num_attention_heads"])
    return heads, int(config.get("num_key_value_heads") or heads)


def _permuted(name: str, tensor: Array, config: dict[str, Any]) -> Array:
    """Rows of the query and key projections in the order of llama.cpp's rotary embedding (pairs, not halves)."""
    for suffix, heads in zip(("q_proj.weight", "k_proj.weight"), _heads(config), strict=True):
        if name.endswith(suffix):
            halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
            return halves.swapaxes(1, 2).reshape(tensor.shape)
    return tensor


def _finish(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_safetensors(path: Path) -> Iterator[tuple[str, Array]]:
    """(name, tensor as 32-bit floats) of a safetensors file. Reads bfloat16 too, which NumPy does not know."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        yield (name, _floats(data[start:end], entry["dtype"], f"{path}: {name}").reshape(entry["shape"]))


def _floats(raw: NDArray[np.uint8], kind: str, what: str) -> Array:
    if kind == "BF16":  # the upper half of a 32-bit float
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    if kind not in ("F64", "F32", "F16"):
        raise ParleyError(f"{what} has type {kind}; only floating-point weights can be converted to GGUF")
    return raw.view(f"<f{int(kind[1:]) // 8}").astype(np.float32)
