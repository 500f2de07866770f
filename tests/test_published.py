"""What a power loss may leave: files are on disk before their names are, and one that is not whole is never a result."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley import handmade
from parley.errors import ParleyError
from parley.learning.adapters import AdapterStore
from parley.learning.folder import new_folder
from parley.llm.weights import adapter_identity
from parley.records.episode import Episode, check_complete
from parley.records.frames import read_parquet, write_parquet
from parley.records.jsonl import CUT_OFF, read_json, read_jsonl, write_jsonl, write_text
from parley.records.published import check_room, published, sweep
from parley.records.rating import read_ratings
from parley.records.task import Keyword, read_tasks
from tests.builders import ANN, BEN, keyword
from tests.talks import small_task

# -- the order in which things reach the disk ----------------------------------------------------------------------


class Disk:
    """Notes what is made durable, and when a name is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.durable: set[str] = set()
        self.named: list[tuple[str, set[str]]] = []
        fsync, replace, rename = os.fsync, os.replace, os.rename

        def noted(handle: int) -> None:
            self.durable.add(os.readlink(f"/proc/self/fd/{handle}"))
            fsync(handle)

        def give(act: Callable[..., Any]) -> Callable[..., Any]:
            def named(source: Any, target: Any) -> None:
                content = [source, *Path(source).rglob("*")] if Path(source).is_dir() else [source]
                self.named.append((str(target), {str(path) for path in content} - self.durable))
                act(source, target)

            return named

        monkeypatch.setattr(os, "fsync", noted)
        monkeypatch.setattr(os, "replace", give(replace))
        monkeypatch.setattr(os, "rename", give(rename))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def fill_folder(path: Path) -> None:
    with new_folder(path) as part:
        (part / "deep").mkdir()
        (part / "deep/weights").write_bytes(b"1")
        (part / "card").write_text("2")


def keep_adapter(path: Path) -> None:
    made = path.parent / "made"
    made.mkdir()
    (made / "weights").write_bytes(b"1")
    AdapterStore(path).keep("ab12", made)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda path: write_text(path, "one\n"), "out"),
        (lambda path: write_parquet(path, pl.DataFrame({"a": [1]})), "out"),
        (fill_folder, "out"),
        (keep_adapter, "out/ab/ab12"),
    ],
)
def test_the_bytes_are_on_disk_before_the_name_and_then_the_name(
    write: Callable[[Path], None], name: str, disk: Disk, tmp_path: Path
) -> None:
    write(tmp_path / "out")
    path = tmp_path / name
    assert [unsafe for target, unsafe in disk.named if target == str(path)] == [set()]
    assert str(path.parent) in disk.durable


def test_a_folder_that_cannot_be_synced_is_no_fault_and_a_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def some(handle: int, on: Callable[[str], bool]) -> None:
        if on(os.readlink(f"/proc/self/fd/{handle}")):
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", lambda handle: some(handle, os.path.isdir))
    write_text(tmp_path / "a", "one\n")
    monkeypatch.setattr(os, "fsync", lambda handle: some(handle, os.path.isfile))
    with pytest.raises(OSError, match="Invalid"):
        write_text(tmp_path / "a", "two\n")
    assert (tmp_path / "a").read_text() == "one\n" and os.listdir(tmp_path) == ["a"]


def test_room_is_looked_for_without_a_trace(tmp_path: Path) -> None:
    check_room(tmp_path / "deep")
    assert os.listdir(tmp_path / "deep") == []


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.jsonl.12.34.part", "deep/.bc.0123abc.part/weights", "deep/.00.jsonl.made", "deep/a.part", ".lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    sweep(tmp_path)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".lock", "deep/.00.jsonl.made", "deep/a.part"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with published(tmp_path / "a") as one:
        one.write_text("one")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_text() == "one"


# -- what is not whole ---------------------------------------------------------------------------------------------


def refused(read: Callable[[], Any]) -> str:
    with pytest.raises(ParleyError) as raised:
        read()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("damage", [b"", b"\0" * 300])
