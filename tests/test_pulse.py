"""Endpoints that die, and calls that fail alone: which of both it is, and what happens to the job then."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.llm.call import CallFailed, Reply, Request
from parley.llm.endpoint import Endpoint
from parley.llm.faults import Fault
from parley.llm.pulse import Patience, Pulse
from tests.faulty import Act, Faulty, faulty, hang, refuse, reset, say, send

QUICK = Patience(first_wait=0.01, longest_wait=0.05, dead_after=0.1, dead_after_lapse=0.2)
TWICE = replace(QUICK, tries=2)
IDENTITY = {"engine": "openai", "name": "m", "temperature": 0.5, "top_p": 1.0, "max_tokens": 64}


def request(number: int) -> Request:
    return Request(IDENTITY, ({"role": "user", "content": f"Ask {number}"},))


async def ask(endpoint: Endpoint, *numbers: int) -> list[Reply | CallFailed | ParleyError]:
    """What becomes of these calls, all made at once."""

    async def one(number: int) -> Reply | CallFailed | ParleyError:
        try:
            return await endpoint.send(request(number), "m")
        except (CallFailed, ParleyError) as error:
            return error

    return await asyncio.gather(*map(one, numbers))


def meet(
    use: Callable[[Endpoint, Faulty], Awaitable[Any]],
    *script: Act,
    otherwise: Act | None = None,
    models: Act | None = None,
    patience: Patience = QUICK,
    **settings: Any,
) -> Any:
    async def work() -> Any:
        async with (
            faulty(*script, otherwise=otherwise, models=models) as server,
            Endpoint(server.url, key=None, patience=patience, **settings) as endpoint,
        ):
            return await use(endpoint, server)

    return asyncio.run(asyncio.wait_for(work(), 20))


def poison(number: int, good: Act | None = None) -> Act:
    """Fails whoever asks for `number`, and answers all others."""

    async def act(got: web.Request) -> web.StreamResponse:
        asked = (await got.json())["messages"][0]["content"]
        return await (refuse(500, "I choke on that") if asked == f"Ask {number}" else good or say("ok"))(got)

    return act


# -- the endpoint is dead --------------------------------------------------------------------------------------

DEAD = {
    "500": (refuse(500, "oops"), "no answer to ", "HTTP 500: oops"),
    "503": (refuse(503, "busy"), "no answer to ", "HTTP 503: busy"),
    "html": (send("<html>Sign in</html>", "text/html"), "no answer to ", "the answer is not a chat completion"),
    "hang": (hang, "no answer to ", "no answer within 0.2 s"),
    "reset": (reset, "no answer to ", "connection broken"),
}


@pytest.mark.parametrize("name", DEAD)
@pytest.mark.parametrize("calls", [1, 3, 40])
def test_an_endpoint_that_fails_everybody_for_ever_ends_the_job_soon_with_one_line(name: str, calls: int) -> None:
    act, what, reason = DEAD[name]

    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], Faulty]:
        return await ask(endpoint, *range(calls)), server

    ends, server = meet(use, otherwise=act, models=act, timeout=0.2 if name == "hang" else 60)
    assert all(isinstance(end, ParleyError) for end in ends), ends  # no call is blamed for it
    line = str(ends[0])
    assert line.startswith(f"endpoint {server.url}/: {what}") and reason in line and "\n" not in line
    assert "base_url" in line and line.endswith("Nothing is lost: the same command goes on")
    assert ("raise `timeout`" in line) == (name == "hang")
    assert len(server.bodies) < 20 + 12 * calls


@pytest.mark.parametrize("calls", [1, 30])
def test_nobody_there_is_never_a_calls_fault(calls: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"

    async def work() -> list[Any]:
        async with Endpoint(url, patience=QUICK, remedy="start it") as endpoint:
            return await ask(endpoint, *range(calls))

    ends = asyncio.run(asyncio.wait_for(work(), 20))
    assert all(isinstance(end, ParleyError) for end in ends)
    assert "did not reach it (no connection" in str(ends[0]) and "; start it. Nothing is lost" in str(ends[0])


def test_one_that_dies_in_the_middle_is_given_more_time_than_one_that_never_answered() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], list[Any], float]:
        before = await ask(endpoint, *range(5))
        died = asyncio.get_running_loop().time()
        return before, await ask(endpoint, *range(5, 15)), asyncio.get_running_loop().time() - died

    before, after, lasted = meet(
        use, *(say("ok") for _ in range(5)), otherwise=refuse(502, "no backend"), models=refuse(502)
    )
    assert all(isinstance(end, Reply) for end in before)
    assert all(isinstance(end, ParleyError) for end in after)
    assert lasted >= QUICK.dead_after_lapse > QUICK.dead_after


def test_a_lapse_is_waited_out_and_no_call_pays_for_it() -> None:
    """More tries fail than a call has, but the endpoint answers again in time."""
    down = [refuse(500, "restarting") for _ in range(60)]
    looks = [True]

    async def models(got: web.Request) -> web.StreamResponse:
        return await (refuse(500) if looks[0] else send("{}"))(got)

    async def use(endpoint: Endpoint, server: Faulty) -> list[Any]:
        return [*await ask(endpoint, 100), *await ask(endpoint, *range(6))]

    patient = replace(QUICK, dead_after_lapse=30, longest_wait=0.02)
    ends = meet(use, say("ok"), *down, models=models, patience=patient)
    assert all(isinstance(end, Reply) for end in ends), ends
    assert max(end.retries for end in ends) >= QUICK.tries


# -- the call is to blame --------------------------------------------------------------------------------------


def test_one_call_that_chokes_the_server_fails_alone() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], list[Any]]:
        async def others() -> list[Any]:
            return [end for number in range(1, 60) for end in await ask(endpoint, number)]

        return await asyncio.gather(ask(endpoint, 0), others())

    (alone,), others = meet(use, otherwise=poison(0, say("ok", delay=0.01)), models=refuse(500))
    assert isinstance(alone, CallFailed) and alone.reason == "HTTP 500: I choke on that (6 tries)"
    assert all(isinstance(end, Reply) for end in others)


@pytest.mark.parametrize("models", [None, refuse(404, "no such path"), refuse(429), refuse(403)])
def test_what_is_left_of_a_shard_may_choke_it_without_end(models: Act | None) -> None:
    """Nobody else asks any more. The server is there when it is looked at, so it is the calls."""

    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], int]:
        return [end for number in range(4) for end in await ask(endpoint, number)], server.looks

    ends, looks = meet(use, otherwise=refuse(500, "I choke on that"), models=models)
    assert [end.reason for end in ends] == ["HTTP 500: I choke on that (6 tries)"] * 4
    assert looks >= 4


def test_while_all_is_well_nobody_looks() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], int]:
        return await ask(endpoint, *range(20)), server.looks

    ends, looks = meet(use, refuse(500), say("ok"), reset, refuse(429), say("ok"), refuse(503), say("ok"), send("{}"))
    assert all(isinstance(end, Reply) for end in ends) and looks == 0


def test_calls_that_are_worn_at_once_look_once() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> int:
        await ask(endpoint, *range(10))
        return server.looks

    patience = replace(QUICK, tries=1)
    assert meet(use, otherwise=refuse(500), models=None, patience=patience) < 10


def test_a_server_that_is_there_but_answers_nobody_ends_the_job_too() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> list[Any]:
        return await ask(endpoint, *range(30))

    ends = meet(use, otherwise=refuse(500, "no backend"), patience=TWICE)
    failed = [end for end in ends if isinstance(end, CallFailed)]
    told = [end for end in ends if isinstance(end, ParleyError)]
    assert len(failed) == QUICK.dead_after_calls - 1 and len(told) == 30 - len(failed)
    lines = {str(end) for end in told}
    assert any("is there, but answered none of 24 calls in a row (HTTP 500: no backend)" in line for line in lines)


def test_an_answer_in_between_begins_the_count_anew() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> list[Any]:
        ends: list[Any] = []
        for first in range(0, 80, 20):
            ends += await ask(endpoint, *range(first, first + 20))
            ends += await ask(endpoint, 1000)
        return ends

    async def act(got: web.Request) -> web.StreamResponse:
        asked = (await got.json())["messages"][0]["content"]
        return await (say("ok") if asked == "Ask 1000" else refuse(500))(got)

    ends = meet(use, otherwise=act, patience=TWICE)
    assert sum(isinstance(end, CallFailed) for end in ends) == 80 and sum(isinstance(end, Reply) for end in ends) == 4


# -- how much a call bears -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "tries"), [(refuse(500), 6), (reset, 6), (hang, 3), (refuse(429), 12), (send("{}"), 6)]
)
def test_a_try_that_timed_out_is_dear_and_one_that_was_turned_away_is_cheap(act: Act, tries: int) -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], int]:
        return await ask(endpoint, 0), len(server.bodies)

    ends, sent = meet(use, otherwise=act, timeout=0.1 if act is hang else 60)
    assert isinstance(ends[0], CallFailed) and sent == tries and ends[0].reason.endswith(f"({tries} tries)")


def test_a_call_that_was_given_up_tells_all_its_reasons() -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> list[Any]:
        return await ask(endpoint, 0)

    script = [refuse(429, "slow down"), refuse(429, "slow down"), refuse(503, "busy")]
    (end,) = meet(use, *script, otherwise=refuse(500, "oops"))
    assert end.reason == "HTTP 500: oops (7 tries; before: HTTP 429: slow down; HTTP 503: busy)"


@pytest.mark.parametrize(("wait", "told"), [("901", "15 min"), ("86400", "1440 min")])
def test_a_pause_of_hours_is_left_to_the_person(wait: str, told: str) -> None:
    async def use(endpoint: Endpoint, server: Faulty) -> tuple[list[Any], int]:
        return await ask(endpoint, 0), len(server.bodies)

    ends, sent = meet(use, refuse(429, "daily limit", headers={"Retry-After": wait}))
    assert isinstance(ends[0], ParleyError) and sent == 1
    assert f"asks to wait {told} (HTTP 429: daily limit); nothing is lost, run the same command again" in str(ends[0])


# -- the rule by itself ----------------------------------------------------------------------------------------

PASSING = Fault("HTTP 500: oops", status=500, passing=True)
TURNED_AWAY = Fault("HTTP 429: slow down", status=429, passing=True, crowded=True)
UNREACHED = Fault("no connection: refused", passing=True, unreached=True)


@given(st.lists(st.sampled_from(["answer", "refusal", "500", "429", "unreached"]), max_size=60), st.booleans())
def test_it_is_dead_only_after_so_many_misses_in_a_row(events: list[str], there: bool) -> None:
    """Whatever happened before: a job ends only when the last eight tries or more failed, and the endpoint is not there."""
    patience = Patience(dead_after=0, dead_after_lapse=0)

    async def look() -> bool:
        return there

    async def run() -> None:
        pulse, row = Pulse("somewhere", patience, look, "do something"), 0
        for event in events:
            if event in ("answer", "refusal"):
                pulse.beat(answered=event == "answer")
                row = 0
                continue
            fault = {"500": PASSING, "429": TURNED_AWAY, "unreached": UNREACHED}[event]
            row = 0 if event == "429" else row + 1
            try:
                assert not await pulse.blames(fault, 0.0, worn=False, seen=pulse.signs)
            except ParleyError:
                assert row >= patience.dead_after_tries and (event == "unreached" or not there)
                return
            assert row < patience.dead_after_tries or (there and event != "unreached")
            row = 0 if there and row >= patience.dead_after_tries else row

    asyncio.run(run())
