"""Checkpoints: one that is not complete is never gone on from."""

from pathlib import Path

import pytest

from parley.learning import checkpoints
from parley.learning.checkpoints import MOST, SEAL, Pace, latest, seal
from parley.stopping import Request


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


# -- when the state is saved -------------------------------------------------------------------------------------------


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(checkpoints, "time", clock)
    return clock


def saves(clock: Clock, pace: Pace, steps: int, step: float, took: float) -> int:
    count = 0
    for _ in range(steps):
        clock.now += step
        if pace.save_now():
            clock.now += took
            pace.saved()
            count += 1
    return count


def test_the_state_is_saved_by_time_not_by_steps(clock: Clock) -> None:
    assert saves(clock, Pace(300, Request()), steps=1000, step=1, took=0) == 3
    assert saves(clock, Pace(300, Request()), steps=10, step=100, took=0) == 3
    assert saves(clock, Pace(0, Request()), steps=10, step=1, took=1) == 10


def test_a_slow_disk_is_written_to_less_often(clock: Clock) -> None:
    began = clock.now
    count = saves(clock, Pace(300, Request()), steps=10_000, step=10, took=60)
    assert 60 * count <= 1.1 * MOST * (clock.now - began)
    assert count > 20


def test_who_is_to_stop_saves_and_stops(clock: Clock) -> None:
    stop = Request()
    pace = Pace(1e9, stop)
    assert not pace.save_now() and not pace.stop_now()
    stop.made = True
    assert pace.save_now() and pace.stop_now()
