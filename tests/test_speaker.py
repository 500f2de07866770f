"""Speakers: the ledger first, one call for equal requests, one engine for a shared base, nothing left behind."""

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from parley.config import Experiment, check
from parley.errors import ParleyError
from parley.llm import launch
from parley.llm.call import CallFailed
from parley.llm.engine import Engine
from parley.llm.ledger import Ledger
from parley.llm.speaker import Speaker, speakers, summary
from parley.records.message import Message
from tests.faulty import Act, Faulty, faulty, refuse, say

TALK = [Message(role="user", content="hello")]
LEARNS = {"players": ["base", "base"], "tasks": "t", "judge": "judge", "selection": "sr"}


def experiment(**changes: Any) -> Experiment:
    models = {
        "agent": {"engine": "vllm", "name": "agent", "path": "base"},
        "judge": {"engine": "openai", "name": "j", "price": "free", "base_url": "http://127.0.0.1:9/v1"},
        "partner": {"engine": "openai", "name": "p", "price": "free", "base_url": "http://127.0.0.1:9/v1"},
        **changes.pop("models", {}),
    }
    policies = {
        "base": {"model": "agent"},
        "bc": {"parent": "base", "learns_from": LEARNS},
        "sr": {"parent": "base", "learns_from": LEARNS},
    }
    data = {"experiment": "x", "models": models, "policies": policies, "task_sets": {"t": {"file": "t.jsonl"}}}
    evaluations = {"all": {"tasks": "t", "partner": "partner", "judge": "judge"}}
    return check({**data, "evaluations": evaluations, **changes})


def meet(
    work: Callable[[dict[str, Speaker], Ledger], Awaitable[Any]],
    path: Path,
    *script: Act,
    otherwise: Act | None = None,
    judge: Mapping[str, Any] | None = None,
    **changes: Any,
) -> tuple[Any, Faulty]:
    """Let `work` talk to the judge and the partner at a server with this script."""

    async def body() -> tuple[Any, Faulty]:
        async with faulty(*script, otherwise=otherwise) as server:
            here = {"engine": "openai", "price": "free", "base_url": server.url}
            models = {"judge": {**here, "name": "j", **(judge or {})}, "partner": {**here, "name": "p"}}
            with Ledger(path) as ledger:
                async with speakers(experiment(models=models, **changes), ["judge", "partner"], ledger) as found:
                    return await work(found, ledger), server

    return asyncio.run(asyncio.wait_for(body(), 20))


# -- the ledger first ------------------------------------------------------------------------------------------


