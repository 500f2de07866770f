"""The endpoint: what is tried again, what is given up, and in which words."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from parley.config import Model
from parley.errors import ParleyError
from parley.llm.call import CallFailed, Reply, Request
from parley.llm.endpoint import Endpoint, api_key
from parley.llm.pulse import Patience
from tests.faulty import Act, Faulty, faulty, hang, refuse, reset, say, send, truncate

IDENTITY = {"engine": "openai", "name": "m", "temperature": 0.5, "top_p": 1.0, "max_tokens": 64}
SCHEMA = {"title": "Act", "type": "object", "properties": {}}
QUICK = Patience(first_wait=0.01, dead_after=0.05)
KEY = "sk-very-secret-0123"


def request(number: int = 0, **changes: Any) -> Request:
    return replace(Request(IDENTITY, ({"role": "user", "content": f"Ask {number}"},)), **changes)


def meet(
    *script: Act,
    ask: Callable[[Endpoint], Awaitable[Any]] | None = None,
    otherwise: Act | None = None,
    concurrency: int = 8,
    **settings: Any,
) -> tuple[Any, Faulty]:
    """Let an endpoint meet a server with this script. Gives what `ask` gave or raised, and what the server saw."""

    async def work() -> tuple[Any, Faulty]:
        async with (
            faulty(*script, otherwise=otherwise) as server,
            Endpoint(server.url, **{"key": KEY, "patience": QUICK, "concurrency": concurrency, **settings}) as endpoint,
        ):
            try:
                return await (ask(endpoint) if ask else endpoint.send(request(), "m")), server
            except (CallFailed, ParleyError) as error:
                return error, server

    return asyncio.run(asyncio.wait_for(work(), 20))


# -- one call --------------------------------------------------------------------------------------------------


def test_a_call_is_sent_as_its_request_says() -> None:
    reply, server = meet(
        say("hi", prompt_tokens_details={"cached_tokens": 4}),
        ask=lambda endpoint: endpoint.send(request(seed=9, schema=SCHEMA), "m", {"lora": [{"id": 0, "scale": 1.0}]}),
    )
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Ask 0"}],
            "temperature": 0.5,
            "max_tokens": 64,
            "seed": 9,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "Act", "strict": True, "schema": SCHEMA},
            },
            "lora": [{"id": 0, "scale": 1.0}],
        }
    ]
    assert server.keys == [f"Bearer {KEY}"]
    assert (reply.text, reply.finish_reason, reply.retries, reply.failures) == ("hi", "stop", 0, ())
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (10, 3, 4)
    assert reply.key == request(seed=9, schema=SCHEMA).key and not reply.replayed and reply.seconds > 0


def test_no_key_is_borrowed_from_another_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _, server = meet(key=None)
    assert server.keys == ["Bearer none"]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_an_answer_is_passed_on_as_it_is(finish: str) -> None:
    reply, server = meet(say("", finish))
    assert (reply.text, reply.finish_reason, len(server.bodies)) == ("", finish, 1)


def test_a_refusal_is_told_by_its_finish_reason() -> None:
    answer = {"choices": [{"message": {"content": None, "refusal": "I will not"}, "finish_reason": "stop"}]}
    reply, _ = meet(send(json.dumps(answer)))
    assert (reply.text, reply.finish_reason) == ("I will not", "refusal")


def test_an_endpoint_that_counts_no_tokens_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    answer = send('{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')

    async def ask(endpoint: Endpoint) -> list[Reply]:
        return [await endpoint.send(request(number), "m") for number in range(2)]

    replies, _ = meet(ask=ask, otherwise=answer)
    assert [(reply.text, reply.prompt_tokens) for reply in replies] == [("hi", 0)] * 2
    assert capsys.readouterr().err.count("gives no token counts") == 1


def test_half_a_character_is_replaced() -> None:
    reply, _ = meet(say("so \ud83d"))
    assert reply.text == "so \ufffd"


# -- what is tried again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (refuse(429, "slow down"), "HTTP 429: slow down"),
        (refuse(500, "oops\nline two"), "HTTP 500: oops line two"),
        (refuse(503, "busy"), "HTTP 503: busy"),
        (refuse(408, "late"), "HTTP 408: late"),
        (refuse(409, "conflict"), "HTTP 409: conflict"),
        (send("<html>Bad gateway</html>", "text/html", 502), "HTTP 502: <html>Bad gateway</html>"),
        (reset, "connection broken: "),
        (truncate, "connection broken: "),
        (send("<html>hello</html>", "text/html"), "unreadable answer: the answer is not a chat completion"),
        (send('{"id": '), "unreadable answer: "),
        (send('{"error": "x"}'), "unreadable answer: the answer is not a chat completion"),
        (send('{"choices": []}'), "unreadable answer: the answer is not a chat completion"),
        (send('{"choices": [{}]}'), "unreadable answer: the answer is not a chat completion"),
        (send('{"choices": [{"message": {"content": ["a"]}}]}'), "unreadable answer: the answer is not a chat"),
        (send("[1]"), "unreadable answer: the answer is not a chat completion"),
        (say("ok", prompt_tokens=None), "unreadable answer: the answer is not a chat completion"),
    ],
)
def test_a_passing_fault_is_tried_again_and_noted(act: Act, reason: str) -> None:
    reply, server = meet(act)
    assert isinstance(reply, Reply), reply
    assert (reply.text, reply.retries, len(server.bodies)) == ("ok", 1, 2)
    assert reply.failures[0].startswith(reason) and "\n" not in reply.failures[0]


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    reply, _ = meet(hang, timeout=0.2)
    assert reply.failures == ("no answer within 0.2 s",)


def test_all_faults_of_a_call_are_noted_in_order() -> None:
    reply, _ = meet(refuse(500, "a"), reset, refuse(429, "b"))
    assert reply.retries == 3
    assert [failure[:8] for failure in reply.failures] == ["HTTP 500", "connecti", "HTTP 429"]


def test_a_call_is_given_up_after_six_tries() -> None:
    error, server = meet(otherwise=refuse(500, "oops"))
    assert isinstance(error, CallFailed)
    assert (error.reason, error.key, len(server.bodies)) == ("HTTP 500: oops (6 tries)", request().key, 6)


def test_waits_grow_and_are_the_same_for_the_same_request() -> None:
    endpoint = Endpoint("http://127.0.0.1:1/v1")
    waits = [endpoint._wait(request(), failed) for failed in range(1, 9)]
    assert waits == [endpoint._wait(request(), failed) for failed in range(1, 9)]
    assert all(0.5 * 0.5 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits[:7]))
    assert waits[7] <= 60
    assert waits[0] != endpoint._wait(request(1), 1)


# -- what is given up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 413, 422])
def test_a_refused_call_fails_at_once_in_the_servers_words(status: int) -> None:
    error, server = meet(refuse(status, "too long a prompt"))
    assert isinstance(error, CallFailed)
    assert (error.reason, len(server.bodies)) == (f"HTTP {status}: too long a prompt", 1)


@pytest.mark.parametrize(
    "act",
    [
        refuse(401, "bad key"),
        refuse(404, "no such model"),
        refuse(429, "no credit", code="insufficient_quota"),
    ],
)
def test_what_no_call_can_survive_ends_the_run(act: Act) -> None:
    error, server = meet(act)
    assert isinstance(error, ParleyError)
    assert server.url in str(error) and len(server.bodies) == 1


def test_a_key_that_the_server_repeats_is_struck_out() -> None:
    error, _ = meet(refuse(400, f"your key {KEY} is odd"))
    assert error.reason == "HTTP 400: your key *** is odd"
    error, _ = meet(refuse(401, f"your key {KEY} is odd"))
    assert KEY not in str(error) and "***" in str(error)


def test_a_missing_key_names_the_variable_and_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(engine="openai", name="judge-1", api_key_env="JUDGE_KEY", price="free")
    monkeypatch.setenv("JUDGE_KEY", "  ")
    with pytest.raises(ParleyError, match=r"'judge-1' needs a key: set the environment variable JUDGE_KEY"):
        api_key(model)
    monkeypatch.setenv("JUDGE_KEY", " abc\n")
    assert api_key(model) == "abc"
    assert api_key(model.model_copy(update={"api_key_env": None})) is None


def test_a_dead_endpoint_ends_the_run_soon_and_says_how_to_go_on() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"

    async def work() -> list[Any]:
        async with Endpoint(url, patience=QUICK, remedy="start it") as endpoint:
            return await asyncio.gather(
                *(endpoint.send(request(number), "m") for number in range(5)), return_exceptions=True
            )

    errors = asyncio.run(asyncio.wait_for(work(), 10))
    told = [str(error) for error in errors if isinstance(error, ParleyError)]
    assert told and all(url in line and "start it" in line and "\n" not in line for line in told)
    assert "no connection" in told[0]


# -- room ------------------------------------------------------------------------------------------------------


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    async def ask(endpoint: Endpoint) -> None:
        await asyncio.gather(*(endpoint.send(request(number), "m") for number in range(12)))

    _, server = meet(ask=ask, otherwise=say("ok", delay=0.02), concurrency=3)
    assert (server.most_in_flight, len(server.bodies)) == (3, 12)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_all_calls(status: int) -> None:
    async def ask(endpoint: Endpoint) -> None:
        await endpoint.send(request(0), "m")

    _, server = meet(refuse(status, headers={"Retry-After": "0.3"}), ask=ask)
    assert 0.29 < server.times[1] - server.times[0] < 2


def test_retry_after_may_be_milliseconds_or_a_date() -> None:
    _, server = meet(refuse(429, headers={"retry-after-ms": "200"}))
    assert 0.19 < server.times[1] - server.times[0] < 1
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)  # whole seconds
    _, server = meet(refuse(429, headers={"Retry-After": date}))
    assert 0.8 < server.times[1] - server.times[0] < 3


@pytest.mark.parametrize("value", ["soon", "-3", "", "Wed, 99 Foo"])
def test_a_retry_after_that_makes_no_sense_is_no_pause(value: str) -> None:
    reply, _ = meet(refuse(429, headers={"Retry-After": value}))
    assert reply.retries == 1


def test_being_turned_away_narrows_the_way() -> None:
    async def ask(endpoint: Endpoint) -> float:
        await endpoint.send(request(), "m")
        return endpoint.limiter.width

    width, _ = meet(refuse(429), ask=ask, concurrency=8)
    assert width == 4.25  # halved once, then one success


# -- dialects --------------------------------------------------------------------------------------------------


def test_the_newer_name_of_the_length_limit_is_learned() -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."

    async def ask(endpoint: Endpoint) -> list[Reply]:
        return [await endpoint.send(request(number), "m") for number in range(2)]

    replies, server = meet(refuse(400, message), ask=ask)
    assert [reply.retries for reply in replies] == [0, 0]
    assert ["max_tokens" in body for body in server.bodies] == [True, False, False]
    assert server.bodies[2]["max_completion_tokens"] == 64


def test_an_endpoint_without_schemas_is_asked_without(capsys: pytest.CaptureFixture[str]) -> None:
    reply, server = meet(
        refuse(400, "response_format json_schema is not supported"),
        ask=lambda endpoint: endpoint.send(request(schema=SCHEMA, seed=1), "m"),
    )
    assert isinstance(reply, Reply)
    assert ["response_format" in body for body in server.bodies] == [True, False]
    assert server.bodies[1]["seed"] == 1
    assert "does not take `response_format`" in capsys.readouterr().err


def test_a_part_that_was_not_sent_is_not_blamed() -> None:
    error, server = meet(refuse(400, "the prompt has a bad seed word"))
    assert isinstance(error, CallFailed)
    assert len(server.bodies) == 1


def test_temperature_is_never_left_out() -> None:
    error, server = meet(refuse(400, "Unsupported value: 'temperature' does not support 0.5"))
    assert isinstance(error, CallFailed)
    assert len(server.bodies) == 1
