"""A trial adapter: a LoRA of small random numbers for any checkpoint, to see whether an engine serves adapters."""

import json
from pathlib import Path

from parley.errors import ParleyError

RANK = 8
#: The layers that a trial adapter changes, by the names that Llama, Mistral, Qwen and their like share.
LAYERS = ("q_proj", "v_proj")


def write_trial_adapter(base: Path, folder: Path, seed: int = 1) -> Path:
    """Write a PEFT adapter of rank 8 for the checkpoint `base` to `folder`. The shapes are read, the weights are not.

    Raises `ParleyError` if the checkpoint has no layer that is known here.
    """
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import save_file

    rng, tensors = np.random.default_rng(seed), {}
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, "numpy") as weights:
            for name in sorted(weights.keys()):
                module = name.removesuffix(".weight")
                if module == name or not module.endswith(LAYERS):
                    continue
                outputs, inputs = weights.get_slice(name).get_shape()
                for part, shape in (("lora_A", (RANK, inputs)), ("lora_B", (outputs, RANK))):
                    noise = rng.normal(0, 0.05, shape).astype(np.float32)
                    tensors[f"base_model.model.{module}.{part}.weight"] = noise
    if not tensors:
        raise ParleyError(
            f"{base}: no layer called {' or '.join(LAYERS)} in its *.safetensors; give another checkpoint"
        )
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        **{"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base)},
        **{"r": RANK, "lora_alpha": RANK, "lora_dropout": 0.0, "bias": "none", "target_modules": list(LAYERS)},
        **{"inference_mode": True, "fan_in_fan_out": False, "modules_to_save": None},
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return folder
