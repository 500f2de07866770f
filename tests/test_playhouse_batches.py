"""The playhouse's batch counter: the protocol as the OpenAI client speaks it, and what goes wrong on demand."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI

from parley.playhouse.batches import Counter, Pace
from parley.playhouse.server import application, complete
from tests.talks import answer, asked, drafted

TURN = asked(drafted("sale", 1), (), 0)


class Clock:
    """A time that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def line(key: str, seed: int = 0, model: str = "expert", url: str = "/v1/chat/completions") -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": TURN}], "seed": seed}
    return {"custom_id": key, "method": "POST", "url": url, "body": body}


def jsonl(*lines: dict[str, Any]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in lines).encode()


TEN = jsonl(*(line(f"key-{number}", number) for number in range(10)))


def meet(use: Callable[[AsyncOpenAI, Clock], Awaitable[Any]], **pace: Any) -> Any:
    """What `use` gives when it talks to a fresh server with this pace."""

    async def run() -> Any:
        clock = Clock()
        counter = Counter(complete, Pace(**pace), clock)
        async with (
            TestServer(counter.attach(application())) as server,
            AsyncOpenAI(api_key="none", base_url=f"{server.make_url('/v1')}", max_retries=0) as client,
        ):
            return await use(client, clock)

    return asyncio.run(asyncio.wait_for(run(), 20))


async def begin(client: AsyncOpenAI, content: bytes = TEN, **metadata: str) -> Any:
    file = await client.files.create(file=("b.jsonl", content), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata=metadata
    )


async def lines_of(client: AsyncOpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(text) for text in (await client.files.content(file)).text.splitlines()]


def test_a_batch_is_answered_as_the_chat_endpoint_answers() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> None:
        begun = await begin(client, name="mine")
        assert (begun.status, begun.metadata) == ("validating", {"name": "mine"})
        ended = await client.batches.retrieve(begun.id)
        assert (ended.status, ended.error_file_id, ended.errors) == ("completed", None, None)
        assert ended.request_counts is not None
        assert ended.request_counts.model_dump() == {"total": 10, "completed": 10, "failed": 0}
        found = await lines_of(client, ended.output_file_id)
        assert {one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"] for one in found} == {
            f"key-{number}": answer("expert", TURN, number) for number in range(10)
        }
        assert [one["custom_id"] for one in found] != [f"key-{number}" for number in range(10)]  # no order is promised

    meet(use)


def test_a_batch_takes_its_time_and_shows_how_far_it_is() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> list[tuple[str, int]]:
        begun, seen = await begin(client), []
        for _ in range(4):
            found = await client.batches.retrieve(begun.id)
            assert found.request_counts is not None
            seen.append((found.status, found.request_counts.completed))
            clock.now += 20
        return seen

    assert meet(use, delay=60) == [("in_progress", 0), ("in_progress", 3), ("in_progress", 6), ("completed", 10)]


def test_a_cancelled_batch_gives_what_it_has() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> None:
        begun = await begin(client)
        clock.now += 30
        assert (await client.batches.cancel(begun.id)).status == "cancelling"
        ended = await client.batches.retrieve(begun.id)
        assert ended.status == "cancelled"
        assert len(await lines_of(client, ended.output_file_id)) == 5
        lost = await lines_of(client, ended.error_file_id)
        assert {one["error"]["code"] for one in lost} == {"batch_cancelled"} and len(lost) == 5
        with pytest.raises(openai.ConflictError):
            await client.batches.cancel(begun.id)

    meet(use, delay=60)


def test_a_batch_expires_on_demand() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> tuple[str, int, int]:
        ended = await client.batches.retrieve((await begin(client)).id)
        good, lost = await lines_of(client, ended.output_file_id), await lines_of(client, ended.error_file_id)
        assert {one["error"]["code"] for one in lost} == {"batch_expired"}
        return ended.status, len(good), len(lost)

    assert meet(use, expiring=0.3) == ("expired", 3, 7)


def test_a_share_of_lines_fails_and_always_the_same() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> list[str]:
        ended = await client.batches.retrieve((await begin(client)).id)
        failed = await lines_of(client, ended.error_file_id)
        assert {one["response"]["status_code"] for one in failed} == {500}
        return sorted(one["custom_id"] for one in failed)

    first = meet(use, failing=0.5)
    assert 0 < len(first) < 10 and meet(use, failing=0.5) == first
    assert set(first) <= set(meet(use, failing=0.8))


def test_a_question_that_is_refused_live_is_refused_in_a_batch() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> None:
        ended = await client.batches.retrieve((await begin(client, jsonl(line("key", model="nobody")))).id)
        (failed,) = await lines_of(client, ended.error_file_id)
        assert failed["response"]["status_code"] == 404 and ended.output_file_id is None
        assert "no speaker is called 'nobody'" in failed["response"]["body"]["error"]["message"]

    meet(use)


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b"", "invalid_json_line", 1),
        (jsonl(line("a")) + b"no json\n", "invalid_json_line", 2),
        (b'{"custom_id": "a"}\n', "invalid_json_line", 1),
        (jsonl(line("a", url="/v1/embeddings")), "url_mismatch", 1),
        (jsonl(line("a"), line("b", model="judge")), "model_mismatch", 2),
        (jsonl(line("a"), line("a")), "duplicate_custom_id", None),
    ],
)
def test_a_file_with_a_fault_fails_its_validation(content: bytes, code: str, where: int | None) -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> None:
        failed = await client.batches.retrieve((await begin(client, content)).id)
        assert failed.status == "failed" and failed.errors is not None and failed.errors.data
        assert [(error.code, error.line) for error in failed.errors.data] == [(code, where)]

    meet(use)


def test_there_is_room_for_so_many_lines_at_once() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> list[str]:
        begun = [await begin(client) for _ in range(2)]
        clock.now += 100
        begun.append(await begin(client))
        return [(await client.batches.retrieve(one.id)).status for one in begun]

    assert meet(use, delay=60, room=15) == ["completed", "failed", "in_progress"]


def test_the_list_is_newest_first_and_comes_in_pages() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> None:
        ids = [(await begin(client, number=str(number))).id for number in range(5)]
        page = await client.batches.list(limit=2)
        assert [one.id for one in page.data] == ids[:2:-1] and page.has_more
        assert [one.id async for one in client.batches.list(limit=2)] == ids[::-1]

    meet(use)


def test_what_is_not_there_or_makes_no_sense_is_refused() -> None:
    async def use(client: AsyncOpenAI, clock: Clock) -> None:
        for look in (client.batches.retrieve, client.batches.cancel, client.files.retrieve, client.files.content):
            with pytest.raises(openai.NotFoundError):
                await look("nothing")  # type: ignore[operator]
        with pytest.raises(openai.BadRequestError):
            await client.files.create(file=("a", b"x"), purpose="assistants")
        file = await client.files.create(file=("a", TEN), purpose="batch")
        assert (await client.files.retrieve(file.id)).bytes == len(TEN)
        for endpoint, window, name in (("/v1/embeddings", "24h", file.id), ("/v1/chat/completions", "1h", file.id)):
            with pytest.raises(openai.BadRequestError):
                await client.batches.create(
                    input_file_id=name,
                    endpoint=endpoint,  # type: ignore[arg-type]
                    completion_window=window,  # type: ignore[arg-type]
                )
        with pytest.raises(openai.BadRequestError):
            await client.post("/batches", body={"input_file_id": 3}, cast_to=object)
        with pytest.raises(openai.BadRequestError):
            await client.post("/files", body={"file": "x"}, cast_to=object)

    meet(use)
