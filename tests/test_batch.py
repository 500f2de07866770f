"""Calls through a Batch API: the same answers under the same keys as live, each paid for once, whatever happens."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.config import Batch
from parley.errors import ParleyError
from parley.llm import batch, batch_api
from parley.llm.batch_api import BatchApi
from parley.llm.batch_memory import BatchMemory, Handed
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from tests.counter import Desk, answered, ask, question, served
from tests.faulty import refuse, reset, send

TEN = range(10)
LOOK = "GET /batches/batch-.*"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(batch, "QUIET", 0.05)
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries of the client and of ours follow at once, and are few."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr(batch_api, "TRIES", 2)
    monkeypatch.setattr(batch_api, "FIRST_WAIT", 0.001)


# -- as if it were live ----------------------------------------------------------------------------------------


def test_the_first_call_goes_live_and_the_rest_in_one_batch(desk: Desk) -> None:
    assert desk.job(*TEN) == answered(*TEN)
    assert (desk.live, desk.sizes) == (["Ask 0"], [9])
    assert (desk.counts.sent, desk.counts.failed, desk.counts.retries) == (10, 0, 0)
    assert desk.waiting == []


def test_a_line_of_a_batch_asks_as_a_live_call_does(desk: Desk) -> None:
    schema = {"title": "Act", "type": "object", "properties": {}}

    async def work(judge: Speaker) -> None:
        await judge.chat(question(0), schema=schema, seed=5)

    desk.job(work=work, batch=None)
    desk.job(work=lambda judge: _chat_many(judge, schema), judge={"top_p": 0.5, "max_tokens": 7})
    (made,) = desk.counter.batches.values()
    line = next(line for line in made.lines if line["body"]["seed"] == 5)
    assert line["body"] == {**desk.chats[0], "top_p": 0.5, "max_tokens": 7}
    assert line["body"]["response_format"]["json_schema"]["schema"] == schema
    assert (made.request["completion_window"], list(made.request["metadata"])) == ("24h", ["parley"])


async def _chat_many(judge: Speaker, schema: dict[str, Any]) -> None:
    await asyncio.gather(*(judge.chat(question(0), schema=schema, seed=seed) for seed in range(6)))


def test_live_after_batch_and_batch_after_live_make_no_call(desk: Desk, tmp_path: Path) -> None:
    desk.job(*TEN, ledger="one/0")
    batched, asked = desk.calls("one/0"), len(desk.asked)
    assert desk.job(*TEN, batch=None, ledger="one/0") == answered(*TEN)
    assert len(desk.asked) == asked
    with served(tmp_path / "other") as other:
        other.job(*TEN, batch=None)
        assert other.calls() == batched  # the same keys, the same answers
        asked = len(other.asked)
        assert other.job(*TEN) == answered(*TEN)
        assert len(other.asked) == asked and other.sizes == []


def test_without_a_folder_for_batches_every_call_is_live(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Playing has none: the same model stays live there."""
    monkeypatch.setattr(Desk, "memory", None)
    assert desk.job(*TEN) == answered(*TEN)
    assert (len(desk.live), desk.sizes) == (10, [])


def test_a_few_calls_are_not_worth_a_batch(desk: Desk) -> None:
    assert desk.job(*range(4), batch={"fewest": 4}) == answered(*range(4))
    assert (len(desk.live), desk.sizes) == (4, [])
    assert desk.counts.retries == 0  # nothing had failed


def test_a_follow_up_goes_live(desk: Desk) -> None:
    async def work(judge: Speaker) -> str:
        await ask(judge, *TEN)
        talk = [*question(0), {"role": "assistant", "content": "hm"}, {"role": "user", "content": "once more"}]
        return (await judge.chat(talk, seed=0)).text  # type: ignore[arg-type]

    assert desk.job(work=work) == "once more 0 1024"
    assert (desk.live, desk.sizes) == (["Ask 0", "once more"], [9])


