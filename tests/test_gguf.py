"""Checkpoints and adapters as GGUF: llama.cpp must say what transformers and PEFT say."""

import asyncio
import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parley.config import Model
from parley.errors import ParleyError
from parley.llm.call import Request
from parley.llm.endpoint import Endpoint
from parley.llm.engine import Engine
from parley.llm.gguf import gguf_of, lora_gguf_of, read_safetensors
from parley.llm.structured import schema_of
from parley.llm.weights import adapter_identity, checkpoint_identity
from parley.records.episode import Action
from tests.tiny import tiny_model

TALK = [{"role": "user", "content": "Say it's fine, José: 100%\n  two  spaces \U0001f600"}]
TOKENS = 24


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("gguf") / "base")


@pytest.fixture(scope="module")
def adapters(base: Path) -> dict[str, Path]:
    """Two adapters with random weights, far from the identity; the second in bfloat16, as QLoRA saves them."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folders = {}
    for seed, (name, kind) in enumerate([("bc", torch.float32), ("sr", torch.bfloat16)]):
        torch.manual_seed(seed)
        settings = LoraConfig(
            r=4, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
        folders[name] = base.with_name(name)
        tuned.to(kind).save_pretrained(str(folders[name]))
    return folders


def spoken(base: Path, adapter: Path | None) -> tuple[str, int]:
    """What transformers and PEFT answer greedily, and the tokens of the prompt."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    prompt = tokenizer.apply_chat_template(TALK, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    length = prompt["input_ids"].shape[1]
    answer = model.eval().generate(**prompt, max_new_tokens=TOKENS, do_sample=False)[0][length:]
    return tokenizer.decode(answer, skip_special_tokens=True), length


def served(base: Path, adapters: dict[str, Path], requests: list[tuple[str | None, Request]], cache: Path) -> list[Any]:
    """Replies of the llama.cpp engine, all asked at once."""
    model = Model(engine="llamacpp", name="tiny", path=str(base))

    async def work() -> list[Any]:
        async with (
            Engine(model, adapters, cache=cache) as engine,
            Endpoint(engine.base_url, local=True, shape=engine.shape) as endpoint,
        ):
            return await asyncio.gather(*(endpoint.send(request, *engine.target(name)) for name, request in requests))

    return asyncio.run(asyncio.wait_for(work(), 60))


def greedy(**changes: Any) -> Request:
    identity = {"temperature": 0, "top_p": 1.0, "max_tokens": TOKENS, **changes}
    return Request(identity, tuple(TALK), seed=1)  # type: ignore[arg-type]


def test_base_and_adapters_say_what_transformers_and_peft_say(base: Path, adapters: dict[str, Path]) -> None:
    names = [None, "bc", "sr", None, "bc"]
    replies = served(base, adapters, [(name, greedy()) for name in names], base.parent / "cache")
    wanted = {name: spoken(base, adapters[name] if name else None) for name in (None, "bc", "sr")}
    assert len({text for text, _ in wanted.values()}) == 3
    assert [reply.prompt_tokens for reply in replies] == [wanted[name][1] for name in names]
    for name, reply in zip(names, replies, strict=True):
        # Bytes that are no UTF-8 are shown differently by the two; what is left must be the same.
        assert printable(reply.text) == printable(wanted[name][0])


def printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() and letter != "\ufffd")


def test_an_untrained_model_keeps_to_a_schema(base: Path, adapters: dict[str, Path]) -> None:
    """Sampled text of an untrained model is full of broken characters; the server must answer all the same."""
    schema = schema_of(Action)
    hot = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 200}
    asked = [Request(hot, tuple(TALK), seed=seed, schema=schema) for seed in range(12)]  # type: ignore[arg-type]
    replies = served(base, adapters, [("bc", request) for request in asked], base.parent / "cache")
    whole = [reply.text for reply in replies if reply.finish_reason == "stop"]
    assert len(whole) >= 2
    for text in whole:
        action = Action.model_validate_json(text)
        assert text.startswith(f'{{"action_type": "{action.action_type}", "argument": "')
    again = served(base, adapters, [("bc", request) for request in asked[::-1]], base.parent / "cache")
    assert [reply.text for reply in again[::-1]] == [reply.text for reply in replies]


