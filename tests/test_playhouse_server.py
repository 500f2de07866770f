"""The playhouse's server: the OpenAI chat protocol, clear refusals, many at once, and nobody outside can reach it."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from openai import OpenAI

from parley.playhouse.server import SPEAKERS, application, speak
from parley.records.episode import Action
from tests.builders import ROOT
from tests.talks import answer, asked, drafted

Client = TestClient[Any, Any]
TURN = asked(drafted("sale", 1), (), 0)
CHAT = "/v1/chat/completions"


def with_client(use: Callable[[Client], Awaitable[Any]]) -> Any:
    """What `use` gives when it talks to a fresh server on loopback."""

    async def run() -> Any:
        async with TestClient(TestServer(application())) as client:
            return await use(client)

    return asyncio.run(run())


def body(model: str = "expert", text: str = TURN, **changes: Any) -> dict[str, Any]:
    """A chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **changes}


def posted(data: Any) -> tuple[int, dict[str, Any]]:
    """Status and body of the reply to a request; text and bytes are sent as they are."""

    async def use(client: Client) -> tuple[int, dict[str, Any]]:
        raw = data if isinstance(data, str | bytes) else json.dumps(data)
        async with client.post(CHAT, data=raw, headers={"Content-Type": "application/json"}) as reply:
            return reply.status, await reply.json()

    status, reply = with_client(use)
    return status, reply


# -- answers -----------------------------------------------------------------------------------------------------------


def test_a_chat_is_answered_in_the_form_of_the_protocol() -> None:
    status, reply = posted(body(seed=5, temperature=0.3, max_tokens=8))
    assert status == 200
    assert (reply["object"], reply["model"]) == ("chat.completion", "expert")
    (choice,) = reply["choices"]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")
    assert choice["message"]["content"] == answer("expert", TURN, 5)
    usage = reply["usage"]
    assert usage["prompt_tokens"] == len(TURN) // 4
    assert usage["completion_tokens"] == len(choice["message"]["content"]) // 4
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_the_seed_is_passed_on(seed: int | None) -> None:
    _, reply = posted(body("wanderer", seed=seed))
    assert reply["choices"][0]["message"]["content"] == answer("wanderer", TURN, seed)


def test_equal_requests_have_one_id_and_others_another() -> None:
    ids = [posted(one)[1]["id"] for one in (body(seed=1), body(seed=1), body(seed=2), body("partner", seed=1))]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_the_speakers_are_listed_and_the_server_is_well() -> None:
    async def use(client: Client) -> tuple[Any, Any]:
        async with client.get("/v1/models") as models, client.get("/health") as health:
            assert (models.status, health.status) == (200, 200)
            return await models.json(), await health.json()

    models, health = with_client(use)
    assert [one["id"] for one in models["data"]] == list(SPEAKERS)
    assert health == {"status": "ok"}


def test_many_at_once_get_the_answers_that_each_would_get_alone() -> None:
    wanted = [(model, seed) for seed in range(80) for model in ("expert", "partner", "wanderer")]

    async def use(client: Client) -> list[str]:
        async def one(model: str, seed: int) -> str:
            async with client.post(CHAT, json=body(model, seed=seed)) as reply:
                assert reply.status == 200
                text: str = (await reply.json())["choices"][0]["message"]["content"]
                return text

        return await asyncio.gather(*(one(model, seed) for model, seed in wanted))

    assert with_client(use) == [answer(model, TURN, seed) for model, seed in wanted]


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_an_unknown_speaker_is_refused_with_the_names_of_those_there_are() -> None:
    status, reply = posted(body("narrator"))
    assert status == 404
    assert reply["error"]["type"] == "not_found_error"
    assert reply["error"]["message"] == (
        "no speaker is called 'narrator'; there are writer, expert, partner, wanderer, judge, annotator"
    )