def test_later_calls_make_a_batch_of_their_own_without_a_probe(desk: Desk) -> None:
    async def work(judge: Speaker) -> None:
        await ask(judge, *range(5))
        await ask(judge, *range(3, 8))

    desk.job(work=work)
    assert (desk.live, desk.sizes) == (["Ask 0"], [4, 3])


def test_equal_requests_are_one_line(desk: Desk) -> None:
    assert desk.job(0, 1, 1, 2, 1) == answered(0, 1, 1, 2, 1)
    assert (desk.sizes, desk.counts.sent, desk.counts.replayed) == ([2], 3, 2)


def test_what_does_not_fit_into_one_file_goes_into_several(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_LINES", 4)
    assert desk.job(*TEN) == answered(*TEN)
    assert sorted(desk.sizes) == [1, 4, 4]
    monkeypatch.setattr(batch, "MOST_LINES", 100)
    monkeypatch.setattr(batch, "MOST_BYTES", 1000)
    desk.job(*range(10, 20))
    assert sum(desk.sizes[3:]) == 9 and len(desk.sizes) > 4
    sizes = [len(content) for name, _, content in desk.counter.files.values() if name == "parley.jsonl"]
    assert all(size <= 1000 for size in sizes[3:])


def test_the_dialect_that_the_first_call_learns_is_the_batchs(desk: Desk) -> None:
    desk.faults = [("POST /chat/completions", refuse(400, "use 'max_completion_tokens' instead"))]
    desk.counter._answer = lambda body: (200, _said(str(body["max_completion_tokens"])))
    desk.faults += [("POST /chat/completions", _say("live"))]
    assert desk.job(*range(4)) == ["live", "1024", "1024", "1024"]


def _said(text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}


def _say(text: str) -> Any:
    return send(json.dumps(_said(text)))


def test_progress_is_told_in_plain_lines(desk: Desk) -> None:
    desk.pace(delay=0.3)
    desk.job(*TEN)
    (made,) = desk.counter.batches
    assert all(line.startswith(f"batch {made}: ") and "\n" not in line for line in desk.said)
    assert "9 calls handed in" in desk.said[0]
    assert any(" of 9 done, 0 failed, 0 s old" in line for line in desk.said[1:-1])
    assert desk.said[-1].endswith("9 of 9 answered")


# -- what a batch does not answer ------------------------------------------------------------------------------


def replies(desk: Desk, *numbers: int) -> Any:
    async def work(judge: Speaker) -> Any:
        chats = (judge.chat(question(number), seed=number) for number in numbers)
        return await asyncio.gather(*chats)

    return desk.job(work=work)


def test_lines_that_failed_are_asked_live_and_say_why(desk: Desk) -> None:
    desk.pace(failing=0.5)
    found = replies(desk, *TEN)
    assert [reply.text for reply in found] == answered(*TEN)
    failed = [reply for reply in found if reply.failures]
    assert 0 < len(failed) < 9 and len(desk.live) == 1 + len(failed)
    assert {reply.failures for reply in failed} == {("batch: HTTP 500: The server had an error",)}
    assert all(reply.retries == 1 for reply in failed)
    assert set(desk.paid().values()) == {1}


def test_what_an_expired_batch_has_is_taken_and_the_rest_is_asked_live(desk: Desk) -> None:
    desk.pace(expiring=0.5)
    found = replies(desk, *TEN)
    assert [reply.text for reply in found] == answered(*TEN)
    assert (desk.states, len(desk.live)) == (["expired"], 1 + 5)
    assert {reply.failures for reply in found} == {(), ("batch: batch_expired: The batch has expired.",)}
    assert set(desk.paid().values()) == {1}


def test_a_batch_that_takes_too_long_is_cancelled(desk: Desk) -> None:
    desk.pace(delay=1.0)
    assert desk.job(*TEN, batch={"poll": 0.05, "hours": 0.5 / 3600, "fewest": 2}) == answered(*TEN)
    (made,) = desk.counter.batches.values()
    assert made.status == "cancelled" and 0 < len(made.good) < 9
    assert len(desk.live) == 10 - len(made.good)
    assert any("cancelled after" in line for line in desk.said)
    assert set(desk.paid().values()) == {1}


def test_a_call_that_is_refused_fails_with_the_reason_of_the_live_try(desk: Desk) -> None:
    async def work(judge: Speaker) -> str:
        good = asyncio.ensure_future(ask(judge, *TEN))
        with pytest.raises(CallFailed) as failed:
            await judge.chat(question(3, "bad"))
        assert await good == answered(*TEN)
        return failed.value.reason

    assert desk.job(work=work) == "HTTP 400: this is bad"
    assert (desk.sizes, desk.counts.failed) == ([10], 1)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"{}",
        b'{"custom_id": "another", "response": {"status_code": 200, "body": {}}}',
        b'{"custom_id": "KEY", "response": {"status_code": 200, "body": {"choices": []}}}',
        b'{"custom_id": "KEY", "response": {"status_code": 200, "body": "hello"}}',
        b'{"custom_id": "KEY", "response": {"status_code": 400, "body": "odd"}}',
        b'{"custom_id": "KEY", "response": null, "error": null}',
        b'{"custom_id": ["KEY"], "response": 3}',
        b"[1]",
    ],
)
def test_a_line_that_is_no_answer_is_asked_live(desk: Desk, line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = desk.counter._keep

    def spoil(name: str, purpose: str, content: bytes) -> str:
        if purpose == "batch_output":
            first, *rest = content.splitlines()
            key = json.loads(first)["custom_id"].encode()
            content = b"\n".join([line.replace(b"KEY", key), *rest])
        return keep(name, purpose, content)

    monkeypatch.setattr(desk.counter, "_keep", spoil)
    assert desk.job(*TEN) == answered(*TEN)
    assert len(desk.live) == 2


def test_a_batch_that_is_refused_stops_the_job_in_one_line_and_leaves_nothing_behind(desk: Desk) -> None:
    desk.faults = [(LOOK, _view("failed", [{"code": "model_mismatch", "message": "no\nbatches of j"}]))]
    with pytest.raises(ParleyError, match=r"batch batch-1-\w+ was refused \(model_mismatch: no") as refused:
        desk.job(*TEN)
    assert "delete `batch` in the config" in str(refused.value)
    assert desk.waiting == []


def _view(status: str, errors: list[dict[str, str]]) -> Any:
    body = {"id": "b", "object": "batch", "status": status, "errors": {"object": "list", "data": errors}}
    return send(json.dumps(body))


def test_without_room_smaller_batches_are_handed_in_later(desk: Desk) -> None:
    desk.pace(room=4)
    assert desk.job(*TEN) == answered(*TEN)
    assert max(desk.sizes) <= 4 and sum(desk.sizes) == 9
    assert "failed" in desk.states
    assert desk.live == ["Ask 0"]
    assert any("no room yet (token_limit_exceeded" in line for line in desk.said)


def test_who_finds_no_room_for_too_long_goes_live(desk: Desk) -> None:
    desk.pace(room=0)
    assert desk.job(*TEN, batch={"poll": 0.02, "hours": 0.1 / 3600, "fewest": 1}) == answered(*TEN)
    assert (len(desk.live), desk.sizes) == (10, [])


# -- the way to the endpoint -----------------------------------------------------------------------------------


def test_faults_on_the_way_that_pass_are_tried_again(desk: Desk, quick: None) -> None:
    desk.faults = [
        ("POST /files", refuse(503)),
        ("POST /batches", refuse(429)),
        (LOOK, refuse(500)),
        ("GET /files/.*/content", reset),
    ]
    assert desk.job(*TEN) == answered(*TEN)
    assert (desk.sizes, desk.faults) == ([9], [])


def test_a_batch_whose_beginning_was_not_heard_of_is_not_begun_twice(desk: Desk, quick: None) -> None:
    async def begin_and_break(request: Any) -> Any:
        await desk.counter._create(request)
        return await reset(request)

    desk.faults = [("POST /batches", begin_and_break)]
    assert desk.job(*TEN) == answered(*TEN)
    assert desk.sizes == [9]


def test_looks_that_fail_for_a_while_are_borne(desk: Desk, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LOST_LOOKS", 3)
    desk.pace(delay=0.3)
    desk.faults = [(LOOK, refuse(502))] * 6  # two looks of three tries each
    assert desk.job(*TEN) == answered(*TEN)
    assert any("not reached" in line for line in desk.said)


def test_an_endpoint_that_is_gone_leaves_the_batch_to_the_next_run(
    desk: Desk, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LOST_LOOKS", 2)
    desk.faults = [(LOOK, refuse(502))] * 6
    with pytest.raises(ParleyError, match=r"goes on there, run again to take it up"):
        desk.job(*TEN)
    assert len(desk.waiting) == 2
    assert desk.job(*TEN) == answered(*TEN)
    assert (desk.sizes, desk.live, desk.waiting) == ([9], ["Ask 0"], [])


def test_an_endpoint_without_batches_is_one_line_with_the_remedy(desk: Desk) -> None:
    desk.faults = [("POST /files", refuse(404, "no such route"))]
    with pytest.raises(ParleyError, match=r"no such route.*if it has no Batch API, delete `batch` in the config"):
        desk.job(*TEN)


@pytest.mark.parametrize("missing", [LOOK, "GET /files/.*/content"])
def test_a_batch_that_the_endpoint_does_not_know_any_more_is_not_paid_again_unasked(desk: Desk, missing: str) -> None:
    desk.faults = [(missing, refuse(404, "No such thing"))]
    with pytest.raises(ParleyError, match=r"does not know batch .* with 9 calls; use the key") as unknown:
        desk.job(*TEN)
    assert str(desk.memory) in str(unknown.value)
    assert len(desk.waiting) == 2 and len(desk.live) == 1


def test_the_key_is_sent_and_reaches_no_file_and_no_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-very-secret-0123"
    monkeypatch.setenv("JUDGE_KEY", key)
    desk.job(*TEN, judge={"api_key_env": "JUDGE_KEY"})
    assert desk.keys == {f"Bearer {key}"}
    desk.faults = [("POST /files", refuse(400, f"your key {key} is odd"))]
    with pytest.raises(ParleyError, match=r"your key \*\*\* is odd") as told:
        desk.job(*range(10, 20), judge={"api_key_env": "JUDGE_KEY"})
    assert key not in str(told.value) + "".join(desk.said)
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert files and not any(key.encode() in path.read_bytes() for path in files)


# -- killed and run again --------------------------------------------------------------------------------------


class Killed(Exception):
    """Stands for a kill: what is on disk stays as it is at this point."""


#: Where a job may be killed, and whether the batch is on its way by then.
POINTS = [
    (BatchMemory, "intend", False),
    (BatchApi, "hand_in", False),
    (BatchApi, "_start", False),
    (BatchMemory, "handed_in", True),
    (BatchApi, "look", True),
    (BatchApi, "collect", True),
    (BatchMemory, "forget", True),
]


@pytest.mark.parametrize(("kind", "step", "begun"), POINTS, ids=[step for _, step, _ in POINTS])
def test_a_job_killed_at_any_point_pays_for_each_call_once(
    desk: Desk, kind: type, step: str, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(kind, step, die)
        with pytest.raises(Killed):
            desk.job(*TEN)
    assert desk.sizes == ([9] if begun else [])
    assert desk.job(*TEN) == answered(*TEN)
    assert desk.sizes == ([9] if begun else [8])  # a job has one call of its own live
    assert desk.paid() == {f"Ask {number}": 1 for number in TEN}
    if step != "forget":
        assert desk.waiting == []
    asked = len(desk.asked)
    assert desk.job(*TEN) == answered(*TEN)
    assert len(desk.asked) == asked


def interrupted(desk: Desk, *numbers: int, **settings: Any) -> None:
    """A job that ends while its batch is on its way."""

    async def work(judge: Speaker) -> None:
        asking = asyncio.ensure_future(ask(judge, *numbers))
        while not any("done" in line for line in desk.said):
            await asyncio.sleep(0.01)
        asking.cancel()

    desk.job(work=work, **settings)


def test_an_interrupted_job_takes_its_batch_up_again(desk: Desk) -> None:
    desk.pace(delay=0.5)
    interrupted(desk, *TEN)
    assert "the same command takes it up again" in desk.said[-1]
    assert len(desk.waiting) == 2
    assert desk.job(*TEN) == answered(*TEN)
    assert (desk.sizes, desk.live, desk.waiting) == ([9], ["Ask 0"], [])
    assert any("taken up, 9 calls" in line for line in desk.said)


def test_another_shard_finds_what_is_on_its_way(desk: Desk) -> None:
    """The number of shards may change while a batch is out."""
    desk.pace(delay=0.3)
    interrupted(desk, *TEN)
    assert desk.job(*range(5), ledger="1") == answered(*range(5))
    assert desk.job(*range(5, 10), ledger="2") == answered(*range(5, 10))
    assert (desk.sizes, desk.live) == ([9], ["Ask 0"])


def test_what_a_batch_taken_up_lacks_goes_live_even_if_it_is_asked_late(desk: Desk) -> None:
    desk.pace(delay=0.2, failing=0.5)
    interrupted(desk, *TEN)

    async def work(judge: Speaker) -> list[str]:
        return [text for number in TEN for text in await ask(judge, number)]

    assert desk.job(work=work) == answered(*TEN)
    assert set(desk.paid().values()) == {1} and len(desk.live) > 1
    assert desk.sizes == [9] and desk.waiting == []


def test_a_batch_that_another_shard_collects_meanwhile_is_collected_here_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.pace(delay=0.2)
    interrupted(desk, *TEN)
    requests = BatchMemory.requests

    def gone(memory: BatchMemory, batch: Handed) -> Any:
        memory.forget(batch)
        return requests(memory, batch)

    monkeypatch.setattr(BatchMemory, "requests", gone)
    assert desk.job(*range(3, 6), ledger="1") == answered(3, 4, 5)
    assert desk.sizes == [9] and desk.live == ["Ask 0"]
    assert sorted(desk.calls("1").values()) == answered(3, 4, 5)


def test_new_calls_beside_a_pending_batch_make_another(desk: Desk) -> None:
    desk.pace(delay=0.3)
    interrupted(desk, *range(5))
    assert desk.job(*TEN) == answered(*TEN)
    assert desk.sizes == [4, 4] and desk.live == ["Ask 0", "Ask 5"]


def test_a_batch_of_which_nothing_is_asked_any_more_is_kept_for_later(desk: Desk) -> None:
    desk.pace(delay=0.2)
    interrupted(desk, *range(5))
    desk.job(*range(20, 25))
    assert len(desk.waiting) == 2
    assert desk.job(*range(5)) == answered(*range(5))
    assert desk.sizes == [4, 4] and desk.waiting == []


def test_switched_off_it_takes_what_is_done_and_goes_on_live(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SWITCHED_OFF", Batch(poll=0.02))
    desk.pace(delay=1.0)
    interrupted(desk, *TEN)
    assert desk.job(*TEN, batch=None) == answered(*TEN)
    (made,) = desk.counter.batches.values()
    assert made.status == "cancelled"
    assert len(desk.live) == 10 - len(made.good)
    assert set(desk.paid().values()) == {1} and desk.waiting == []


def test_a_batch_at_another_address_is_left_there_and_told_of(desk: Desk, tmp_path: Path) -> None:
    desk.pace(delay=60)
    interrupted(desk, *TEN)
    with served(tmp_path) as moved:
        assert moved.job(*TEN) == answered(*TEN)
        assert moved.sizes == [8]
        assert f"is on its way at {desk.url}/: left there" in moved.said[0]
    assert len(desk.waiting) == 2


# -- money -----------------------------------------------------------------------------------------------------

#: At most 1024 tokens are answered: 0.001024 a call live, half of it in a batch. What is answered has 3 tokens.
PRICE = {"input": 0, "output": 1, "batch_output": 0.5}
MOST = 1024e-6
PAID = 3e-6


def test_a_batch_costs_the_batch_price(desk: Desk) -> None:
    desk.job(*TEN, judge={"price": PRICE}, budget={"amount": 1})
    assert desk.counts.cost == pytest.approx(PAID + 9 * PAID / 2)


def test_what_came_in_batches_is_counted_by_itself_and_the_same_on_a_replay(desk: Desk) -> None:
    desk.pace(failing=0.3)
    desk.job(*TEN)
    first, batched = desk.usage.as_dict(), 10 - len(desk.live)
    assert (first["prompt_tokens"], first["batch_prompt_tokens"]) == (100, 10 * batched)
    assert (first["completion_tokens"], first["batch_completion_tokens"]) == (30, 3 * batched)
    desk.job(*TEN, batch=None)
    assert desk.usage.as_dict() == first and 0 < batched < 9


def test_a_batch_is_cut_to_what_the_budget_bears_and_the_rest_follows(desk: Desk) -> None:
    # The first call at its most, then as many as fit at half of that; what they do not need lets others follow.
    assert desk.job(*TEN, judge={"price": PRICE}, budget={"amount": 3.2 * MOST}) == answered(*TEN)
    assert desk.sizes[0] in (4, 5, 6) and sum(desk.sizes) + len(desk.live) == 10


def test_a_budget_that_is_used_up_stops_in_one_line_with_what_was_paid_for_kept(desk: Desk) -> None:
    with pytest.raises(ParleyError, match=r"raise budget\.amount and run again, nothing is lost"):
        desk.job(*TEN, judge={"price": {**PRICE, "input": 1000}}, budget={"amount": 0.025})
    assert 0 < sum(desk.paid().values()) < 10
    assert len(desk.calls()) == sum(desk.paid().values())
    assert desk.waiting == []


def test_what_the_budget_does_not_bear_at_all_is_refused_before_anything_is_handed_in(desk: Desk) -> None:
    with pytest.raises(ParleyError, match=r"budget: 0\.0000 of 0\.0001 USD is spent"):
        desk.job(*TEN, judge={"price": PRICE}, budget={"amount": 0.0001})
    assert (desk.sizes, desk.live) == ([], [])


def test_a_batch_that_is_taken_up_again_costs_this_run_nothing_more(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that handed it in has left the most that it may cost as spent."""
    desk.pace(delay=0.3)
    monkeypatch.setenv("PARLEY_PURSE", str(tmp_path / "purse"))
    settings: dict[str, Any] = {"judge": {"price": PRICE}, "budget": {"amount": 1.0}}
    interrupted(desk, *TEN, **settings)
    spent = (tmp_path / "purse").read_text()
    assert _sum(spent) == pytest.approx(PAID + 9 * MOST / 2)
    assert desk.job(*TEN, **settings) == answered(*TEN)
    assert (tmp_path / "purse").read_text() == spent
    assert desk.job(*TEN, judge={"price": PRICE}, budget={"amount": 1e-9}) == answered(*TEN)


def _sum(purse: str) -> float:
    return sum(float(line.split()[0]) for line in purse.splitlines())
