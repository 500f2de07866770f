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
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.llm.call import Request
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


PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Request]]:
    """The bytes of a file with 120 calls."""
    path = tmp_path_factory.mktemp("whole") / "0.sqlite"
    asked = fill(path, 120)
    return path.read_bytes(), asked


def reopened(folder: Path, data: bytes, asked: list[Request], journal: bytes | None = None) -> int:
    """How many calls a damaged file still gives. It can be written on, and opening it again finds the same."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "0.sqlite"
    path.write_bytes(data)
    if journal is not None:
        path.with_name("0.sqlite-journal").write_bytes(journal)
    saved = salvaged(path, asked)
    fill(path, 1, start=5000)
    assert salvaged(path, [*asked, request(5000)]) > saved  # a broken index may hide calls until it is written
    return saved


def test_a_damaged_page_costs_no_more_than_the_calls_on_it(
    tmp_path: Path, whole: tuple[bytes, list[Request]], capsys: pytest.CaptureFixture[str]
) -> None:
    data, asked = whole
    most = PAGE // 250  # calls on a page: an answer has 200 letters
    for page in {0, 1, 2, 3, *random.Random(1).sample(range(len(data) // PAGE), 5)}:
        start, end = page * PAGE, (page + 1) * PAGE
        saved = reopened(tmp_path / "a", data[:start] + bytes(PAGE) + data[end:], asked)
        assert len(asked) - most <= saved <= len(asked), page
        assert capsys.readouterr().err.count("\n") <= 1, page
        for kept in (tmp_path / "a").glob("*.damaged-1"):
            assert kept.read_bytes() == data[:start] + bytes(PAGE) + data[end:]


@given(
    cut=st.none() | st.floats(0, 1),
    places=st.lists(st.floats(0, 1), max_size=4),
    size=st.sampled_from([1, 40, 512, PAGE]),
    journal=st.none() | st.binary(min_size=1, max_size=600),
    seed=st.integers(0, 9),
)
@settings(max_examples=20)
def test_whatever_the_damage_what_is_found_is_right_and_the_ledger_goes_on(
    tmp_path_factory: pytest.TempPathFactory,
    whole: tuple[bytes, list[Request]],
    cut: float | None,
    places: list[float],
    size: int,
    journal: bytes | None,
    seed: int,
) -> None:
    data, asked = bytearray(whole[0]), whole[1]
    for place in places:
        at = int(place * (len(data) - size)) // size * size
        data[at : at + size] = random.Random(seed).randbytes(size)
    if cut is not None:
        del data[int(cut * len(data)) :]
    saved = reopened(tmp_path_factory.getbasetemp() / "damage", bytes(data), asked, journal)
    if cut is None:
        assert saved >= len(asked) - PAGE // 250 * len(places)


def spoilt(whole: tuple[bytes, list[Request]], *changes: tuple[bytes, bytes]) -> bytes:
    """The bytes of a file in which some were overwritten, each where it is found last: a row, not the index before it."""
    data = bytearray(whole[0])
    for old, other in changes:
        at = data.rindex(old)
        data[at : at + len(other)] = other
    return bytes(data)


def rows_key(data: bytes, key: str) -> bytes:
    """A key as it stands in its row: the time when it was kept follows, which a key in the index has not."""
    at = next(place for place in places_of(data, key.encode()) if data[place + len(key) : place + len(key) + 1] == b"A")
    return data[at : at + len(key) + 8]


def places_of(data: bytes, part: bytes) -> list[int]:
    """Every place of `part` in `data`."""
    found, at = [], data.find(part)
    while at != -1:
        found.append(at)
        at = data.find(part, at + 1)
    return found


@pytest.mark.parametrize("other", [b"\x10", b"\xff\xfe\xfd", b"g"], ids=["control", "no UTF-8", "no digit"])
def test_a_call_whose_key_was_hit_is_found_by_its_request(
    tmp_path: Path, whole: tuple[bytes, list[Request]], other: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    data, asked = whole
    key = rows_key(data, asked[7].key)
    hit = spoilt(whole, (key, key[:20] + other), (b"answer 70 ", b"ansver"))
    assert reopened(tmp_path / "a", hit, asked) == 119
    with Ledger(tmp_path / "a/0.sqlite") as ledger:
        assert ledger.get(asked[7].key) and ledger.request(asked[7].key) == asked[7]
    assert "salvaged 119 of 120 calls" in capsys.readouterr().err


def test_a_call_whose_key_and_request_were_hit_is_found_by_the_index(
    tmp_path: Path, whole: tuple[bytes, list[Request]]
) -> None:
    data, asked = whole
    key = rows_key(data, asked[7].key)
    hit = spoilt(whole, (key, key[:20] + b"\xff" * 30), (b"null,7]", b"null,8]"), (b"answer 70 ", b"ansver"))
    assert reopened(tmp_path / "a", hit, asked) == 119
    with Ledger(tmp_path / "a/0.sqlite") as ledger:
        assert ledger.get(asked[7].key) and ledger.request(asked[7].key) is None


def test_a_job_that_keeps_calls_mends_a_file_with_a_key_that_is_none(
    tmp_path: Path, whole: tuple[bytes, list[Request]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "0.sqlite"
    at = places_of(whole[0], whole[1][7].key.encode())
    data = bytearray(whole[0])
    for place in at:
        data[place + 3] = 0x10
    path.write_bytes(bytes(data))
    fill(path, 1, start=5000)  # looks over every key before it keeps the first answer
    assert "(a stored key is none); salvaged 120 of 120 calls" in capsys.readouterr().err
    assert salvaged(path, whole[1]) == 120


def test_a_model_that_cannot_be_read_is_damage(
    tmp_path: Path, whole: tuple[bytes, list[Request]], capsys: pytest.CaptureFixture[str]
) -> None:
    hit = spoilt(whole, (b'"engine":"openai"', b'"engine\x01'))
    assert reopened(tmp_path / "a", hit, whole[1]) == 120
    assert "(a stored model cannot be read); salvaged 120 of 120 calls" in capsys.readouterr().err


@pytest.mark.parametrize("torn", [1, 511, 512, 4095])
def test_a_torn_last_page_costs_at_most_the_calls_on_it(
    tmp_path: Path, whole: tuple[bytes, list[Request]], torn: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data, asked = whole
    assert reopened(tmp_path / "a", data[:-torn], asked) >= len(asked) - PAGE // 250
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("at", "other"),
    [
        (47, b"\xff"),
        (60, b"\x0f\xff\xff\xff"),
        (b"checksum INTEGER", b"c\xffecksum"),
        (b"answer 7 ", b"\xff"),
    ],
    ids=["file format", "version", "schema", "text"],
)
def test_a_changed_byte_where_sqlite_does_not_speak_of_damage_is_damage(
    tmp_path: Path,
    whole: tuple[bytes, list[Request]],
    at: int | bytes,
    other: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, asked = whole
    place = at if isinstance(at, int) else data.index(at)
    saved = reopened(tmp_path / "a", data[:place] + other + data[place + len(other) :], asked)
    assert saved >= len(asked) - 1
    assert f"salvaged {saved} of 120 calls" in capsys.readouterr().err


def test_a_changed_text_of_a_request_costs_the_request_and_not_its_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "0.sqlite"
    asked = fill(path, 5)
    data = path.read_bytes()
    assert b"=Ask 3 " in data
    path.write_bytes(data.replace(b"=Ask 3 ", b"=Ask 4 "))
    with Ledger(path) as ledger:
        assert [ledger.request(one.key) for one in asked] == [*asked[:3], None, asked[4]]
        assert all(ledger.get(one.key) for one in asked)
    assert "salvaged 5 of 5 calls" in capsys.readouterr().err


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
