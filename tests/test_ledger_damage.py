"""Damage and sudden ends: a file of the ledger gives what is left of it, and what was put is there."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from parley.llm.ledger import Ledger
from parley.llm.usage import usage
from tests.calls import fill, request, salvaged

# -- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file_gives_what_is_left(tmp_path: Path, share: float, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 400)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    saved = salvaged(path, asked)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"salvaged {saved} of 400 calls, the damaged file is kept as 0.sqlite.damaged-1" in line
    assert 0 < saved < 400
    assert (tmp_path / "0.sqlite.damaged-1").read_bytes() == whole[: int(len(whole) * share)]
    assert salvaged(path, asked) == saved
    assert capsys.readouterr().err == ""


def test_a_reply_whose_request_is_lost_is_kept_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 3)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM blocks")
    connection.commit()
    connection.close()
    with Ledger(path) as ledger:
        assert all(ledger.get(one.key) for one in asked)
        assert ledger.request(asked[0].key) is None
        assert ledger.totals()[0].model == "unnamed"
    assert "salvaged 3 of 3 calls" in capsys.readouterr().err
    (tmp_path / "stage").mkdir()
    path.rename(tmp_path / "stage" / "0.sqlite")
    assert usage(tmp_path).select("model", "calls").rows() == [("unnamed", 3)]


def test_garbage_in_the_middle_costs_only_the_calls_it_hit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 400)
    data = bytearray(path.read_bytes())
    middle = len(data) // 8192 * 4096
    data[middle : middle + 4096] = bytes(random.Random(1).randbytes(4096))
    path.write_bytes(data)
    assert 300 <= salvaged(path, asked) < 400
    assert "damaged" in capsys.readouterr().err


def test_a_changed_letter_in_an_answer_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 20)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"answer 7 xxx", b"answer 7 xyx"))
    assert salvaged(path, asked) == 19
    assert "salvaged 19 of 20 calls" in capsys.readouterr().err


@pytest.mark.parametrize("rubbish", [b"not a database, but a text that somebody saved here\n" * 5, b"SQL"])
def test_a_file_of_another_kind_is_moved_aside(
    tmp_path: Path, rubbish: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "0.sqlite"
    path.write_bytes(rubbish)
    asked = fill(path, 1)
    assert salvaged(path, asked) == 1
    assert (tmp_path / "0.sqlite.damaged-1").read_bytes() == rubbish
    assert "salvaged 0 of an unknown number of calls" in capsys.readouterr().err


def test_an_empty_file_is_a_fresh_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0.sqlite").touch()
    assert salvaged(tmp_path / "0.sqlite", fill(tmp_path / "0.sqlite", 1)) == 1
    assert capsys.readouterr().err == ""


def test_a_second_damage_keeps_the_first_damaged_file(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "0.sqlite").write_bytes(b"rubbish" * 100)
        Ledger(tmp_path / "0.sqlite").__enter__().close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "0.sqlite",
        "0.sqlite.damaged-1",
        "0.sqlite.damaged-2",
    ]


def test_a_killed_writer_loses_nothing_that_it_had_put(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    script = f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from pathlib import Path
        from tests.calls import Ledger, reply, request
        with Ledger(Path({str(path)!r})) as ledger:
            for number in range(100000):
                ledger.put(request(number), reply(request(number), f"answer {{number}} " + "x" * 200))
                print(number, flush=True)
        """
    writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 60:
            writer.send_signal(signal.SIGKILL)
            break
    put = [60, *(int(line) for line in writer.stdout.read().splitlines() if line)]
    writer.wait()
    asked = [request(number) for number in range(put[-1] + 1)]
    assert salvaged(path, asked) == len(asked)
    assert not list(tmp_path.glob("*.damaged-*"))


def unfinished(path: Path, copy: Path) -> None:
    """Make `copy` what a process leaves that is killed within a transaction: half-written pages and a journal."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE calls SET text = 'half-written ' || text")
    copy.parent.mkdir(parents=True)
    for end in ("", "-journal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    writer.close()
    assert b"half-written" in copy.read_bytes()


@pytest.mark.parametrize("own", [True, False])
def test_an_unfinished_transaction_is_rolled_back(tmp_path: Path, own: bool) -> None:
    asked = fill(tmp_path / "0.sqlite", 200)
    left = tmp_path / "stage" / "0.sqlite"
    unfinished(tmp_path / "0.sqlite", left)
    if own:
        assert salvaged(left, asked) == 200
    else:
        with Ledger(tmp_path / "stage" / "1.sqlite", tmp_path / "stage") as ledger:
            assert [answer.text[:7] for one in asked if (answer := ledger.get(one.key))] == ["answer "] * 200
    assert not list(tmp_path.rglob("*.damaged-*"))
