"""The ledger: what was paid for is never lost and never paid for twice."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from parley.errors import ParleyError
from parley.llm import keeper
from parley.llm.call import Request
from parley.llm.ledger import Ledger
from parley.llm.usage import usage
from tests.calls import MODEL, fill, reply, request, salvaged

# -- keeping ---------------------------------------------------------------------------------------------------


def test_what_is_put_is_got_in_this_run_and_the_next(tmp_path: Path) -> None:
    asked = request()
    given = reply(asked, 'say "é" \U0001f600\n\x00', retries=1, failures=("HTTP 500: no",))
    with Ledger(tmp_path / "0.sqlite") as ledger:
        assert ledger.get(asked.key) is None
        ledger.put(asked, given)
        assert ledger.get(asked.key) == replace(given, replayed=True)
    with Ledger(tmp_path / "0.sqlite") as ledger:
        assert ledger.get(asked.key) == replace(given, replayed=True)


def test_a_request_comes_back_exactly_as_it_was_sent(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"b": {}, "a": {}}}
    texts = ["", "\n", "a\nb", "a\nb\n", "a\r\nb\rc\x0bd\u2028e\x85f", "\n\n"]
    asked = Request(MODEL, tuple({"role": "user", "content": text} for text in texts), 3, schema, 7)
    with Ledger(tmp_path / "0.sqlite") as ledger:
        ledger.put(asked, reply(asked))
        back = ledger.request(asked.key)
    assert back == asked
    assert back.schema is not None and list(back.schema["properties"]) == ["b", "a"]


def test_a_key_keeps_its_first_reply(tmp_path: Path) -> None:
    asked = request()
    with Ledger(tmp_path / "0.sqlite") as ledger:
        ledger.put(asked, reply(asked, "first"))
        ledger.put(asked, reply(asked, "second"))
        found = ledger.get(asked.key)
    assert found is not None and found.text == "first"


def test_replicates_are_calls_of_their_own(tmp_path: Path) -> None:
    first, second = request(replicate=0), request(replicate=1)
    with Ledger(tmp_path / "0.sqlite") as ledger:
        ledger.put(first, reply(first))
        assert ledger.get(second.key) is None


def test_a_reply_to_another_request_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path / "0.sqlite") as ledger, pytest.raises(ValueError, match="another request"):
        ledger.put(request(1), reply(request(2)))


def test_a_failed_call_is_noted_but_never_returned(tmp_path: Path) -> None:
    asked = request()
    with Ledger(tmp_path / "0.sqlite") as ledger:
        ledger.record_failure(asked.key, asked, "HTTP 400: no")
        assert ledger.get(asked.key) is None
        ledger.put(asked, reply(asked))
        assert ledger.get(asked.key) is not None
    rows = sqlite3.connect(tmp_path / "0.sqlite").execute("SELECT key, reason FROM failures").fetchall()
    assert rows == [(asked.key, "HTTP 400: no")]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with Ledger(tmp_path / "deep" / "0.sqlite", tmp_path) as ledger:
        assert ledger.get(request().key) is None
    assert list(tmp_path.iterdir()) == []


def test_a_closed_ledger_leaves_one_file(tmp_path: Path) -> None:
    fill(tmp_path / "0.sqlite", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["0.sqlite"]


def test_calls_kept_at_once_share_a_transaction_and_are_all_there(tmp_path: Path) -> None:
    asked = [request(number) for number in range(20)]

    async def work(ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.keep(one, reply(one)) for one in asked))

    with Ledger(tmp_path / "0.sqlite") as ledger:
        asyncio.run(work(ledger))
        assert ledger.totals()[0].calls == 20
        changes = int.from_bytes((tmp_path / "0.sqlite").read_bytes()[24:28], "big")
        assert all(ledger.get(one.key) for one in asked)
    assert changes <= 3  # the schema and one or two transactions, not twenty


def test_a_call_whose_caller_was_cancelled_is_kept_all_the_same(tmp_path: Path) -> None:
    asked = request()

    async def work(ledger: Ledger) -> None:
        waiting = asyncio.create_task(ledger.keep(asked, reply(asked)))
        await asyncio.sleep(0)
        waiting.cancel()

    with Ledger(tmp_path / "0.sqlite") as ledger:
        asyncio.run(work(ledger))
    with Ledger(tmp_path / "0.sqlite") as ledger:
        assert ledger.get(asked.key) is not None


def test_half_a_character_does_not_keep_a_call_from_being_kept(tmp_path: Path) -> None:
    odd, plain = request(1), request(2)

    async def work(ledger: Ledger) -> None:
        kept = (ledger.keep(odd, reply(odd, "a\ud83d", failures=("b\udc00",))), ledger.keep(plain, reply(plain)))
        await asyncio.wait_for(asyncio.gather(*kept), 10)
        ledger.record_failure(odd.key, odd, "c\ud83d")

    with Ledger(tmp_path / "0.sqlite") as ledger:
        asyncio.run(work(ledger))
        found = ledger.get(odd.key)
        assert found is not None and (found.text, found.failures) == ("a\ufffd", ("b\ufffd",))
        assert ledger.get(plain.key) is not None


def test_whatever_goes_wrong_those_who_wait_hear_of_it(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="another request"):
            await asyncio.wait_for(ledger.keep(request(1), reply(request(2))), 10)

    with Ledger(tmp_path / "0.sqlite") as ledger:
        asyncio.run(work(ledger))


def test_calls_that_cannot_be_put_at_the_end_are_not_lost_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "GATHER", 60)  # so that `close` must put them

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def work(ledger: Ledger) -> None:
        waiting = asyncio.create_task(ledger.keep(request(), reply(request())))
        await asyncio.sleep(0)
        waiting.cancel()

    ledger = Ledger(tmp_path / "0.sqlite")
    monkeypatch.setattr("parley.llm.ledger_file.LedgerFile._write", full)
    asyncio.run(work(ledger))
    with pytest.raises(ParleyError, match="the disk is full or fails"):
        ledger.close()


def test_a_growing_conversation_is_stored_once(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines, raw = ["".join(rng.choices("abcdefgh ", k=400)) for _ in range(10)], 0
    with Ledger(tmp_path / "0.sqlite") as ledger:
        for turn in range(20):
            lines.append(f"Turn #{turn}: " + "".join(rng.choices("abcdefgh ", k=100)))
            asked = request(turn, messages=({"role": "user", "content": "\n".join(lines)},))
            raw += len(asked.messages[0]["content"])
            ledger.put(asked, reply(asked))
    assert (tmp_path / "0.sqlite").stat().st_size < raw / 2
    assert raw > 100_000


# -- other shards ----------------------------------------------------------------------------------------------


def test_calls_of_other_shards_of_the_stage_are_found(tmp_path: Path) -> None:
    asked = fill(tmp_path / "episodes" / "round1" / "a+b" / "1.sqlite", 2)
    with Ledger(tmp_path / "episodes" / "round1" / "a+b" / "0.sqlite", tmp_path / "episodes") as ledger:
        found = ledger.get(asked[1].key)
        assert found is not None and found.text.startswith("answer 1") and found.replayed
        assert ledger.get(request(99).key) is None
        assert ledger.totals()[0].replays == 1


def test_a_damaged_shard_of_others_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.sqlite").write_bytes(b"rubbish" * 1000)
    asked = fill(tmp_path / "2.sqlite", 1)
    with Ledger(tmp_path / "0.sqlite", tmp_path) as ledger:
        assert ledger.get(asked[0].key) is not None
    assert "1.sqlite: cannot be read" in capsys.readouterr().err
    assert (tmp_path / "1.sqlite").read_bytes() == b"rubbish" * 1000


# -- faults of the surroundings --------------------------------------------------------------------------------


def test_a_file_that_another_process_writes_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "0.sqlite"
    fill(path, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Ledger(path, timeout=0.1) as ledger:
        assert ledger.get(request(0).key) is not None  # reading goes on
        with pytest.raises(ParleyError, match=r"0\.sqlite: another process is writing"):
            ledger.put(request(1), reply(request(1)))
        other.execute("ROLLBACK")
        ledger.put(request(1), reply(request(1)))
    assert salvaged(path, [request(0)]) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Ledger(tmp_path / "file" / "0.sqlite") as ledger, pytest.raises(ParleyError, match="make its folder writable"):
        ledger.put(request(), reply(request()))


def test_a_full_disk_is_named_and_what_is_stored_stays(tmp_path: Path) -> None:
    script = f"""
        import resource, sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from pathlib import Path
        from parley.errors import ParleyError
        from tests.calls import Ledger, reply, request
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with Ledger(Path({str(tmp_path / "0.sqlite")!r})) as ledger:
            try:
                for number in range(1000):
                    done = number
                    ledger.put(request(number), reply(request(number), f"answer {{number}} " + "x" * 200))
            except ParleyError as error:
                assert "the disk is full or fails" in str(error), error
                print(done)
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count = int(done.stdout)
    assert count > 50
    assert salvaged(tmp_path / "0.sqlite", [request(number) for number in range(count)]) == count


