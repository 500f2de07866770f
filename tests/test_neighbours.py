"""Jobs of a stage that are at work at the same time: what two of them ask for is paid for once, whoever dies meanwhile."""

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from parley.llm.call import Reply, Request
from parley.llm.ledger import Ledger
from parley.llm.neighbours import NAME, Neighbours
from parley.records.message import Message
from tests.builders import ROOT
from tests.counting import Tally, counting

IDENTITY = {"engine": "openai", "name": "m"}


def request(text: str) -> Request:
    return Request(IDENTITY, (Message(role="user", content=text),), 1, None, 0)


def reply(asked: Request, text: str = "yes") -> Reply:
    return Reply(asked.key, text, "stop", 5, 1, 0, 0.1)


#: Another job of the stage: asks for one thing, says so, and keeps the answer when it is told to.
JOB = """
import asyncio, sys
from pathlib import Path
from parley.llm.ledger import Ledger
from tests.test_neighbours import reply, request
asked = request("hello")
say = lambda text: print(text, flush=True)

async def work():
    with Ledger(Path(sys.argv[1]), stage_root=Path(sys.argv[2])) as ledger:
        async with ledger.asking(asked.key) as kept:
            say("asking" if kept is None else f"found {kept.text}")
            if (order := sys.stdin.readline().strip()) == "keep":
                ledger.put(asked, reply(asked))
        say("done")
asyncio.run(work())
"""


@contextmanager
def job(root: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    """The job with a ledger of its own, at what it asks for."""
    command = [sys.executable, "-c", textwrap.dedent(JOB), str(root / f"{name}.sqlite"), str(root)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]", order: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{order}\n")
    process.stdin.flush()


async def asked_while(root: Path, other: "subprocess.Popen[str]", order: str | None) -> tuple[bool, Reply | None]:
    """Ask for what the other job has under way: whether this one waited, and what it found after the other's end."""
    asked = request("hello")
    with Ledger(root / "mine.sqlite", stage_root=root) as ledger:
        assert ledger.get_or_claim(asked.key) is None  # as the files were then

        async def ask() -> Reply | None:
            async with ledger.asking(asked.key) as kept:
                return kept

        task = asyncio.create_task(ask())
        done, _ = await asyncio.wait([task], timeout=0.3)
        if order is None:
            other.kill()
        else:
            tell(other, order)
        return not done, await asyncio.wait_for(task, 30)


@pytest.mark.parametrize(
    ("order", "found"), [("keep", "yes"), ("fail", None), (None, None)], ids=["it answers", "it fails", "it is killed"]
)
def test_what_a_neighbour_asks_for_is_waited_for(tmp_path: Path, order: str | None, found: str | None) -> None:
    with job(tmp_path, "other") as other:
        assert line(other) == "asking"
        waited, kept = asyncio.run(asked_while(tmp_path, other, order))
    assert waited
    assert (None if kept is None else kept.text) == found
    assert kept is None or kept.replayed


def test_what_a_neighbour_kept_after_this_one_looked_is_found(tmp_path: Path) -> None:
    asked = request("hello")
    with Ledger(tmp_path / "mine.sqlite", stage_root=tmp_path) as ledger, ExitStack() as others:
        ledger.ready()

        async def ask(key: str) -> Reply | None:
            async with ledger.asking(key) as kept:
                return kept

        assert ledger.get(asked.key) is None
        assert asyncio.run(ask(request("something else").key)) is None
        other = others.enter_context(job(tmp_path, "deep/other"))
        assert line(other) == "asking"
        tell(other, "keep")
        assert line(other) == "done"
        assert other.wait(30) == 0  # its own end takes nothing with it
        assert ledger.get(asked.key) is None  # it knows the files as they were
        found = asyncio.run(ask(asked.key))
        assert found is not None and (found.text, found.replayed) == ("yes", True)
        assert [total.replays for total in ledger.totals()] == [1]


def test_two_things_are_asked_for_at_the_same_time(tmp_path: Path) -> None:
    with job(tmp_path, "other") as other:
        assert line(other) == "asking"

        async def ask() -> Reply | None:
            with Ledger(tmp_path / "mine.sqlite", stage_root=tmp_path) as ledger:
                async with ledger.asking(request("something else").key) as kept:
                    return kept

        assert asyncio.run(asyncio.wait_for(ask(), 10)) is None


def test_who_is_cancelled_while_it_waits_or_asks_lets_go(tmp_path: Path) -> None:
    key = request("hello").key

    async def cancelled(neighbours: Neighbours) -> None:
        async def ask() -> None:
            async with neighbours.asking(key):
                await asyncio.sleep(60)

        task = asyncio.create_task(ask())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    neighbours = Neighbours(tmp_path, tmp_path / "mine.sqlite")
    with job(tmp_path, "other") as other:
        assert line(other) == "asking"
        asyncio.run(cancelled(neighbours))
    asyncio.run(cancelled(neighbours))
    with job(tmp_path, "other") as other:
        assert line(other) == "asking"  # it would wait
    neighbours.close()


# -- the small file ----------------------------------------------------------------------------------------------------


