"""What is remembered of batches on their way: whole or not at all, and enough to take them up again."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.llm.batch_memory import BatchMemory
from parley.llm.call import Request

ADDRESS = "http://127.0.0.1:1/v1/"
IDENTITY = {"engine": "openai", "name": "m", "temperature": 0.5}

texts = st.text(st.characters(codec="utf-8"), max_size=30)
messages = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": texts}), max_size=3)
requests = st.builds(
    Request,
    model=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False) | texts, max_size=3),
    messages=messages.map(tuple),
    seed=st.none() | st.integers(0, 2**31),
    schema=st.none() | st.just({"type": "object", "title": "Ä"}),
    replicate=st.integers(0, 3),
)


def request(number: int = 0) -> Request:
    return Request(IDENTITY, ({"role": "user", "content": f"Ask {number}"},), seed=number)


@settings(max_examples=50)
@given(asked=st.lists(requests, min_size=1, max_size=5))
def test_requests_come_back_as_they_were(asked: list[Request], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("memory")
    made = BatchMemory(folder).intend(ADDRESS, asked)
    (found,) = BatchMemory(folder).batches()
    assert found == made and found.keys == tuple(one.key for one in asked) and found.id is None
    assert BatchMemory(folder).requests(found) == {one.key: one for one in asked}


def test_a_batch_gets_its_id_and_is_forgotten(tmp_path: Path) -> None:
    memory = BatchMemory(tmp_path / "new")
    made = memory.handed_in(memory.intend(ADDRESS, [request()]), "batch-7")
    assert made.id == "batch-7" and memory.batches() == [made]
    memory.forget(made)
    assert memory.batches() == [] and list(memory.folder.iterdir()) == []
    memory.forget(made)  # another job may have done it


def test_two_batches_of_the_same_calls_have_two_names(tmp_path: Path) -> None:
    """A batch that is looked for by its name must not be an older one of the same calls."""
    memory = BatchMemory(tmp_path)
    first, second = (memory.intend(ADDRESS, [request()]) for _ in range(2))
    assert first.name != second.name and memory.batches() == [first, second]


def test_without_a_folder_there_is_none(tmp_path: Path) -> None:
    assert BatchMemory(tmp_path / "none").batches() == []
    assert not (tmp_path / "none").exists()


def test_a_file_that_was_not_finished_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    memory = BatchMemory(tmp_path)
    with monkeypatch.context() as full:
        full.setattr("os.fsync", fail)
        with pytest.raises(ParleyError, match=r"cannot be written \(.*No space left.*run again, nothing is lost"):
            memory.intend(ADDRESS, [request()])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".abc.jsonl.gz.1.part").write_bytes(b"half")  # of a job that was killed
    assert memory.batches() == []


@pytest.mark.parametrize("keep", [0, 5, 12, 40])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, keep: int) -> None:
    memory = BatchMemory(tmp_path)
    made = memory.intend(ADDRESS, [request(number) for number in range(50)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ParleyError, match=rf"{path.name}: damaged .*delete the file"):
        memory.batches()
    path.write_bytes(b"\0" * 100)
    with pytest.raises(ParleyError, match="damaged"):
        memory.requests(made)


def test_the_list_reads_no_request(tmp_path: Path) -> None:
    """Every job of a stage looks at all batches; only the first line is for that."""
    memory = BatchMemory(tmp_path)
    made = memory.intend(ADDRESS, [request(number) for number in range(3)])
    (path,) = tmp_path.iterdir()
    head = gzip.decompress(path.read_bytes()).split(b"\n")[0]
    path.write_bytes(gzip.compress(head + b"\nnot json\n"))
    assert memory.batches() == [made]
