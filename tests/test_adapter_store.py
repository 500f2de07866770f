"""The adapter store: what was kept comes back byte for byte, damage is noticed, two jobs do not hurt each other."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from parley.config import Training
from parley.learning.adapters import LIBRARIES, AdapterStore, adapter_key, library_versions

KEY = "ab" + 62 * "0"


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "made")


def made(folder: Path, weights: bytes = b"\x00weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "manifest.json").write_text("{}")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stored_weights(store: AdapterStore) -> Path:
    (path,) = store.root.rglob("adapter_model.safetensors")
    return path


def test_what_was_kept_comes_back(store: AdapterStore, folder: Path, tmp_path: Path) -> None:
    store.keep(KEY, folder)
    assert store.fetch(KEY, tmp_path / "results" / "policies" / "bc")
    assert content(tmp_path / "results" / "policies" / "bc") == content(folder)


def test_an_unknown_key_gives_false_and_touches_nothing(store: AdapterStore, folder: Path, tmp_path: Path) -> None:
    store.keep(KEY, folder)
    assert not store.fetch("cd" + KEY[2:], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_entry_can_be_looked_at_where_it_lies(store: AdapterStore, folder: Path) -> None:
    assert store.find(KEY) is None
    store.keep(KEY, folder)
    found = store.find(KEY)
    assert found is not None and content(found) == content(folder)


def test_fetching_replaces_what_is_there(store: AdapterStore, folder: Path, tmp_path: Path) -> None:
    store.keep(KEY, folder)
    out = made(tmp_path / "out", b"old")
    (out / "left_over.txt").write_text("from before")
    assert store.fetch(KEY, out)
    assert content(out) == content(folder)


def test_a_fetched_file_is_new_whatever_its_age_in_the_store(store: AdapterStore, folder: Path, tmp_path: Path) -> None:
    os.utime(folder / "manifest.json", (1, 1))
    store.keep(KEY, folder)
    newer = time.time() - 60
    assert store.fetch(KEY, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").stat().st_mtime > newer


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "extra", "contents"])
def test_a_damaged_entry_is_skipped_with_one_line_and_then_replaced(
    store: AdapterStore, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    store.keep(KEY, folder)
    path = stored_weights(store)
    match damage:
        case "changed":
            path.write_bytes(b"\x01weights")
        case "cut":
            path.write_bytes(b"")
        case "missing":
            path.unlink()
        case "extra":
            (path.parent / "stray.bin").write_bytes(b"x")
        case "contents":
            (path.parent.parent / "contents.json").write_text("{")
    assert not store.fetch(KEY, tmp_path / "out")
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "damaged" in error and KEY in error
    assert not (tmp_path / "out").exists()

    store.keep(KEY, folder)
    assert store.fetch(KEY, tmp_path / "out") and content(tmp_path / "out") == content(folder)
    assert capsys.readouterr().err == ""


def test_a_whole_entry_stays_when_it_is_kept_again(store: AdapterStore, folder: Path, tmp_path: Path) -> None:
    store.keep(KEY, folder)
    store.keep(KEY, made(tmp_path / "other", b"other weights"))
    assert stored_weights(store).read_bytes() == b"\x00weights"


def test_a_keep_that_fails_leaves_no_entry(
    store: AdapterStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("parley.learning.adapters.file_digests", full)
    with pytest.raises(OSError, match="disk full"):
        store.keep(KEY, folder)
    monkeypatch.undo()
    assert not store.fetch(KEY, tmp_path / "out")
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_several_jobs_at_once_leave_one_whole_entry(store: AdapterStore, folder: Path, tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def job(number: int) -> None:
        start.wait()
        for turn in range(5):
            store.keep(KEY, folder)
            assert store.fetch(KEY, tmp_path / f"out-{number}-{turn}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(job, range(8)))  # raises what a job raised
    assert all(content(out) == content(folder) for out in tmp_path.glob("out-*"))
    assert [path.name for path in (store.root / "ab").iterdir()] == [KEY]  # and no scratch folders


def test_the_key_depends_on_everything_that_makes_an_adapter() -> None:
    given: dict[str, Any] = {
        "base": "b",
        "parent": None,
        "dataset": "d",
        "settings": Training(),
        "code": "c",
        "versions": {"torch": "1"},
    }
    others: list[dict[str, Any]] = [
        {"base": "x"},
        {"parent": "x"},
        {"dataset": "x"},
        {"settings": Training(seed=2)},
        {"code": "x"},
        {"versions": {"torch": "2"}},
    ]
    keys = {adapter_key(**{**given, **other}) for other in [{}, *others]}
    assert len(keys) == len(others) + 1
    assert adapter_key(**given) == adapter_key(**{**given, "settings": Training(seed=1)})


def test_versions_name_every_library_without_importing_one() -> None:
    versions = library_versions()
    assert list(versions) == list(LIBRARIES) and all(versions.values())
    assert json.dumps(versions)