# -- the files -------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_converted_once_wherever_it_lies(base: Path, tmp_path: Path) -> None:
    first = gguf_of(base, tmp_path)
    stamp = first.stat().st_mtime_ns
    shutil.copytree(base, tmp_path / "moved")
    assert gguf_of(tmp_path / "moved", tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_two_jobs_may_convert_at_once(base: Path, tmp_path: Path) -> None:
    paths: list[Path] = []
    jobs = [threading.Thread(target=lambda: paths.append(gguf_of(base, tmp_path))) for _ in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert len(paths) == 4 and len(set(paths)) == 1
    assert paths[0].read_bytes() == gguf_of(base, tmp_path / "other").read_bytes()


def test_an_adapter_is_named_by_what_it_computes(base: Path, adapters: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(adapters["bc"], tmp_path / "moved")
    config = tmp_path / "moved" / "adapter_config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps({**settings, "base_model_name_or_path": "elsewhere", "lora_dropout": 0.3}))
    assert adapter_identity(tmp_path / "moved") == adapter_identity(adapters["bc"])
    config.write_text(json.dumps({**settings, "lora_alpha": 64}))
    assert adapter_identity(tmp_path / "moved") != adapter_identity(adapters["bc"])
    assert lora_gguf_of(adapters["bc"], base, tmp_path) != lora_gguf_of(adapters["sr"], base, tmp_path)


def test_a_checkpoint_is_its_weights_and_its_tokenizer(base: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(base, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "transformers_version": "9"}))
    assert checkpoint_identity(copy, tmp_path) == checkpoint_identity(base, tmp_path)
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    changed = checkpoint_identity(copy, tmp_path)
    assert changed["weights"] == checkpoint_identity(base, tmp_path)["weights"]
    assert changed["tokenizer"] != checkpoint_identity(base, tmp_path)["tokenizer"]


def test_half_precision_is_read_exactly(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torch import bfloat16, float16, tensor

    values = [0.0, -1.5, 3.140625, 1e-3]
    save_file({"b": tensor(values).to(bfloat16), "h": tensor(values).to(float16)}, tmp_path / "x.safetensors")
    read = dict(read_safetensors(tmp_path / "x.safetensors"))
    assert read["b"].dtype == read["h"].dtype == np.float32
    assert read["b"].tolist() == tensor(values).to(bfloat16).float().tolist()
    assert read["h"].tolist() == tensor(values).to(float16).float().tolist()


def test_a_file_that_llama_cannot_load_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # for the log, which is kept
    (tmp_path / "bad.gguf").write_bytes(b"GGUFxxxx")
    with pytest.raises(ParleyError, match=r"ended while it was starting: llama\.cpp cannot serve .*bad\.gguf"):
        served(tmp_path / "bad.gguf", {}, [], tmp_path)


# -- what cannot be converted ----------------------------------------------------------------------------------


def edited(base: Path, folder: Path, file: str, **changes: Any) -> Path:
    copy = shutil.copytree(base, folder)
    (copy / file).write_text(json.dumps({**json.loads((copy / file).read_text()), **changes}))
    return copy


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("config.json", {"architectures": ["Qwen3ForCausalLM"]}, "cannot convert"),
        ("config.json", {"rope_parameters": {"rope_type": "yarn"}}, "rope type 'yarn'"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Metaspace"}}, "only byte-level BPE"),
    ],
)
def test_a_model_of_another_kind_is_named(
    base: Path, tmp_path: Path, file: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParleyError, match=words):
        gguf_of(edited(base, tmp_path / "copy", file, **changes), tmp_path)
    assert not [*tmp_path.glob("gguf/*")]


@pytest.mark.parametrize("changes", [{"use_dora": True}, {"alpha_pattern": {"q_proj": 3}}])
def test_an_adapter_of_another_kind_is_named(
    base: Path, adapters: dict[str, Path], tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(ParleyError, match="only plain LoRA"):
        lora_gguf_of(edited(adapters["bc"], tmp_path / "copy", "adapter_config.json", **changes), base, tmp_path)


def test_what_is_missing_is_named(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"config\.json is missing"):
        gguf_of(tmp_path / "nowhere", tmp_path)
    with pytest.raises(ParleyError, match=r"adapter_config\.json is missing.*train it first"):
        lora_gguf_of(tmp_path / "nowhere", base, tmp_path)
    copy = shutil.copytree(base, tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    with pytest.raises(ParleyError, match=r"no \*\.safetensors"):
        gguf_of(copy, tmp_path)


def test_a_gguf_file_is_taken_as_it_is(base: Path, tmp_path: Path) -> None:
    own = shutil.copy(gguf_of(base, tmp_path), tmp_path / "own.gguf")
    assert gguf_of(Path(own), tmp_path) == tmp_path / "own.gguf"
    with pytest.raises(ParleyError):
        gguf_of(tmp_path / "none.gguf", tmp_path)
