"""Checkpoints: one that is not complete is never gone on from."""

from pathlib import Path

import pytest

from parley.learning.checkpoints import SEAL, latest, seal


def checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json"):
        (path / name).write_text(f"{name} {step}")
    return path


def test_the_last_sealed_one_counts_by_number_not_by_name(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    for step in (9, 10, 100):
        seal(checkpoint(tmp_path, step))
    assert latest(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize("name", ["optimizer.pt", "trainer_state.json", SEAL])
@pytest.mark.parametrize("how", ["lost", "empty", "torn", "zeros"])
def test_one_with_a_damaged_file_is_removed_and_the_one_before_counts(tmp_path: Path, name: str, how: str) -> None:
    seal(checkpoint(tmp_path, 1))
    damaged = checkpoint(tmp_path, 2)
    seal(damaged)
    content = (damaged / name).read_bytes()
    if how == "lost":
        (damaged / name).unlink()
    else:
        (damaged / name).write_bytes({"empty": b"", "torn": content[:-3], "zeros": bytes(len(content))}[how])
    assert latest(tmp_path) == tmp_path / "checkpoint-1"
    assert not damaged.exists()


def test_one_that_was_never_sealed_is_removed(tmp_path: Path) -> None:
    left = checkpoint(tmp_path, 3)
    assert latest(tmp_path) is None
    assert not left.exists()
