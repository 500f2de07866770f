"""The playhouse's faults: what each does to a request, that shares are kept and repeat, and the server before another."""

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from parley.code import reached
from parley.playhouse import upstream
from parley.playhouse.faults import KINDS, PROSE
from parley.playhouse.schedule import Schedule, parse
from parley.records.episode import Action
from parley.world.prompts import prompt
from parley.world.rating import rating_text
from tests.builders import ANN, BEN, PROMPTS, ROOT
from tests.faulty import faulty, playing_up, say, served
from tests.talks import answer, asked, drafted, judged, played

TASK = drafted("sale", 1)
TURN = asked(TASK, (), 0)
GOOD = answer("expert", TURN, 0)


def body(model: str = "expert", text: str = TURN, seed: int = 0) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "seed": seed}


async def post(session: ClientSession, url: str, data: Any) -> tuple[int, Any]:
    """(status, body) of an answer; a body that is not JSON comes as its text."""
    async with session.post(f"{url}/chat/completions", json=data) as reply:
        text = await reply.text()
        return reply.status, json.loads(text) if reply.content_type == "application/json" else text


def meet(shares: str, use: Callable[[ClientSession, str, Schedule], Awaitable[Any]], seed: int = 0) -> Any:
    """What `use` gives when it talks to the speakers behind these faults."""

    async def work() -> Any:
        async with playing_up(shares, seed) as (url, schedule), ClientSession() as session:
            return await use(session, url, schedule)

    return asyncio.run(asyncio.wait_for(work(), 20))


def one(shares: str, data: Any = None) -> Any:
    """The answer to one request that surely meets its fault."""

    async def use(session: ClientSession, url: str, schedule: Schedule) -> Any:
        reply = await post(session, url, data or body())
        assert schedule.met.total() == 1
        return reply

    return meet(shares, use)


def content(reply: tuple[int, Any]) -> Any:
    status, completion = reply
    assert status == 200
    return completion["choices"][0]["message"]["content"]


# -- each fault ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_a_status_is_an_error_in_the_protocols_form(status: int) -> None:
    found, reply = one(f"{status}=1")
    assert found == status and reply["error"]["message"] == "a fault on demand"


@pytest.mark.parametrize(("shares", "wanted"), [("429=1", None), ("429=1:7", "7"), ("503=1:0.5", "0.5")])
def test_only_with_seconds_it_says_when_to_come_again(shares: str, wanted: str | None) -> None:
    async def use(session: ClientSession, url: str, schedule: Schedule) -> str | None:
        async with session.post(f"{url}/chat/completions", json=body()) as reply:
            return reply.headers.get("Retry-After")

    assert meet(shares, use) == wanted


@pytest.mark.parametrize("name", ["reset", "truncated", "hang=1:0.1"])
def test_some_faults_end_the_connection(name: str) -> None:
    with pytest.raises((ClientError, ConnectionError)):
        one(name if "=" in name else f"{name}=1")


def test_a_hang_lasts_until_the_client_goes() -> None:
    async def use(session: ClientSession, url: str, schedule: Schedule) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post(session, url, body()), 0.3)

    meet("hang=1", use)


def test_slow_is_late_but_right() -> None:
    async def use(session: ClientSession, url: str, schedule: Schedule) -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post(session, url, body()), 0.05)
        return await post(session, url, body())

    assert content(meet("slow=1:0.3", use)) == GOOD


def test_some_bodies_are_no_json() -> None:
    assert one("html=1") == (200, "<html>Sign in, please</html>")
    with pytest.raises(ValueError, match="Expecting"):
        one("not_json=1")


@pytest.mark.parametrize(("name", "wanted"), [("bad_json", PROSE), ("empty", ""), ("refusal", None)])
def test_an_answer_may_be_no_answer(name: str, wanted: str | None) -> None:
    assert content(one(f"{name}=1")) == wanted


def test_a_refusal_is_in_its_field() -> None:
    assert one("refusal=1")[1]["choices"][0]["message"]["refusal"]


def test_fences_hold_the_answer_whole() -> None:
    text = content(one("fenced=1"))
    assert GOOD in text and "```json" in text and not text.startswith("{")


