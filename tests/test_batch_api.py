"""The Batch API as we speak it: lines there and back, and looking for a batch that was perhaps begun."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.llm.batch_api import SKEW, BatchApi, View, line_of
from parley.llm.batch_memory import Handed
from parley.llm.call import Reply
from parley.playhouse.batches import Batch
from tests.counter import Desk, echo, served

KEY = "ab" * 32
NAMED = Handed("mine", "", 10_000.0, (KEY,))

WORDS = ["custom_id", "response", "status_code", "body", "error", "choices", "message", "usage"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


SECRET = "sk-very-secret"
API = BatchApi("http://127.0.0.1:1/v1", SECRET)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with served(tmp_path) as found:
        yield found


def at(desk: Desk, use: Callable[[BatchApi], Awaitable[Any]]) -> Any:
    """What `use` gives at this desk."""

    async def work() -> Any:
        speaks = BatchApi(desk.url, None)
        try:
            return await use(speaks)
        finally:
            await speaks.close()

    return asyncio.run(asyncio.wait_for(work(), 10))


def test_a_request_is_a_line_with_its_key() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Ä\nb\u2028"}]}
    line = line_of(KEY, body)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert json.loads(line) == {"custom_id": KEY, "method": "POST", "url": "/v1/chat/completions", "body": body}


@given(value=values)
def test_no_line_is_too_odd(value: Any) -> None:
    """Whatever a server writes, the rest of the batch is read, and nothing is an answer that is none."""
    _, outcome = API._outcome(json.dumps(value).encode())
    assert isinstance(outcome, str) and "\n" not in outcome


@given(text=st.text(), finish=st.sampled_from(["stop", "length", "content_filter"]))
def test_an_answer_is_read_as_a_live_one(text: str, finish: str) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
    body = {"choices": [{"message": {"content": text}, "finish_reason": finish}], "usage": usage}
    line = {"custom_id": KEY, "response": {"status_code": 200, "body": body}, "error": None}
    key, reply = API._outcome(json.dumps(line).encode())
    assert key == KEY and isinstance(reply, Reply) and reply.batched
    assert (reply.key, reply.finish_reason) == (KEY, finish)
    assert reply.text == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (7, 3, 2)


def test_a_reason_is_one_short_line_without_the_key() -> None:
    error = {"code": "odd", "message": f"your {SECRET}\nis " + "x" * 999}
    _, reason = API._outcome(json.dumps({"custom_id": KEY, "response": None, "error": error}).encode())
    assert isinstance(reason, str) and reason.startswith("odd: your *** is xxx") and len(reason) == 300


def test_an_answer_counts_though_an_error_is_told_too(desk: Desk) -> None:
    good = json.dumps({"custom_id": KEY, "response": {"status_code": 200, "body": echo(_body())[1]}})
    bad = json.dumps({"custom_id": KEY, "response": None, "error": {"code": "c", "message": "m"}})
    for first, second in ((good, bad), (bad, good)):
        files = tuple(
            desk.counter._keep(f"{n}", "batch_output", text.encode()) for n, text in enumerate([first, second])
        )
        outcomes = at(desk, lambda speaks, files=files: speaks.collect(View("completed", files=files)))  # type: ignore[misc]
        assert isinstance(outcomes[KEY], Reply)


def _body() -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Ask"}], "max_tokens": 1}


def fill(desk: Desk, count: int, created: float) -> None:
    """Batches of others, begun at this time."""
    for _ in range(count):
        request = {"input_file_id": "f", "completion_window": "24h"}
        made = Batch(f"other-{len(desk.counter.batches)}", created, request, status="completed")
        desk.counter.batches[made.id] = made


def pages(desk: Desk) -> int:
    return sum(line == "GET /batches" for line in desk.asked)


def test_a_batch_is_found_by_its_name_among_many(desk: Desk) -> None:
    async def begin(speaks: BatchApi) -> str:
        body = {"custom_id": KEY, "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", **_body()}}
        return await speaks.hand_in(NAMED, [json.dumps(body).encode()])

    begun = at(desk, begin)
    fill(desk, 150, NAMED.created)
    assert at(desk, lambda speaks: speaks.find(NAMED)) == begun
    assert pages(desk) == 2  # a hundred each


def test_the_search_ends_with_batches_that_are_older(desk: Desk) -> None:
    fill(desk, 150, NAMED.created - 2 * SKEW)
    fill(desk, 3, NAMED.created - SKEW / 2)
    assert at(desk, lambda speaks: speaks.find(NAMED)) is None
    assert pages(desk) == 1