def test_a_second_run_sends_nothing_and_says_the_same(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> list[str]:
        return [(await found["judge"].chat(TALK, seed=seed)).text for seed in (1, 2)]

    first, server = meet(work, tmp_path / "0.sqlite", say("one"), say("two"))
    again, idle = meet(work, tmp_path / "0.sqlite")
    assert first == again == ["one", "two"]
    assert (len(server.bodies), len(idle.bodies)) == (2, 0)


def test_a_job_that_cannot_keep_an_answer_asks_for_none(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> None:
        with pytest.raises(ParleyError, match="cannot be written"):
            await found["judge"].chat(TALK, seed=1)

    (tmp_path / "0.sqlite.lock").mkdir()
    _, server = meet(work, tmp_path / "0.sqlite", say("never"))
    assert server.bodies == []


def test_everything_that_may_change_an_answer_makes_another_call(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> None:
        judge = found["judge"]
        for _ in range(2):
            await judge.chat(TALK)
            await judge.chat(TALK, seed=1)
            await judge.chat(TALK, replicate=1)
            await judge.chat(TALK, schema={"type": "object"})
            await judge.chat([*TALK, *TALK])
            await found["partner"].chat(TALK)

    _, server = meet(work, tmp_path / "0.sqlite")
    assert len(server.bodies) == 6


def test_a_model_is_the_same_wherever_it_is_reached(tmp_path: Path) -> None:
    """The two servers have different ports; another temperature is another model."""

    async def work(found: dict[str, Speaker], ledger: Ledger) -> None:
        await found["judge"].chat(TALK)

    sent = [
        len(meet(work, tmp_path / "0.sqlite", judge=judge)[1].bodies)
        for judge in ({}, {"concurrency": 3, "timeout": 9}, {"temperature": 0.5})
    ]
    assert sent == [1, 0, 1]


def test_equal_requests_at_once_are_sent_once(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> list[bool]:
        replies = await asyncio.gather(*(found["judge"].chat(TALK) for _ in range(5)))
        assert found["judge"].counts.sent == 1 and found["judge"].counts.replayed == 4
        return [reply.replayed for reply in replies]

    replayed, server = meet(work, tmp_path / "0.sqlite", otherwise=say("ok", delay=0.05))
    assert replayed == [False, True, True, True, True]
    assert len(server.bodies) == 1


def test_what_a_job_stands_on_is_counted_the_same_in_every_run(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> dict[str, float]:
        await asyncio.gather(*(found["judge"].chat(TALK, seed=number // 3) for number in range(6)))
        return found["judge"].usage.as_dict()

    first, _ = meet(work, tmp_path / "0.sqlite", refuse(500), otherwise=say("ok", delay=0.02))
    again, _ = meet(work, tmp_path / "0.sqlite")
    assert first == again
    assert (first["calls"], first["prompt_tokens"], first["retries"]) == (6, 60, 3)


def test_one_cancelled_caller_does_not_take_the_answer_from_the_others(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> str:
        first = asyncio.create_task(found["judge"].chat(TALK))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(found["judge"].chat(TALK))
        await asyncio.sleep(0)
        first.cancel()
        return (await second).text

    text, server = meet(work, tmp_path / "0.sqlite", otherwise=say("ok", delay=0.1))
    assert (text, len(server.bodies)) == ("ok", 1)


def test_calls_in_flight_end_with_their_job(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> None:
        asking = asyncio.create_task(found["judge"].chat(TALK))
        await asyncio.sleep(1.0)  # long enough for the call to be sent on a busy machine
        asking.cancel()

    _, server = meet(work, tmp_path / "0.sqlite", otherwise=say("late", delay=10))
    assert len(server.bodies) == 1


# -- failures --------------------------------------------------------------------------------------------------


def test_a_failed_call_is_recorded_and_asked_again_in_the_next_run(tmp_path: Path) -> None:
    async def fail(found: dict[str, Speaker], ledger: Ledger) -> None:
        with pytest.raises(CallFailed, match="HTTP 400: too long"):
            await found["judge"].chat(TALK)
        assert found["judge"].counts.failed == 1
        assert ledger.totals()[0].failures == 1

    async def work(found: dict[str, Speaker], ledger: Ledger) -> str:
        return (await found["judge"].chat(TALK)).text

    meet(fail, tmp_path / "0.sqlite", refuse(400, "too long"))
    assert meet(work, tmp_path / "0.sqlite", say("fine"))[0] == "fine"


def test_an_answer_that_could_not_be_kept_is_never_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> str:
        assert (await found["judge"].chat(TALK, seed=1)).text == "one"
        return (await found["judge"].chat(TALK, seed=2)).text

    path = tmp_path / "0.sqlite"

    async def one(found: dict[str, Speaker], ledger: Ledger) -> str:
        return (await found["judge"].chat(TALK, seed=1)).text

    meet(one, path, say("one"))

    def no_room(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr("parley.llm.ledger.check_room", no_room)
    meet(one, path)  # a replay needs no room

    async def watched(found: dict[str, Speaker], ledger: Ledger) -> None:
        with pytest.raises(ParleyError, match="the disk is full"):
            await work(found, ledger)

    _, server = meet(watched, path, say("two"))
    assert server.bodies == []


def test_a_missing_key_is_named_before_anything_is_sent_to_anyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)

    async def work(found: dict[str, Speaker], ledger: Ledger) -> None:
        with pytest.raises(ParleyError, match=r"'j' needs a key.*JUDGE_KEY"):
            await found["partner"].chat(TALK)

    _, server = meet(work, tmp_path / "0.sqlite", judge={"api_key_env": "JUDGE_KEY"})
    assert server.bodies == []


def test_a_replay_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> str:
        return (await found["judge"].chat(TALK)).text

    monkeypatch.setenv("JUDGE_KEY", "sk-secret-key")
    _, server = meet(work, tmp_path / "0.sqlite", judge={"api_key_env": "JUDGE_KEY"})
    assert server.keys == ["Bearer sk-secret-key"]
    assert b"sk-secret-key" not in (tmp_path / "0.sqlite").read_bytes()
    monkeypatch.delenv("JUDGE_KEY")
    assert meet(work, tmp_path / "0.sqlite", judge={"api_key_env": "JUDGE_KEY"})[0] == "ok"


def test_a_budget_stops_new_calls_and_leaves_the_old_ones(tmp_path: Path) -> None:
    judge = {"price": {"input": 0, "output": 1000}, "max_tokens": 10}  # at most 0.01 a call; 3 tokens cost 0.003
    done: list[str] = []

    async def work(found: dict[str, Speaker], ledger: Ledger) -> None:
        for seed in range(9):
            done.append((await found["judge"].chat(TALK, seed=seed)).text)

    settings: dict[str, Any] = {"judge": judge, "budget": {"amount": 0.0165}}
    with pytest.raises(ParleyError, match=r"raise budget\.amount"):
        meet(work, tmp_path / "0.sqlite", **settings)
    assert len(done) == 3  # 0.006 + 0.01 is within, 0.009 + 0.01 is not
    with pytest.raises(ParleyError):
        meet(work, tmp_path / "0.sqlite", **settings)
    assert len(done) == 3 + 3 + 3  # what was paid for is replayed and costs nothing


def test_the_summary_counts_what_was_done(tmp_path: Path) -> None:
    async def work(found: dict[str, Speaker], ledger: Ledger) -> str:
        await found["judge"].chat(TALK)
        await found["judge"].chat(TALK)
        return summary(found)

    line, _ = meet(work, tmp_path / "0.sqlite", refuse(500))
    assert line == (
        "judge: 1 sent, 1 replayed, 0 failed, 1 retries, 10+3 tokens; "
        "partner: 0 sent, 0 replayed, 0 failed, 0 retries, 0+0 tokens"
    )


# -- engines ---------------------------------------------------------------------------------------------------


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A checkpoint and two adapters that only look real, a vllm that is not, and a note of every engine's start."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").touch(mode=0o755)
    (tmp_path / "lib/python3.11/site-packages/vllm-0.32.0.dist-info").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    for folder, config, weights in (
        ("base", "config.json", "model.safetensors"),
        ("bc", "adapter_config.json", "adapter_model.safetensors"),
        ("sr", "adapter_config.json", "adapter_model.safetensors"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / config).write_text(json.dumps({"r": 8}))
        (tmp_path / folder / weights).write_text(folder)
    return {"bc": tmp_path / "bc", "sr": tmp_path / "sr"}


class Started(Engine):
    """An engine that is a faulty server in this process."""

    all: ClassVar[list["Started"]] = []

    async def __aenter__(self) -> "Started":
        self._launch = launch.prepare(self.model, self.adapters, Path())
        self._server = faulty()
        self.seen = await self._server.__aenter__()
        self.base_url = self.seen.url
        self.all.append(self)
        return self

    async def stop(self) -> None:
        if self.base_url:
            await self._server.__aexit__(None, None, None)
            if self._scratch_log:
                self.log.unlink()
            self.base_url = ""


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    monkeypatch.setattr(Started, "all", [])
    monkeypatch.setattr("parley.llm.source.Engine", Started)
    return Started.all


def talk(names: list[str], adapters: Mapping[str, Path], chats: int = 1) -> None:
    async def work() -> None:
        with Ledger(Path("0.sqlite")) as ledger:
            async with speakers(experiment(), names, ledger, adapters, Path("logs"), cache=Path("cache")) as found:
                assert list(found) == list(dict.fromkeys(names))
                for _ in range(chats):
                    await asyncio.gather(*(speaker.chat(TALK) for speaker in found.values()))

    asyncio.run(asyncio.wait_for(work(), 20))


def test_policies_on_one_base_share_one_engine(local: dict[str, Path], engines: list[Started]) -> None:
    talk(["base", "bc", "sr", "bc"], local, chats=2)
    assert len(engines) == 1
    assert sorted(body["model"] for body in engines[0].seen.bodies) == ["agent", "bc", "sr"]
    assert engines[0].adapters == local
    assert engines[0].base_url == ""  # stopped
    assert engines[0].log.parent == Path("logs")


def test_a_replay_starts_no_engine(local: dict[str, Path], engines: list[Started]) -> None:
    talk(["base", "bc"], local)
    talk(["base", "bc"], local)
    assert len(engines) == 1


def test_retrained_to_the_same_bytes_replays_and_to_others_does_not(
    local: dict[str, Path], engines: list[Started]
) -> None:
    talk(["bc"], local)
    (local["bc"] / "adapter_model.safetensors").write_text("bc")
    talk(["bc"], local)
    assert len(engines) == 1
    (local["bc"] / "adapter_model.safetensors").write_text("other")
    talk(["bc"], local)
    assert len(engines) == 2


def test_another_engine_version_is_another_speaker(local: dict[str, Path], engines: list[Started]) -> None:
    talk(["base"], local)
    site = Path("lib/python3.11/site-packages")
    (site / "vllm-0.32.0.dist-info").rename(site / "vllm-0.33.0.dist-info")
    talk(["base"], local)
    assert len(engines) == 2


def test_an_adapter_that_was_not_given_is_named(local: dict[str, Path], engines: list[Started]) -> None:
    with pytest.raises(ParleyError, match="policy 'sr' is trained, but its adapter folder was not given"):
        talk(["base", "sr"], {"bc": local["bc"]})
    assert engines == []


def test_an_engine_that_does_not_come_up_is_tried_once(local: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[Engine] = []

    async def refuse_to_start(engine: Engine) -> Engine:
        starts.append(engine)
        raise ParleyError("engine: no room")

    monkeypatch.setattr(Engine, "__aenter__", refuse_to_start)

    async def work() -> list[Any]:
        with Ledger(Path("0.sqlite")) as ledger:
            async with speakers(experiment(), ["base"], ledger, cache=Path("cache")) as found:
                asking = (found["base"].chat(TALK, seed=seed) for seed in range(5))
                return await asyncio.gather(*asking, return_exceptions=True)

    assert [str(error) for error in asyncio.run(work())] == ["engine: no room"] * 5
    assert len(starts) == 1


def test_an_engine_that_dies_is_started_once_more_and_then_ends_the_run_with_its_log(tmp_path: Path) -> None:
    models = {name: {"engine": "playhouse", "name": name} for name in ("judge", "partner")}

    async def work() -> None:
        with Ledger(tmp_path / "0.sqlite") as ledger:
            async with speakers(experiment(models=models), ["judge"], ledger, logs=tmp_path) as found:
                with pytest.raises(CallFailed):  # no prompt that a judge understands; the engine runs now
                    await found["judge"].chat(TALK)
                engine = found["judge"].source._engine
                assert engine is not None
                for _ in range(2):
                    assert engine.process is not None
                    engine.process.kill()
                    with pytest.raises(CallFailed):
                        await found["judge"].chat(TALK)
                    assert engine.revived

    with pytest.raises(ParleyError, match=r"ended by itself .* the second time; see .*engine-playhouse-judge\.log"):
        asyncio.run(asyncio.wait_for(work(), 20))


def test_the_scripted_speakers_share_one_process(tmp_path: Path, engines: list[Started]) -> None:
    here = {"engine": "playhouse"}
    models = {"judge": {**here, "name": "judge"}, "partner": {**here, "name": "partner"}}

    async def work() -> dict[str, Any]:
        with Ledger(tmp_path / "0.sqlite") as ledger:
            async with speakers(experiment(models=models), ["judge", "partner"], ledger) as found:
                await asyncio.gather(*(speaker.chat(TALK) for speaker in found.values()))
                return {name: speaker.identity["served_by"] for name, speaker in found.items()}

    versions = asyncio.run(asyncio.wait_for(work(), 20))
    assert len(engines) == 1
    assert sorted(body["model"] for body in engines[0].seen.bodies) == ["judge", "partner"]
    assert versions["judge"] == versions["partner"] != ""