def test_an_empty_file_and_one_of_zeros_are_never_results(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(damage)
    for read in (
        lambda: read_jsonl(path, Keyword),
        lambda: read_jsonl(path, Episode),
        lambda: read_tasks(path),
        lambda: read_json(path),
        lambda: read_parquet(path),
        lambda: read_ratings([path]),
    ):
        line = refused(read)
        assert line.startswith(f"{path}:") and line.endswith(CUT_OFF)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_torn_table_is_never_a_result(tmp_path: Path, share: float) -> None:
    write_parquet(tmp_path / "a", pl.DataFrame({"a": list(range(1000))}))
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[: int(len(whole) * share)])
    assert refused(lambda: read_parquet(tmp_path / "a")) == f"{tmp_path / 'a'}: {CUT_OFF}"


def test_a_file_without_records_is_not_an_empty_file(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a", [])
    assert (tmp_path / "a").read_bytes() == b"\n"
    assert read_jsonl(tmp_path / "a", Keyword) == []


def test_a_line_that_ends_in_zeros_is_told_as_damage_and_another_as_a_mistake(tmp_path: Path) -> None:
    path, line = tmp_path / "a", keyword(1).model_dump_json()
    path.write_text(f"{line}\n{line[:20]}" + "\0" * 50)
    assert refused(lambda: read_jsonl(path, Keyword)) == f"{path}:2: {CUT_OFF}"
    path.write_text(f"{line}\n{line[:20]}")
    assert "mend or delete the line" in refused(lambda: read_jsonl(path, Keyword))


def test_episodes_that_end_too_soon_at_the_end_of_a_line_are_noticed(tmp_path: Path) -> None:
    casts = ((ANN.id, BEN.id), (BEN.id, ANN.id))
    played = small_task("Ann and Ben meet.", "Say hello.", "Say hello.").model_copy(update={"casts": casts})
    whole = [
        Episode(task="t", task_id="t", cast=cast, names=("a", "b"), players=("x", "y"), replicate=number, ending="left")
        for cast in casts
        for number in range(2)
    ]
    check_complete("e.jsonl", whole, [played], 2)
    check_complete("e.jsonl", [], [], 2)
    for lost in range(1, len(whole) + 1):
        line = refused(lambda lost=lost: check_complete("e.jsonl", whole[:-lost], [played], 2))
        assert line == f"e.jsonl: {lost} of {len(whole)} episodes are missing; {CUT_OFF}"


def test_an_emptied_file_of_tasks_is_made_again_and_not_taken_for_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "00.jsonl"
    handmade.generate(path, "one\n", "keep it")
    path.write_bytes(b"")
    assert handmade.generate(path, "one\n", "keep it") is None
    assert path.read_text() == "one\n" and not handmade.edited(path)


@pytest.mark.parametrize("at", [1, 2])
def test_a_kill_while_tasks_are_generated_is_no_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    path, written = tmp_path / "00.jsonl", 0
    handmade.generate(path, "one\n", "keep it")

    def until(target: Path, text: str) -> None:
        nonlocal written
        written += 1
        if written == at:
            raise InterruptedError
        write_text(target, text)

    monkeypatch.setattr(handmade, "write_text", until)
    with pytest.raises(InterruptedError):
        handmade.generate(path, "two\n", "keep it")
    assert not handmade.edited(path)
    assert handmade.generate(path, "three\n", "keep it") is None
    assert path.read_text() == "three\n" and not handmade.edited(path)


def test_a_version_that_a_failed_job_has_put_back_is_no_edit(tmp_path: Path) -> None:
    path = tmp_path / "00.jsonl"
    for text in ("one\n", "two\n", "three\n"):
        handmade.generate(path, text, "keep it")
    path.write_text("two\n")  # as Snakemake does with a file that a job updates
    assert not handmade.edited(path)
    assert handmade.generate(path, "three\n", "keep it") is None
    assert path.read_text() == "three\n"


def test_an_adapter_whose_weights_are_not_those_of_its_manifest_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 4}')
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    whole = adapter_identity(tmp_path)
    digest = "9a9aaf6ab1c4ee2cbba4e7a9e2c3d0a1"
    (tmp_path / "manifest.json").write_text(f'{{"files": {{"adapter_model.safetensors": "{digest}"}}}}')
    assert "the weights are not those of its manifest" in refused(lambda: adapter_identity(tmp_path))
    (tmp_path / "manifest.json").write_text('{"files": {}}')  # of another maker
    assert adapter_identity(tmp_path) == whole
