"""A ledger with many calls: memory, room and the work of a look-up do not grow with what is already there."""

import asyncio
import json
import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.traffic import Setting, episode, rendered
from parley.canonical import canonical_json
from parley.errors import ParleyError
from parley.llm import blocks as blocks_module
from parley.llm import siblings as siblings_module
from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.call import Request
from parley.llm.ledger import Ledger
from parley.llm.siblings import PROBES, Siblings
from parley.llm.usage import usage
from tests.calls import MODEL, fill, reply, request, salvaged

# -- blocks ----------------------------------------------------------------------------------------------------------


@contextmanager
def table(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(store.SCHEMA)
        yield connection


def rows(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM blocks").fetchone()[0])


def test_a_text_that_is_in_use_is_stored_once_however_many_others_come_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "REMEMBERED", 20_000)
    with table(tmp_path / "a") as connection:
        blocks = Blocks(connection)
        numbers = set()
        for number in range(2000):
            numbers.add(blocks.put(b"every prompt says this"))
            blocks.put(f"said once {number}".encode())
        assert len(numbers) == 1
        assert rows(connection) == 2001


def test_the_memory_of_blocks_is_bounded_and_a_forgotten_text_is_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_module, "REMEMBERED", 20_000)
    with table(tmp_path / "a") as connection:
        blocks = Blocks(connection)
        first = blocks.put(b"first")
        most = 0
        for number in range(1000):
            blocks.put(b"%04d" % number * 50)
            most = max(most, len(blocks._recent or ()) + len(blocks._older))
        assert most <= 2 * 20_000 // (200 + blocks_module.ENTRY) + 2
        assert blocks.put(b"first") != first
        assert blocks.get(first) == b"first"


def test_a_new_connection_knows_both_ends_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "ENDS", 10)
    with table(tmp_path / "a") as connection:
        before = Blocks(connection)
        numbers = [before.put(f"text {number}".encode()) for number in range(100)]
        after = Blocks(connection)
        assert [after.put(f"text {number}".encode()) for number in (0, 9, 90, 99)] == [
            numbers[n] for n in (0, 9, 90, 99)
        ]
        assert after.put(b"text 50") != numbers[50]


def test_numbers_of_a_transaction_that_was_rolled_back_are_forgotten(tmp_path: Path) -> None:
    asked = request(1, messages=({"role": "user", "content": "a line that only this file has\n"},))
    again = request(2, messages=asked.messages)
    unstorable = request(3, messages=asked.messages)
    with Ledger(tmp_path / "0.sqlite") as ledger:
        ledger.put(request(0), reply(request(0)))
        with pytest.raises(ParleyError, match="cannot be used"):
            ledger.put(unstorable, reply(unstorable, finish_reason=None))
        ledger.put(again, reply(again))
        assert ledger.request(again.key) == again
        assert ledger.get(unstorable.key) is None


def test_the_turns_of_an_episode_take_a_fraction_of_their_prompts(tmp_path: Path) -> None:
    setting = Setting.default()
    talks = [list(episode(setting, number)) for number in range(8)]
    raw = sum(len(asked.messages[0]["content"].encode()) for talk in talks for asked, _ in talk)

    async def work(ledger: Ledger) -> None:
        for turn in zip(*talks, strict=True):
            await asyncio.gather(*(ledger.keep(asked, answer) for asked, answer in turn))

    with Ledger(tmp_path / "0.sqlite") as ledger:
        asyncio.run(work(ledger))
        assert all(ledger.request(asked.key) == asked for talk in talks for asked, _ in talk)
    assert (tmp_path / "0.sqlite").stat().st_size < raw / 4  # that is with the answers


def test_the_traffic_of_the_benchmark_is_what_the_template_renders() -> None:
    setting = Setting.default()
    sent = [asked.messages[0]["content"] for asked, _ in episode(setting, 3)]
    assert sent == rendered(setting, 3)


# -- other files of the stage ----------------------------------------------------------------------------------------


def stage(root: Path, files: int, calls: int) -> list[Request]:
    """Some files with some calls each, in no order of their keys."""
    return [
        asked for number in range(files) for asked in fill(root / "x" / f"{number:02}.sqlite", calls, 1000 * number)
    ]


def test_every_call_of_every_file_is_found_before_and_after_the_index_is_made(tmp_path: Path) -> None:
    asked = stage(tmp_path, 20, 15)
    random.Random(1).shuffle(asked)
    with Ledger(tmp_path / "x" / "new.sqlite", tmp_path) as ledger:
        for number, one in enumerate(asked):
            found = ledger.get(one.key)
            assert found is not None and found.text.startswith(f"answer {one.seed} "), number
            assert ledger.get(request(500_000 + number).key) is None
        assert ledger.totals()[0].replays == len(asked) == 300


def test_a_few_missing_keys_cost_no_index_and_many_cost_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(tmp_path, 3, 4)
    read: list[str] = []
    keys = Siblings._keys
    monkeypatch.setattr(
        Siblings, "_keys", lambda self, path, number: read.append(path.name) or keys(self, path, number)
    )
    siblings = Siblings(tmp_path, tmp_path / "x" / "00.sqlite", 1)
    for number in range(PROBES):
        assert siblings.get(request(7000 + number).key) is None
    assert read == []
    for number in range(100):
        assert siblings.get(request(8000 + number).key) is None
    assert read == ["01.sqlite", "02.sqlite"]


