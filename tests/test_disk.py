"""What outlives a loss of power: folders that were made, and a mended file in the place of the damaged one."""

import os
from pathlib import Path

import pytest

from parley.llm import disk, salvage
from parley.llm.disk import make_folder
from tests.calls import fill, salvaged


def test_every_folder_that_is_made_is_synced_in_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(disk, "sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


def test_a_sync_reaches_the_disk_and_a_file_system_without_it_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def refuse(handle: int) -> None:
        seen.append(os.readlink(f"/proc/self/fd/{handle}"))
        raise OSError("not here")

    monkeypatch.setattr(os, "fsync", refuse)
    disk.sync_folder(tmp_path)
    assert seen == [str(tmp_path)]


def test_the_old_journal_is_gone_for_good_before_the_mended_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that came back would be played back into the mended file."""
    path = tmp_path / "0.sqlite"
    asked = fill(path, 20)
    damaged = path.read_bytes()[:-4096]
    path.write_bytes(damaged)
    journal = tmp_path / "0.sqlite-journal"
    journal.write_bytes(b"x")
    states: list[tuple[bool, bool]] = []
    monkeypatch.setattr(
        salvage, "sync_folder", lambda folder: states.append((journal.exists(), path.read_bytes() == damaged))
    )
    salvage.salvage(path, "a test")
    assert states == [(False, True), (False, False)]
    assert salvaged(path, asked) > 0


def test_a_salvage_that_is_killed_leaves_the_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 20)
    path.write_bytes(path.read_bytes()[:-4096])
    damaged = path.read_bytes()

    def killed(old: object, new: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            salvage.salvage(path, "a test")
    assert path.read_bytes() == damaged
    assert 0 < salvaged(path, asked) <= 20
