"""The wire: what is posted, how an answer or a refusal comes back, and which way the environment sends a call."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.llm.call import Request
from parley.llm.endpoint import Endpoint, Patience
from parley.llm.faults import classify
from parley.llm.transport import Refused, Transport, proxy_for
from tests.faulty import Act, faulty, refuse, say, send

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def post(*script: Act, body: Any = None, key: str | None = "k") -> Any:
    """What one post gives or raises, of a server with this script."""

    async def work() -> Any:
        async with faulty(*script) as server:
            transport = Transport(server.url, key, local=True)
            try:
                return await transport.post("chat/completions", body or {}, timeout=5)
            except (Refused, ValueError, aiohttp.ClientError) as error:
                return error
            finally:
                await transport.close()

    return asyncio.run(work())


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies, to put some in."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


# -- answers -------------------------------------------------------------------------------------------------------


def test_an_answer_is_its_json() -> None:
    assert post(say("hi"))["choices"][0]["message"]["content"] == "hi"


@pytest.mark.parametrize(
    ("act", "answer"),
    [
        (send('{"a": 1}', "text/plain"), {"a": 1}),  # some servers say the wrong kind
        (send("hello", "text/html"), "hello"),
        (send("[1]"), [1]),
    ],
)
def test_an_answer_of_another_kind_is_what_it_is(act: Act, answer: Any) -> None:
    assert post(act) == answer


def test_json_that_is_none_is_an_error() -> None:
    assert isinstance(post(send('{"id": ')), ValueError)


@given(st.text())
def test_any_words_arrive_as_they_are(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    seen: list[bytes] = []

    async def work() -> None:
        async def keep(request: web.BaseRequest) -> web.Response:
            seen.append(await request.read())
            return web.json_response({})

        runner = web.ServerRunner(web.Server(keep))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        transport = Transport(f"http://127.0.0.1:{runner.addresses[0][1]}", None, local=True)
        await transport.post("x", {"text": text}, timeout=5)
        await transport.close()
        await runner.cleanup()

    asyncio.run(work())
    assert json.loads(seen[0]) == {"text": text}
    assert seen[0] == json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")).encode()


def test_what_is_not_a_number_is_not_sent() -> None:
    assert isinstance(post(say("hi"), body={"temperature": float("nan")}), ValueError)


def test_connections_are_used_again() -> None:
    ports: set[Any] = set()

    async def work() -> None:
        async def keep(request: web.BaseRequest) -> web.Response:
            assert request.transport is not None
            ports.add(request.transport.get_extra_info("peername"))
            return web.json_response({})

        runner = web.ServerRunner(web.Server(keep))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        transport = Transport(f"http://127.0.0.1:{runner.addresses[0][1]}", None, local=True)
        for _ in range(5):
            await transport.post("x", {}, timeout=5)
        await transport.close()
        await runner.cleanup()

    asyncio.run(work())
    assert len(ports) == 1


# -- refusals ------------------------------------------------------------------------------------------------------


def test_a_refusal_has_the_servers_words_and_headers() -> None:
    refused = post(refuse(429, "slow", headers={"Retry-After": "3"}, code="rate"))
    assert isinstance(refused, Refused)
    assert (refused.status, refused.body["error"]["message"], refused.headers["retry-after"]) == (429, "slow", "3")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (refuse(400, "too long"), "HTTP 400: too long"),
        (send('{"message": "bare"}', status=400), "HTTP 400: bare"),
        (send('{"error": "a word"}', status=400), "HTTP 400: a word"),
        (send('{"detail": "else"}', status=400), "HTTP 400: {'detail': 'else'}"),
        (send('{"error": {"type": "t"}}', status=400), "HTTP 400: {'type': 't'}"),
        (send('["list"]', status=400), "HTTP 400: ['list']"),
        (send("plain words", "text/plain", 400), "HTTP 400: plain words"),
        (send("", "text/plain", 400), "HTTP 400: Bad Request"),
    ],
)
def test_a_refusal_is_told_in_one_line_whatever_its_form(act: Act, reason: str) -> None:
    fault = classify(post(act), None, 5)
    assert (fault.reason, fault.passing, fault.hopeless) == (reason, False, False)


# -- addresses -----------------------------------------------------------------------------------------------------


def test_a_slash_at_the_end_of_an_address_makes_no_difference() -> None:
    assert Transport("http://a/v1", None).base_url == Transport("http://a/v1/", None).base_url == "http://a/v1/"


@pytest.mark.parametrize("address", ["localhost:8000/v1", "ftp://host/v1", "http://"])
def test_what_is_no_address_ends_the_run_at_once(address: str) -> None:
    async def work() -> None:
        identity = {"engine": "openai", "name": "m", "temperature": 1.0, "top_p": 1.0, "max_tokens": 8}
        async with Endpoint(address, patience=Patience(first_wait=60)) as endpoint:
            await endpoint.send(Request(identity, ({"role": "user", "content": "?"},)), "m")

    with pytest.raises(ParleyError, match="this is not an http address"):
        asyncio.run(asyncio.wait_for(work(), 10))


def test_nobody_there_is_no_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"

    async def work() -> None:
        transport = Transport(url, None, local=True)
        try:
            await transport.post("x", {}, timeout=5)
        finally:
            await transport.close()

    with pytest.raises(aiohttp.ClientError) as raised:
        asyncio.run(work())
    fault = classify(raised.value, None, 5)
    assert fault.unreached and fault.passing and fault.reason.startswith("no connection: ")


# -- proxies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://api.example/v1", None),
        ({"https_proxy": "http://p:1"}, "https://api.example/v1", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https://api.example:8443/v1", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://api.example/v1", None),
        ({"all_proxy": "http://p:2"}, "http://api.example/v1", "http://p:2"),
        ({"https_proxy": "http://p:1", "no_proxy": "api.example"}, "https://api.example/v1", None),
        ({"https_proxy": "http://p:1", "no_proxy": ".example"}, "https://api.example:8443/v1", None),
        ({"http_proxy": "http://p:1", "no_proxy": "127.0.0.1"}, "http://127.0.0.1:8000/v1", None),
        ({"https_proxy": "http://p:1", "no_proxy": "elsewhere"}, "https://api.example/v1", "http://p:1"),
    ],
)
def test_the_environment_says_which_way(
    environment: dict[str, str], url: str, proxy: str | None, no_proxies: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        no_proxies.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize(("local", "asked"), [(False, True), (True, False)])
def test_only_a_server_elsewhere_is_asked_through_a_proxy(
    local: bool, asked: bool, no_proxies: pytest.MonkeyPatch
) -> None:
    async def work() -> tuple[Any, list[str]]:
        async with faulty() as there:
            lines: list[str] = []

            async def relay(request: web.BaseRequest) -> web.Response:
                lines.append(str(request.url))
                return web.json_response({"via": "proxy"})

            runner = web.ServerRunner(web.Server(relay))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            no_proxies.setenv("http_proxy", f"http://127.0.0.1:{runner.addresses[0][1]}")
            transport = Transport(there.url, None, local)
            answer = await transport.post("chat/completions", {}, timeout=5)
            await transport.close()
            await runner.cleanup()
            return answer, lines

    answer, lines = asyncio.run(work())
    assert ("via" in answer, len(lines)) == (asked, int(asked))


# -- other questions -----------------------------------------------------------------------------------------------


def test_a_form_and_a_query_travel_too() -> None:
    seen: list[Any] = []

    async def work() -> tuple[str, bytes]:
        async def keep(request: web.BaseRequest) -> web.Response:
            fields = await request.post()
            file = fields["file"]
            assert isinstance(file, web.FileField)
            seen.append((request.method, str(request.rel_url), fields["purpose"], file.filename, file.file.read()))
            return web.Response(body=b"one\ntwo\n", content_type="application/jsonl")

        runner = web.ServerRunner(web.Server(keep))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        transport = Transport(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", None, local=True)
        form = aiohttp.FormData({"purpose": "batch"})
        form.add_field("file", b"{}\n", filename="a.jsonl")
        answer = await transport.send("POST", "files", 5, data=form, query={"limit": "2"})
        await transport.close()
        await runner.cleanup()
        return answer

    assert asyncio.run(work()) == ("application/jsonl", b"one\ntwo\n")
    assert seen == [("POST", "/v1/files?limit=2", "batch", "a.jsonl", b"{}\n")]
