"""The ledger while calls are being kept in its thread: nothing waits that need not, nothing is missed, errors arrive."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from parley.errors import ParleyError
from parley.llm import store
from parley.llm.ledger import Ledger
from tests.calls import fill, reply, request


def test_looking_for_what_is_not_there_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = fill(tmp_path / "0.sqlite", 3), request(99)
    writing, go_on = threading.Event(), threading.Event()
    insert = store.insert_call

    def slow(*arguments: Any) -> None:
        writing.set()
        assert go_on.wait(10)
        insert(*arguments)

    async def work(ledger: Ledger) -> None:
        assert ledger.get_or_claim(new.key) is None
        keeping = asyncio.create_task(ledger.keep(new, reply(new)))
        while not writing.is_set():
            await asyncio.sleep(0.001)
        assert ledger.get_or_claim(request(100).key) is None  # would wait for ever for the writer
        go_on.set()
        await keeping
        assert all(ledger.get(one.key) for one in [*old, new])

    with Ledger(tmp_path / "0.sqlite") as ledger:
        monkeypatch.setattr(store, "insert_call", slow)
        asyncio.run(asyncio.wait_for(work(ledger), 20))


def test_what_another_process_kept_before_the_claim_is_found_while_keeping(tmp_path: Path) -> None:
    with Ledger(tmp_path / "0.sqlite") as ledger:
        assert ledger.get(request(1).key) is None
        (other,) = fill(tmp_path / "0.sqlite", 1)
        one = request(50)
        asyncio.run(ledger.keep(one, reply(one)))
        assert ledger.get(other.key) is not None and ledger.get(one.key) is not None


def test_a_disk_that_takes_nothing_is_told_to_who_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = 13
        raise error

    monkeypatch.setattr(store, "insert_call", full)
    one = request(1)
    with Ledger(tmp_path / "0.sqlite") as ledger:
        with pytest.raises(ParleyError, match="the disk is full"):
            asyncio.run(ledger.keep(one, reply(one)))
        monkeypatch.undo()
        asyncio.run(ledger.keep(one, reply(one)))
        assert ledger.get(one.key) is not None