def test_once_the_index_is_made_a_missing_key_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stage(tmp_path, 3, 4)
    siblings = Siblings(tmp_path, tmp_path / "x" / "new.sqlite", 1)
    for number in range(PROBES + 1):
        siblings.get(request(7000 + number).key)
    siblings.close()
    opened: list[Path] = []
    really = siblings_module.open_read_only
    monkeypatch.setattr(
        siblings_module, "open_read_only", lambda path, timeout: opened.append(path) or really(path, timeout)
    )
    assert siblings.get(request(9999).key) is None
    assert opened == []
    assert siblings.get(asked[5].key) is not None
    assert [path.name for path in opened] == ["01.sqlite"]
    siblings.close()


def test_few_files_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings_module, "OPEN", 2)
    asked = stage(tmp_path, 5, 2)
    siblings = Siblings(tmp_path, tmp_path / "x" / "new.sqlite", 1)
    for one in asked:
        assert siblings.get(one.key) is not None
        assert len(siblings._open) <= 2
    siblings.close()
    assert siblings.get(asked[0].key) is not None
    siblings.close()


def test_keys_that_begin_alike_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stage(tmp_path, 3, 40)
    monkeypatch.setattr(siblings_module, "DIGITS", 2)
    monkeypatch.setattr(siblings_module, "MOST", 16**14)
    keys = "SELECT group_concat(entry, '') FROM (SELECT substr(key, 1, 2) || ? AS entry FROM calls ORDER BY key)"
    monkeypatch.setattr(siblings_module, "KEYS", keys)
    siblings = Siblings(tmp_path, tmp_path / "x" / "new.sqlite", 1)
    for number in range(PROBES):
        siblings.get(request(7000 + number).key)
    found = [siblings.get(one.key) for one in asked]
    assert [call[0].key for call in found if call is not None] == [one.key for one in asked]
    siblings.close()


def test_a_file_that_is_gone_or_broken_is_passed_over_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = stage(tmp_path, 3, 2)
    siblings = Siblings(tmp_path, tmp_path / "x" / "new.sqlite", 1)
    (tmp_path / "x" / "00.sqlite").write_bytes(b"rubbish" * 1000)
    assert siblings.get(asked[2].key) is not None
    siblings.close()
    (tmp_path / "x" / "02.sqlite").unlink()
    for number in range(PROBES + 5):
        assert siblings.get(request(7000 + number).key) is None
    assert siblings.get(asked[2].key) is not None
    assert siblings.get(asked[4].key) is None
    errors = capsys.readouterr().err
    assert errors.count("00.sqlite: cannot be read") == errors.count("02.sqlite: cannot be read") == 1
    assert not (tmp_path / "x" / "02.sqlite").exists()
    siblings.close()


# -- files of version 1 ----------------------------------------------------------------------------------------------


def old_file(path: Path, asked: list[Request]) -> None:
    """A file as version 1 wrote it."""
    with table(path) as connection:
        blocks = Blocks(connection)
        for one in asked:
            body: dict[str, Any] = {"schema": None, "seed": one.seed, "replicate": one.replicate}
            body["messages"] = [
                [message["role"], [blocks.put(line) for line in message["content"].encode().splitlines(keepends=True)]]
                for message in one.messages
            ]
            row = (1.0, blocks.put(canonical_json(one.model).encode()), zlib.compress(canonical_json(body).encode(), 9))
            answer = reply(one, f"answer {one.seed} " + "x" * 200)
            connection.execute(
                f"INSERT INTO calls (created, model, request, {store.REPLY}) VALUES ({','.join('?' * 13)})",
                (*row, *store.reply_row(answer)),
            )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_of_version_1_is_read_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "ratings" / "0.sqlite"
    path.parent.mkdir()
    asked = [request(number) for number in range(5)]
    old_file(path, asked)
    assert salvaged(path, asked) == 5
    assert version(path) == 1  # reading changes nothing
    fill(path, 3, start=5)
    assert version(path) == store.VERSION
    with Ledger(path) as ledger:
        assert [ledger.request(request(number).key) for number in range(8)] == [request(number) for number in range(8)]
    assert usage(tmp_path).select("calls", "identity").rows() == [(8, canonical_json(MODEL))]
    assert json.loads(usage(tmp_path)["identity"][0]) == MODEL


def test_a_damaged_file_of_version_1_is_salvaged_into_this_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "0.sqlite"
    asked = [request(number) for number in range(40)]
    old_file(path, asked)
    path.write_bytes(path.read_bytes().replace(b"answer 7 xxx", b"answer 7 xyx"))
    assert salvaged(path, asked) == 39
    assert "salvaged 39 of 40 calls" in capsys.readouterr().err
    assert version(path) == store.VERSION
    with Ledger(path) as ledger:
        assert ledger.request(asked[3].key) == asked[3]