def test_an_answer_that_is_cut_off_says_so() -> None:
    reply = one("length=1")
    assert GOOD.startswith(content(reply)) and len(content(reply)) < len(GOOD)
    assert reply[1]["choices"][0]["finish_reason"] == "length"


def test_a_wrong_value_is_wrong_in_one_place() -> None:
    changed = json.loads(content(one("wrong_value=1")))
    assert changed == {**json.loads(GOOD), "action_type": "shout"}
    with pytest.raises(ValueError, match="action_type"):
        Action.model_validate(changed)


def test_a_judge_can_be_out_of_range_and_can_name_others() -> None:
    episode = played(TASK, ("expert", "partner"))
    text = rating_text(prompt(str(PROMPTS / "rating.jinja")), TASK, (ANN, BEN), episode)
    wrong = json.loads(content(one("wrong_value=1", body("judge", text))))["ratings"]
    assert all(entry["goal"]["score"] == 99 for entry in wrong)
    others = json.loads(content(one("wrong_names=1", body("judge", text))))["ratings"]
    assert [entry["name"] for entry in others] == ["Somebody Else"] * 2
    assert [entry["goal"] for entry in others] == [entry["goal"] for entry in judged(TASK, episode)]


def test_a_fault_that_an_answer_cannot_have_is_not_counted() -> None:
    async def use(session: ClientSession, url: str, schedule: Schedule) -> Any:
        reply = await post(session, url, body())
        refused = await post(session, url, body("nobody"))
        assert (schedule.requests, schedule.met.total(), refused[0]) == (2, 0, 404)
        return reply

    assert content(meet("wrong_names=1", use)) == GOOD


# -- which request meets which -------------------------------------------------------------------------------------


def drawn(schedule: Schedule, requests: int, times: int = 1) -> list[str | None]:
    found = [schedule.next(str(number)) for number in range(requests) for _ in range(times)]
    return [chance.name if chance else None for chance in found]


def test_shares_are_kept() -> None:
    found = Counter(drawn(parse("429=0.2,bad_json=0.1,reset=0.05"), 4000))
    assert {name: round(found[name] / 4000, 2) for name in ("429", "bad_json", "reset")} == {
        "429": pytest.approx(0.2, abs=0.02),
        "bad_json": pytest.approx(0.1, abs=0.02),
        "reset": pytest.approx(0.05, abs=0.02),
    }


def test_it_is_the_same_in_any_order_and_other_with_another_seed() -> None:
    text = "429=0.3,empty=0.3"
    schedule = parse(text, 5)
    forth = [schedule.next(str(number)) for number in range(60)]
    schedule = Schedule(schedule.chances, 5)
    assert forth == [schedule.next(str(number)) for number in reversed(range(60))][::-1]
    assert drawn(parse(text, 6), 60) != drawn(parse(text, 5), 60)


def test_who_comes_again_has_a_new_chance() -> None:
    found = drawn(parse("500=0.5"), 1, times=64)
    assert {"500", None} == set(found)


@given(st.lists(st.sampled_from([*KINDS, "429", "503"]), min_size=1, max_size=6), st.integers(0, 9))
def test_all_or_nothing(names: list[str], seed: int) -> None:
    """Shares that add up to one leave no request alone, and shares of nothing none in peace."""
    every = ",".join(f"{name}={1 / len(names)!r}" for name in names)
    assert None not in drawn(parse(every, seed), 20)
    assert set(drawn(parse(",".join(f"{name}=0" for name in names), seed), 20)) == {None}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rest=0.1", "no fault is called 'rest'; there are an HTTP status, reset, hang"),
        ("200=0.1", "no fault is called '200'"),
        ("=0.1", "no fault is called ''"),
        ("reset", "reset: not of the form NAME=SHARE or NAME=SHARE:SECONDS"),
        ("reset=often", "reset=often: not of the form"),
        ("reset=nan", "reset=nan: not of the form"),
        ("reset=1.1", "reset=1.1: a share is from 0 to 1"),
        ("reset=-1", "reset=-1: a share is from 0 to 1"),
        ("reset=0.1:3", "reset=0.1:3: reset takes no seconds"),
        ("hang=0.1:-3", "hang=0.1:-3: seconds are not less than 0"),
        ("hang=0.1:inf", "hang=0.1:inf: not of the form"),
        ("429=0.6,500=0.6", "the shares add up to 1.2, which is more than 1"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}[^\n]*$"):
        parse(text)


