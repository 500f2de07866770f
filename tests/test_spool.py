"""The spool: any order in, one order out, whole or not at all, and no memory for what it holds."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.spool import Spool
from tests.builders import WORDS, episode


def one(number: int, words: str = "Well.") -> Episode:
    return episode(("speak", words), replicate=number)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(order=st.permutations(range(8)), words=st.text(min_size=1, max_size=40))
def test_the_file_is_the_same_in_whatever_order_the_records_came(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], words: str
) -> None:
    words = words.encode("utf-8", "replace").decode()
    folder = tmp_path_factory.mktemp("spool")
    with Spool(folder / "a.jsonl", len(order)) as spool:
        for number in order:
            spool.put(number, one(number, words * (number + 1)))
        spool.publish()
    write_jsonl(folder / "b.jsonl", [one(number, words * (number + 1)) for number in range(len(order))])
    assert (folder / "a.jsonl").read_bytes() == (folder / "b.jsonl").read_bytes()


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    with Spool(tmp_path / "new" / "a.jsonl", 2) as spool:
        spool.put(1, one(1, "line\u2028 \n break"))
        spool.put(0, one(0))
        spool.publish()
    assert read_jsonl(tmp_path / "new" / "a.jsonl", Episode) == [one(0), one(1, "line\u2028 \n break")]


def test_nothing_is_to_be_seen_before_the_end_and_nothing_stays_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("before")

    def fail() -> None:
        with Spool(tmp_path / "a.jsonl", 2) as spool:
            spool.put(0, one(0))
            assert names(tmp_path) == ["a.jsonl"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == ["a.jsonl"]
    assert (tmp_path / "a.jsonl").read_text() == "before"


def test_a_file_with_a_hole_is_not_written(tmp_path: Path) -> None:
    with Spool(tmp_path / "a.jsonl", 3) as spool:
        for number in (0, 2):
            spool.put(number, one(number))
        with pytest.raises(ValueError, match="record 1 is missing"):
            spool.publish()
    assert names(tmp_path) == []


def test_a_number_is_used_once(tmp_path: Path) -> None:
    with Spool(tmp_path / "a.jsonl", 1) as spool:
        spool.put(0, one(0))
        with pytest.raises(ValueError, match="record 0 is there already"):
            spool.put(0, one(0))


def test_no_record_is_an_empty_line(tmp_path: Path) -> None:
    with Spool(tmp_path / "a.jsonl", 0) as spool:
        spool.publish()
    assert (tmp_path / "a.jsonl").read_bytes() == b"\n"


def test_what_is_in_the_spool_takes_no_memory(tmp_path: Path) -> None:
    talk = episode(*[WORDS] * 20)
    with Spool(tmp_path / "a.jsonl", 1000) as spool:
        spool.put(0, talk)
        tracemalloc.start()
        try:
            for number in range(1, 1000):
                spool.put(number, talk)
            spool.publish()
            held, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held < 1000 * 100
    assert most < 1000 * 500  # a record has some 4,000 bytes
