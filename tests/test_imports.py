"""What a script loads before it does anything: a job of seconds must not pay for libraries that it does not use."""

import json
import subprocess
import sys

import pytest

from tests.builders import ROOT

LEARNING = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "lm_eval", "safetensors", "tokenizers"}
DRAWING = {"matplotlib", "scipy", "sklearn"}
SERVING = {"gguf", "xllamacpp"}
HEAVY = LEARNING | DRAWING | SERVING | {"openai", "snakemake", "pyarrow", "pandas"}
TABLES = {"polars", "numpy"}

#: What each script must not load. One that is not here is held to nothing.
KEPT_OUT = {
    "tasks": HEAVY | TABLES,
    "casts": HEAVY | TABLES | {"aiohttp", "jinja2"},
    "episodes": HEAVY | TABLES,
    "ratings": HEAVY,
    "judgements": HEAVY | TABLES,
    "items": HEAVY | {"aiohttp", "fastapi"},
    "annotations": HEAVY | {"playwright"},
    "selection": HEAVY | {"aiohttp"},
    "scores": (HEAVY | {"aiohttp"}) - DRAWING,
    "judges": HEAVY | {"aiohttp"},
    "canary": HEAVY,
    "tables": HEAVY | {"aiohttp"},
    "calibration": HEAVY | {"aiohttp"},
    "figure_4": HEAVY | {"aiohttp"},
    "figures": HEAVY | {"aiohttp"},
    "report": HEAVY | {"aiohttp"},
    "base_policy": HEAVY,
    "noninferiority": HEAVY | {"aiohttp"},
    "headline": HEAVY | {"aiohttp"},
    "push": HEAVY | {"aiohttp", "jinja2", "huggingface_hub"},
    "pull": HEAVY | {"aiohttp", "jinja2", "huggingface_hub"},
    "keywords": HEAVY | TABLES | {"aiohttp", "jinja2", "huggingface_hub"},
    "sotopia": HEAVY | TABLES | {"aiohttp", "jinja2", "huggingface_hub"},
}


def loaded_by(script: str) -> set[str]:
    """The top-level packages that importing a script loads, in a process of its own."""
    code = (
        f"import json, sys, scripts.{script}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("script", KEPT_OUT)
def test_a_script_loads_nothing_heavy(script: str) -> None:
    loaded = loaded_by(script)
    assert "parley" in loaded
    assert not loaded & KEPT_OUT[script]


def test_the_test_can_tell() -> None:
    assert {"polars", "parley"} <= loaded_by("ratings")