def test_who_is_alone_begins_a_new_file_and_who_is_not_leaves_the_lines(tmp_path: Path) -> None:
    with job(tmp_path, "other") as other:
        assert line(other) == "asking"
        tell(other, "keep")
        assert line(other) == "done"
    assert (tmp_path / NAME).read_text().endswith(" other.sqlite\n")
    with job(tmp_path, "again") as again:  # alone: the ledger itself has it now
        assert line(again) == "asking"
        assert (tmp_path / NAME).read_text() == ""
        tell(again, "keep")
        assert line(again) == "done"
    mine = Neighbours(tmp_path, tmp_path / "mine.sqlite")
    mine.open()
    mine.keep([request("one").key])
    with job(tmp_path, "third") as third:
        assert line(third) == "asking"
        assert (tmp_path / NAME).read_text() == f"{request('one').key[:15]} mine.sqlite\n"
    mine.close()


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    keys = [request(text).key for text in "abc"]
    neighbours = Neighbours(tmp_path, tmp_path / "mine.sqlite")

    async def where(key: str) -> Path | None:
        async with neighbours.asking(key) as path:
            return path

    assert asyncio.run(where(keys[0])) is None
    with (tmp_path / NAME).open("ab") as file:
        file.write(b"\xff\xfe\n\nno-ledger-named\n" + f"{keys[0][:15]} a b.sqlite\n{keys[1][:15]} half".encode())
    assert asyncio.run(where(keys[0])) == tmp_path / "a b.sqlite"
    assert asyncio.run(where(keys[1])) is None  # the line is not whole yet
    with (tmp_path / NAME).open("ab") as file:
        file.write(b".sqlite\n")
    assert asyncio.run(where(keys[1])) == tmp_path / "half.sqlite"
    assert asyncio.run(where(keys[2])) is None
    neighbours.close()


def test_a_ledger_that_is_named_and_gone_is_not_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = request("hello")

    async def ask() -> Reply | None:
        with Ledger(tmp_path / "mine.sqlite", stage_root=tmp_path) as ledger:
            async with ledger.asking(asked.key):
                pass
            with (tmp_path / NAME).open("a") as file:
                file.write(f"{asked.key[:15]} gone.sqlite\n")
            async with ledger.asking(asked.key) as kept:
                return kept

    assert asyncio.run(ask()) is None
    assert "gone.sqlite: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_nothing_can_be_locked_there_are_no_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", no_locks)
    asked = request("hello")
    with Ledger(tmp_path / "mine.sqlite", stage_root=tmp_path) as ledger:

        async def ask() -> Reply | None:
            async with ledger.asking(asked.key) as kept:
                ledger.put(asked, reply(asked))
                return kept

        assert asyncio.run(ask()) is None
        assert ledger.get(asked.key) is not None


def test_a_full_disk_loses_the_line_and_not_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, write = request("hello"), os.write

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if asked.key[:15].encode() in data else None
        return write(handle, data)

    with Ledger(tmp_path / "mine.sqlite", stage_root=tmp_path) as ledger:

        async def ask() -> None:
            async with ledger.asking(asked.key):
                monkeypatch.setattr(os, "write", full)
                ledger.put(asked, reply(asked))

        asyncio.run(ask())
        assert ledger.get(asked.key) is not None


def test_keys_have_bytes_of_their_own() -> None:
    places = {1 + int(sha256(str(number).encode()).hexdigest()[:15], 16) for number in range(20_000)}
    assert len(places) == 20_000 and max(places) < 2**63


# -- speakers ----------------------------------------------------------------------------------------------------------

#: A job that asks a server for the same forty things as its twins.
TWIN = """
import asyncio, json, sys
from pathlib import Path
from parley.llm.ledger import Ledger
from parley.llm.speaker import speakers
from parley.records.message import Message
from tests.test_playhouse_server import TURN
from tests.test_speaker import experiment

async def work(url, path, root):
    here = {"engine": "openai", "price": "free", "base_url": url, "name": "expert", "concurrency": 8}
    with Ledger(Path(path), stage_root=Path(root)) as ledger:
        async with speakers(experiment(models={"judge": here, "partner": here}), ["judge"], ledger) as found:
            said = [Message(role="user", content=TURN)]
            asked = [found["judge"].chat(said, seed=number) for number in range(40)]
            texts = [answer.text for answer in await asyncio.gather(*asked)]
        counts = found["judge"].counts
    print(json.dumps({"texts": texts, "sent": counts.sent, "replayed": counts.replayed}))
asyncio.run(work(*sys.argv[1:]))
"""


@pytest.fixture
def tally() -> Iterator[Tally]:
    with counting(0.1) as server:
        yield server


def test_three_jobs_that_want_the_same_at_once_pay_once(tmp_path: Path, tally: Tally) -> None:
    commands = [
        [sys.executable, "-c", TWIN, tally.base_url, str(tmp_path / f"{n}.sqlite"), str(tmp_path)] for n in "abc"
    ]
    twins = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for command in commands]
    told = [json.loads(twin.communicate(timeout=60)[0]) for twin in twins]
    assert tally.read() == {"answered": 40, "twice": 0, "in_flight": 0}
    assert sum(one["sent"] for one in told) == 40 and sum(one["replayed"] for one in told) == 80
    assert told[0]["texts"] == told[1]["texts"] == told[2]["texts"]
