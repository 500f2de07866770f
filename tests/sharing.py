"""A trained policy's files, made up but whole: what a push reads."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from parley.canonical import file_digest
from parley.learning.dataset import Samples, write_dataset
from parley.learning.selection import SCHEMA as SELECTION
from parley.records.frames import write_parquet
from parley.records.rating import KEYS
from parley.records.sample import SCHEMA as SAMPLE
from parley.records.score import DIFFERENCES, SCHEMA
from tests.builders import ROOT, changed

#: Where the hub is, and with which right, for a script of ours.
Environment = dict[str, str]


def dataset(folder: Path, rows: int = 3) -> Path:
    """A dataset folder with so many samples; its manifest."""
    samples = [
        {
            "prompt": [{"role": "user", "content": f"Turn {number}."}],
            "completion": [{"role": "assistant", "content": "{}"}],
            "episode": "e",
            "task": "t",
            "seat": 0,
            "turn": number,
            "call": f"call-{number}",
        }
        for number in range(rows)
    ]
    row = {"episode": "e", "task": "t", "cast": "a+b", "seat": 0, "replicate": 0, "kept": True, "outcome": "top"}
    selection = pl.DataFrame([row, {**row, "seat": 1, "kept": False, "outcome": "below the bar"}], schema=SELECTION)
    found = Samples(pl.DataFrame(samples, schema=SAMPLE), {"did nothing": 1})
    write_dataset(folder, found, selection, "mini", {"judge": "judge"})
    return folder / "manifest.json"


def adapter(folder: Path, base: str = "/home/me/models/agent") -> Path:
    """The folder of a policy: what training writes, with weights that are none."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "training_log.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    (folder / "README.md").write_text("the card of the run")
    manifest = {
        "adapter": "a" * 64,
        "base": "b" * 64,
        "dataset": "d" * 64,
        "parent": None,
        "steps": 7,
        "first_loss": 2.0,
        "last_loss": 0.5,
        "too_long": 1,
        "settings": {"rank": 8, "alpha": 16, "learning_rate": 5e-5, "epochs": 20},
        "versions": {"peft": "0.1"},
        "files": {"adapter_model.safetensors": file_digest(folder / "adapter_model.safetensors")},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def scores(folder: Path, policy: str = "bc") -> tuple[Path, Path]:
    """The scores of a policy in the evaluation `all`, and its differences to `base`."""
    own = {"policy": policy, "evaluation": "all", "partner": "partner", "judge": "judge", "n": 180, "clusters": 90}
    rows = [
        {
            **own,
            "dimension": key,
            "seat": seat,
            "mean": 7.25,
            "se": 0.1,
            "low": 7.0,
            "high": 7.5,
            "failed": 2,
            "missing": 0,
        }
        for key in (*KEYS, "overall")
        for seat in (None, 0, 1)
    ]
    write_parquet(folder / "all.parquet", pl.DataFrame(rows, schema=SCHEMA))
    pair = {
        "a": policy,
        "b": "base",
        "evaluation": "all",
        "partner": "partner",
        "judge": "judge",
        "n": 90,
        "clusters": 90,
    }
    found = {"difference": 1.5, "low": 1.0, "high": 2.0, "t": 3.0, "p": 0.004, "method": "task_means"}
    differences = [{**pair, **found, "dimension": key} for key in ("goal", "knowledge")]
    write_parquet(folder / "all.versus_base.parquet", pl.DataFrame(differences, schema=DIFFERENCES))
    return folder / "all.parquet", folder / "all.versus_base.parquet"


def made(folder: Path, changes: dict[str, Any] | None = None) -> list[str]:
    """A folder with all that a push of `bc` needs; the options that name it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(changed(changes)))
    manifest, (score, difference) = dataset(folder / "datasets/bc"), scores(folder / "scores")
    options = ["--experiment", "experiment.json", "--policy", "bc", "--dataset", str(manifest)]
    options += ["--adapter", str(adapter(folder / "policies/bc"))]
    return [*options, "--scores", str(score), "--differences", str(difference)]


def script(cwd: Path, name: str, *arguments: str, status: int = 0, **variables: str) -> str:
    """Run a script of ours in `cwd` with no variables of the hub but these; all that it says."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "PARLEY_"))}
    own = {"PYTHONPATH": str(ROOT), "HF_HOME": str(cwd / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / f"scripts/{name}.py"), *arguments],
        cwd=cwd,
        env={**kept, **own, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr
