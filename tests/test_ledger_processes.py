"""Several processes and one ledger file: one writes at a time, the others wait or say why not, and nothing breaks."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from parley.errors import ParleyError
from parley.llm.claim import Claim
from parley.llm.ledger import Ledger
from tests.calls import fill, reply, request, salvaged

ROOT = Path(__file__).resolve().parents[1]


def process(body: str, path: Path) -> "subprocess.Popen[str]":
    """Another process with a ledger on `path`. It waits for a line on its input where `body` says `wait()`."""
    lines = [
        f"import sys; sys.path.insert(0, {str(ROOT)!r})",
        "from pathlib import Path",
        "from tests.calls import Ledger, reply, request",
        "def wait(): print('here', flush=True); sys.stdin.readline()",
        "def put(ledger, number):",
        "    ledger.put(request(number), reply(request(number), f'answer {number} ' + 'x' * 200))",
        f"path = Path({str(path)!r})",
        textwrap.dedent(body),
    ]
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines)], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def reached(other: "subprocess.Popen[str]") -> None:
    """Wait until the other process says where it is."""
    assert other.stdout is not None
    assert other.stdout.readline() == "here\n", other.communicate()[1]


def go_on(other: "subprocess.Popen[str]") -> None:
    """Let the other process run to its end."""
    errors = other.communicate("\n")[1]
    assert other.returncode == 0, errors


WRITER = """
with Ledger(path) as ledger:
    put(ledger, 0)
    wait()
    put(ledger, 1)
"""


def test_a_second_writer_refuses_with_one_line_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    writer = process(WRITER, path)
    reached(writer)
    with Ledger(path, timeout=0.1) as ledger:
        assert ledger.get(request(0).key) is not None  # reading is free
        with pytest.raises(ParleyError, match=r"0\.sqlite: another process is writing to it; wait for that job"):
            ledger.put(request(2), reply(request(2)))
        with pytest.raises(ParleyError, match="another process is writing"):
            ledger.get_or_claim(request(1).key)
    go_on(writer)
    assert salvaged(path, [request(0), request(1)]) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["0.sqlite"]


def test_a_second_writer_that_waits_finds_what_the_first_has_paid_for(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    writer = process(WRITER, path)
    reached(writer)
    with Ledger(path, timeout=60) as ledger:
        assert ledger.get(request(1).key) is None
        later = threading.Timer(0.2, lambda: go_on(writer))
        later.start()
        assert ledger.get_or_claim(request(1).key) is not None
        later.join()
        assert ledger.get_or_claim(request(2).key) is None
        ledger.put(request(2), reply(request(2)))


def test_a_killed_writer_leaves_no_claim(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    writer = process(WRITER, path)
    reached(writer)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert (tmp_path / "0.sqlite.lock").exists()
    with Ledger(path, timeout=0.1) as ledger:
        ledger.put(request(2), reply(request(2)))
    assert salvaged(path, [request(0)]) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["0.sqlite"]


def test_many_processes_that_want_the_same_file_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "0.sqlite"
    body = """
    for number in range({start}, {start} + 6):
        with Ledger(path, timeout=60) as ledger:
            put(ledger, number)
            put(ledger, 100)
    """
    writers = [process(body.format(start=start), path) for start in range(0, 24, 6)]
    for writer in writers:
        go_on(writer)
    assert salvaged(path, [request(number) for number in range(24)]) == 24
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM calls").fetchone() == (25,)
    connection.close()
    assert [one.name for one in path.parent.iterdir()] == ["0.sqlite"]


def test_a_file_that_another_process_mended_meanwhile_is_the_one_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    fill(path, 3)
    with Ledger(path) as ledger:
        assert ledger.get(request(0).key) is not None
        other = process("from parley.llm.salvage import salvage\nsalvage(path, 'a test')", path)
        go_on(other)
        ledger.put(request(5), reply(request(5), "answer 5 " + "x" * 200))
    assert salvaged(path, [*map(request, (0, 1, 2)), request(5)]) == 4


def test_a_damaged_file_is_mended_by_one_of_two_readers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 20)
    with Ledger(path) as first, Ledger(path) as second:
        path.write_bytes(path.read_bytes().replace(b"answer 7 xxx", b"answer 7 xyx"))
        assert first.get(asked[7].key) is None
        first.close()
        assert second.get(asked[8].key) is not None
        assert second.get(asked[7].key) is None
    assert capsys.readouterr().err.count("salvaged 19 of 20") == 1
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


def test_a_read_only_folder_is_named_before_anything_is_paid(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 1)[0]
    with Ledger(path, timeout=0.1) as ledger:
        assert ledger.get_or_claim(asked.key) is not None
        (tmp_path / "0.sqlite.lock").mkdir()  # what may not be opened for writing, also by root
        with pytest.raises(ParleyError, match="cannot be written"):
            ledger.get_or_claim(request(7).key)
        assert ledger.get_or_claim(asked.key) is not None


def test_what_was_being_kept_when_a_claim_fails_is_told_to_its_caller(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    holder = Claim(path, 0)
    assert holder.take()

    async def work(ledger: Ledger) -> None:
        with pytest.raises(ParleyError, match="another process is writing"):
            await ledger.keep(request(1), reply(request(1)))
        holder.release()
        await ledger.keep(request(2), reply(request(2), "answer 2 " + "x" * 200))

    with Ledger(path, timeout=0.1) as ledger:
        asyncio.run(work(ledger))
    assert salvaged(path, [request(2)]) == 1


# -- the claim itself ------------------------------------------------------------------------------------------------


def test_a_claim_is_taken_once_and_given_back(tmp_path: Path) -> None:
    first, second = Claim(tmp_path / "a", 0), Claim(tmp_path / "a", 0)
    assert first.take() and not first.take()
    with pytest.raises(ParleyError, match="another process"):
        second.take()
    first.release()
    first.release()
    assert second.take()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_file_that_its_holder_removed_is_no_claim(tmp_path: Path) -> None:
    claims = [Claim(tmp_path / "a", 60) for _ in range(6)]
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        for _ in range(10):
            claims[number].take()
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)
            claims[number].release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(claims))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 60
