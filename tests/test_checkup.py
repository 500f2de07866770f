"""`make gpu-check`, with a stand-in for vLLM that speaks its protocol and one for nvidia-smi."""

import json
import os
import sys
from pathlib import Path

import pytest

from parley.errors import ParleyError, run_as_script
from parley.llm.trial import RANK, write_trial_adapter
from scripts import gpu_check
from tests.builders import ROOT

CARD = "NVIDIA H100 80GB HBM3, 81559 MiB, 580.95.05"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with one GPU and a vllm, both make-believe; its bin folder."""
    bin_folder = tmp_path / "vllm" / "bin"
    bin_folder.mkdir(parents=True)
    about = tmp_path / "vllm/lib/python3.11/site-packages/vllm-0.32.0.dist-info"
    about.mkdir(parents=True)
    command(bin_folder / "vllm", f'cd "{ROOT}" && exec "{sys.executable}" -m tests.slurm.vllm "$@"')
    command(bin_folder / "nvidia-smi", f'echo "{CARD}"')
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    return bin_folder


def command(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def check(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    """What the command ends with."""
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", *words])
    try:
        run_as_script(gpu_check.main)
    except SystemExit as end:
        return end.code
    return None


def test_on_a_sound_machine_every_step_is_well(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(monkeypatch, "--calls", "20", "--folder", str(tmp_path / "out")) is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == ["driver", "vllm", "start", "base", "adapter", "load", "stop"]
    assert CARD in lines[0] and "vllm 0.32.0" in lines[1] and lines[-1] == "all is well"
    assert "serves pocket and trial" in lines[2]
    assert "JSON as asked for" in lines[3] and '{"action_type": ' in lines[4]
    assert lines[5].split("s  ", 1)[1].startswith("20 calls at once: ")
    line = (tmp_path / "out/engine.log").read_text().splitlines()[0]
    assert f"--max-lora-rank 8 --max-loras 1 --lora-modules trial={tmp_path}/out/trial" in line


def test_a_machine_without_a_driver_says_so(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "nvidia-smi").unlink()
    assert "error: no NVIDIA driver here" in str(check(monkeypatch))
    command(machine / "nvidia-smi", "echo NVIDIA-SMI has failed >&2; exit 9")
    assert str(check(monkeypatch)).startswith("error: nvidia-smi fails: NVIDIA-SMI has failed; on a cluster ask for a")


def test_an_engine_that_finds_no_gpu_says_so(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(machine / "vllm", "echo RuntimeError: No CUDA GPUs are available; exit 1")
    said = str(check(monkeypatch, "--folder", str(tmp_path / "out")))
    assert "engine vllm for pocket ended while it was starting: it sees no GPU that it can use" in said


def test_a_server_that_gives_no_json_is_found_out(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an old vLLM would, which does not know how to keep to a schema."""
    code = (
        "import sys; from parley.playhouse import server; from tests.slurm import vllm; "
        "vllm.SPEAKERS['wanderer'] = lambda prompt, rng: 'well, hello'; vllm.main()"
    )
    command(machine / "vllm", f'cd "{ROOT}" && exec "{sys.executable}" -c "{code}" "$@"')
    said = str(check(monkeypatch, "--folder", str(tmp_path / "out")))
    assert said.startswith("error: pocket was asked for JSON of a given schema and gave none: the answer has no JSON")


def test_a_model_of_the_config_is_taken_and_must_be_served_by_vllm(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--experiment", str(ROOT / "configs/open-weights.yaml"), "--model"]
    assert "needs 2 GPUs (`gpus`), and nvidia-smi names 1" in str(check(monkeypatch, *config, "expert"))
    assert "no model is called 'nobody'; there are agent, expert" in str(check(monkeypatch, *config, "nobody"))
    playhouse = ["--experiment", str(ROOT / "config.yaml"), "--model", "judge"]
    assert "its engine is playhouse; only vllm is served on a GPU" in str(check(monkeypatch, *playhouse))


def test_the_trial_adapter_is_one_that_peft_reads_and_that_changes_the_model(tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = ROOT / "resources/pocket"
    folder = write_trial_adapter(base, tmp_path / "trial")
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == RANK
    model, ids = AutoModelForCausalLM.from_pretrained(base), torch.tensor([[1, 5, 9]])
    with torch.no_grad():
        before = model(ids).logits
        after = PeftModel.from_pretrained(model, str(folder))(input_ids=ids).logits
    assert not torch.allclose(before, after)
    again = write_trial_adapter(base, tmp_path / "again")
    same = [(one / "adapter_model.safetensors").read_bytes() for one in (folder, again)]
    assert same[0] == same[1]


def test_a_checkpoint_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="no layer called q_proj or v_proj"):
        write_trial_adapter(tmp_path, tmp_path / "trial")


def test_vllm_is_started_apart_from_our_packages(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(machine / "vllm", f'env > "{tmp_path}/seen"; exit 1')
    monkeypatch.setenv("PYTHONPATH", "/ours")
    check(monkeypatch, "--folder", str(tmp_path / "out"))
    seen = (tmp_path / "seen").read_text()
    assert "PYTHONPATH" not in seen and "CUDA_VISIBLE_DEVICES=0" in seen and os.environ["PATH"] in seen