@pytest.mark.parametrize(
    "data",
    [
        "",
        "model=expert",
        '{"model": "expert", "messages": [',
        b"\xff\xfe\x00{",
        [],
        "null",
        {},
        {"model": "expert"},
        {"messages": []},
        body(model=["expert"]),  # type: ignore[arg-type]
        body(model=None),  # type: ignore[arg-type]
        body(messages=None),
        body(messages="Hello."),
        body(messages={"role": "user"}),
        body(messages=[{"role": "user"}]),
        body(messages=[{"content": TURN}]),
        body(messages=[{"role": "user", "content": None}]),
        body(messages=[{"role": "user", "content": [{"type": "text", "text": TURN}]}]),
        body(seed="one"),
        body(seed=0.5),
        body(seed=float("nan")),
    ],
)
def test_what_is_no_chat_request_is_refused(data: Any) -> None:
    status, reply = posted(data)
    assert status == 400
    assert reply["error"] == {
        "message": "the body is not a chat completion request",
        "type": "invalid_request_error",
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (body(text="Hello."), "expert: the prompt does not say who speaks, to whom and at which turn"),
        (body("judge"), "judge: the prompt does not name two participants"),
        (body("writer"), "writer: the prompt names no keyword"),
        (body(messages=[]), "expert: the prompt does not say who speaks, to whom and at which turn"),
        (
            body(messages=[{"role": "system", "content": TURN}]),
            "expert: the prompt does not say who speaks, to whom and at which turn",
        ),
    ],
)
def test_a_prompt_that_is_not_meant_for_a_speaker_is_refused(data: dict[str, Any], message: str) -> None:
    status, reply = posted(data)
    assert status == 400
    assert reply["error"] == {"message": message, "type": "invalid_request_error"}


def test_a_refusal_leaves_the_server_well() -> None:
    async def use(client: Client) -> int:
        for data in ("{", json.dumps(body("narrator")), json.dumps(body("judge"))):
            async with client.post(CHAT, data=data) as refused:
                assert refused.status in (400, 404)
        async with client.post(CHAT, json=body()) as reply:
            return reply.status

    assert with_client(use) == 200


def test_other_paths_and_methods_are_not_served() -> None:
    async def use(client: Client) -> list[int]:
        async with client.get("/") as root, client.get(CHAT) as got, client.post("/health") as health:
            return [root.status, got.status, health.status]

    assert with_client(use) == [404, 405, 405]


# -- as a process ------------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def well(url: str) -> bool:
    """True if the server there says that it is."""
    try:
        async with ClientSession() as session, session.get(url) as reply:
            return reply.status == 200
    except OSError:
        return False


@contextmanager
def started(*options: str, port: int | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`python -m parley.playhouse`, by default on a free port, ready to answer."""
    port = port or free_port()
    command = [sys.executable, "-m", "parley.playhouse", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            patience = time.monotonic() + 30
            while not asyncio.run(well(f"http://127.0.0.1:{port}/health")):
                assert running.poll() is None and time.monotonic() < patience, "the server did not start"
                time.sleep(0.05)
            yield running, port
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def process() -> Iterator[tuple[subprocess.Popen[str], int]]:
    with started() as both:
        yield both


def test_nobody_outside_the_machine_can_reach_it(process: tuple[subprocess.Popen[str], int]) -> None:
    running, port = process
    sockets = psutil.Process(running.pid).net_connections(kind="inet")
    assert {(one.laddr.ip, one.laddr.port) for one in sockets if one.status == psutil.CONN_LISTEN} == {
        ("127.0.0.1", port)
    }


def test_an_openai_client_is_understood(process: tuple[subprocess.Popen[str], int]) -> None:
    with OpenAI(base_url=f"http://127.0.0.1:{process[1]}/v1", api_key="none", max_retries=0) as client:
        reply = client.chat.completions.create(
            model="expert", messages=[{"role": "user", "content": TURN}], seed=3, temperature=0.7
        )
        text = reply.choices[0].message.content or ""
    assert text == speak("expert", [{"role": "user", "content": TURN}], 3)
    assert Action.model_validate_json(text).action_type == "speak"


def test_it_says_where_it_is_and_ends_when_told() -> None:
    with started() as (running, port):
        assert running.stdout is not None
        assert running.stdout.readline() == f"playhouse at http://127.0.0.1:{port}/v1\n"
        running.terminate()
        assert running.wait(timeout=10) == 0
        assert not asyncio.run(well(f"http://127.0.0.1:{port}/health"))