def test_a_name_may_come_twice_with_other_seconds() -> None:
    found = parse(" 429=0.1, 429=0.2:3 ,")
    assert [(chance.share, chance.seconds) for chance in found.chances] == [(0.1, 0), (0.2, 3)]


# -- the server ----------------------------------------------------------------------------------------------------


def test_it_tells_what_was_met_and_spares_its_health() -> None:
    async def use(session: ClientSession, url: str, schedule: Schedule) -> Any:
        for _ in range(3):
            await post(session, url, body())
        async with session.get(url.replace("/v1", "/health")) as health:
            assert health.status == 200
        async with session.get(f"{url}/models") as models:
            assert models.status == 500
        async with session.get(url.replace("/v1", "/faults")) as told:
            return await told.json()

    assert meet("500=1", use) == {"requests": 4, "met": {"500": 4}}


def test_without_faults_every_answer_is_what_it_was() -> None:
    async def use(session: ClientSession, url: str, schedule: Schedule) -> list[Any]:
        return [content(await post(session, url, body(seed=seed))) for seed in range(10)]

    assert meet("429=0", use) == [answer("expert", TURN, seed) for seed in range(10)]


def test_speakers_are_not_others_because_the_server_can_fail() -> None:
    """The hash that is a scripted speaker's identity is over what `server.py` reaches."""
    files = {path.name for path in reached(ROOT / "parley/playhouse/server.py")}
    assert "expert.py" in files and not files & {"faults.py", "schedule.py", "upstream.py"}


def test_help_names_every_fault_and_a_mistake_is_one_line() -> None:
    command = [sys.executable, "-m", "parley.playhouse"]
    told = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {name} " in told for name in KINDS)
    wrong = subprocess.run([*command, "--faults", "reset=7"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].endswith("error: --faults: reset=7: a share is from 0 to 1")


def test_the_page_in_the_docs_has_every_fault_in_the_same_words() -> None:
    page = (ROOT / "docs/playhouse.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    for name, kind in KINDS.items():
        words = kind.meaning if kind.seconds is None else kind.meaning.split(",")[0]
        assert rows[name].startswith(words), name


# -- before another endpoint ---------------------------------------------------------------------------------------


def test_another_endpoint_is_asked_as_it_would_be_asked_directly() -> None:
    async def work() -> None:
        async with faulty(say("ho"), otherwise=say("ok", delay=0.01)) as behind:
            async with served(upstream.application(behind.url + "/")) as url, ClientSession() as session:
                session.headers["Authorization"] = "Bearer sk-1"
                assert content(await post(session, url, body())) == "ho"
                async with session.get(f"{url}/models") as models:
                    assert (await models.json())["data"][0]["id"] == "m"
            assert behind.bodies == [body()]
            assert behind.keys == ["Bearer sk-1"]

    asyncio.run(asyncio.wait_for(work(), 20))


def test_its_refusals_come_back_with_their_headers() -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "later"}}, status=429, headers={"Retry-After": "9"})

    async def work() -> tuple[int, str | None]:
        async with (
            faulty(refused) as behind,
            served(upstream.application(behind.url)) as url,
            ClientSession() as session,
            session.post(f"{url}/chat/completions", json=body()) as reply,
        ):
            return reply.status, reply.headers.get("Retry-After")

    assert asyncio.run(asyncio.wait_for(work(), 20)) == (429, "9")


def test_an_endpoint_that_is_not_there_is_a_bad_gateway() -> None:
    async def work() -> tuple[int, Any]:
        async with served(upstream.application("http://127.0.0.1:9/v1")) as url, ClientSession() as session:
            return await post(session, url, body())

    status, reply = asyncio.run(asyncio.wait_for(work(), 20))
    assert status == 502 and reply["error"]["message"].startswith("http://127.0.0.1:9/v1: ")