def test_a_ledger_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "0.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ParleyError, match="another version"), Ledger(tmp_path / "0.sqlite"):
        pass


# -- sums ------------------------------------------------------------------------------------------------------


def test_totals_count_what_this_run_sent_and_replayed(tmp_path: Path) -> None:
    fill(tmp_path / "0.sqlite", 2)
    tuned = request(5, model={**MODEL, "adapter": "0123456789abcdef"})
    with Ledger(tmp_path / "0.sqlite") as ledger:
        ledger.get(request(0).key)
        ledger.get(request(7).key)
        ledger.put(request(2), reply(request(2), retries=2))
        ledger.record_failure(request(3).key, request(3), "no")
        ledger.put(tuned, reply(tuned))
        plain, adapted = ledger.totals()
    assert (plain.model, plain.calls, plain.replays, plain.retries, plain.failures) == ("judge", 1, 1, 2, 1)
    assert (plain.prompt_tokens, plain.cached_tokens, plain.completion_tokens, plain.seconds) == (100, 40, 20, 0.5)
    assert (adapted.model, adapted.calls) == ("judge+01234567", 1)


def test_usage_sums_all_shards_by_stage_and_model(tmp_path: Path) -> None:
    fill(tmp_path / "ratings" / "x" / "0.sqlite", 2)
    fill(tmp_path / "ratings" / "y" / "z" / "1.sqlite", 3, start=10)
    fill(tmp_path / "tasks" / "0.sqlite", 1)
    with Ledger(tmp_path / "tasks" / "0.sqlite") as ledger:
        ledger.record_failure(request(3).key, request(3), "no")
    frame = usage(tmp_path)
    columns = ["stage", "model", "calls", "prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "failures"]
    assert frame.select(columns).rows() == [
        ("ratings", "judge", 5, 500, 200, 100, 2.5, 0),
        ("tasks", "judge", 1, 100, 40, 20, 0.5, 1),
    ]
    assert json.loads(frame["identity"][0]) == MODEL


def test_usage_of_nothing_is_an_empty_table(tmp_path: Path) -> None:
    assert usage(tmp_path).height == 0
    assert usage(tmp_path / "none").columns == usage(tmp_path).columns
