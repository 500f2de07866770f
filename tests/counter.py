"""A server with a batch counter in a thread of its own, which outlives the jobs, and jobs that talk to it."""

import asyncio
import re
import sqlite3
import threading
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from parley.llm.ledger import Ledger
from parley.llm.speaker import Speaker, speakers
from parley.playhouse.batches import Counter, Pace
from parley.records.message import Message
from tests.faulty import Act
from tests.test_speaker import experiment


def echo(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """An answer that tells the whole question. The word `bad` is refused."""
    text = f"{body['messages'][-1]['content']} {body.get('seed')} {body['max_tokens']}"
    if "bad" in text:
        return 400, {"error": {"message": "this is bad", "type": "invalid_request_error"}}
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    message = {"role": "assistant", "content": text}
    return 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


def question(number: int, text: str = "Ask") -> list[Message]:
    return [Message(role="user", content=f"{text} {number}")]


def answered(*numbers: int, text: str = "Ask") -> list[str]:
    """What is answered to these questions, whichever way they go."""
    return [f"{text} {number} {number} 1024" for number in numbers]


async def ask(judge: Speaker, *numbers: int, text: str = "Ask") -> list[str]:
    """Ask many questions at once; the answers."""
    replies = await asyncio.gather(*(judge.chat(question(number, text), seed=number) for number in numbers))
    return [reply.text for reply in replies]


class Desk:
    """The server, what it saw, and a folder in which jobs work.

    `faults` holds (pattern of `METHOD path`, act) pairs: the first that fits a question answers it, once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.counter = Counter(echo)
        self.chats: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.asked: list[str] = []
        self.faults: list[tuple[str, Act]] = []
        self.said: list[str] = []
        self.counts: Any = None  # of the last job
        self.usage: Any = None

    # -- jobs --------------------------------------------------------------------------------------------------

    def job(
        self,
        *numbers: int,
        work: Callable[[Speaker], Awaitable[Any]] | None = None,
        batch: Any = True,
        ledger: str = "0",
        judge: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Any:
        """One job that asks these questions of the judge, or does `work` with it."""
        if batch is True:
            batch = {"poll": 0.01, "fewest": 2}
        here = {"engine": "openai", "price": "free", "base_url": self.url}
        models = {"judge": {**here, "name": "j", "batch": batch, **(judge or {})}, "partner": {**here, "name": "p"}}

        async def body() -> Any:
            with Ledger(self.folder / f"{ledger}.sqlite", self.folder) as book:
                async with speakers(
                    experiment(models=models, **changes), ["judge"], book, batches=self.memory, say=self.said.append
                ) as found:
                    self.counts, self.usage = found["judge"].counts, found["judge"].usage
                    return await (work(found["judge"]) if work else ask(found["judge"], *numbers))

        return asyncio.run(asyncio.wait_for(body(), 30))

    @property
    def memory(self) -> Path:
        return self.folder / ".batches"

    @property
    def waiting(self) -> list[str]:
        """The files of batches that are not collected yet."""
        return sorted(path.name for path in self.memory.glob("*")) if self.memory.exists() else []

    def calls(self, ledger: str = "0") -> dict[str, str]:
        """The text of every call in a ledger, by key."""
        with sqlite3.connect(self.folder / f"{ledger}.sqlite") as connection:
            return dict(connection.execute("SELECT key, text FROM calls"))

    # -- what the server saw -----------------------------------------------------------------------------------

    @property
    def sizes(self) -> list[int]:
        """The number of lines of each batch that was begun."""
        return [len(batch.lines) for batch in self.counter.batches.values() if not batch.errors]

    @property
    def states(self) -> list[str]:
        """How each batch stands."""
        return [batch.status for batch in self.counter.batches.values()]

    @property
    def live(self) -> list[str]:
        """The last words of each question that was asked live."""
        return [body["messages"][-1]["content"] for body in self.chats]

    def paid(self) -> Tally[str]:
        """How often each question was answered, live or in a batch."""
        lines = [line for batch in self.counter.batches.values() for line in batch.lines]
        done = {outcome["custom_id"] for batch in self.counter.batches.values() for outcome in batch.good}
        batched = [line["body"]["messages"][-1]["content"] for line in lines if line["custom_id"] in done]
        return Tally([*batched, *self.live])

    def pace(self, **pace: Any) -> None:
        """How batches go from now on."""
        self.counter.pace = Pace(**pace)


@contextmanager
def served(folder: Path) -> Iterator[Desk]:
    """A desk whose server runs until the end."""
    desk, up, stop = Desk(folder), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        runner = web.AppRunner(_application(desk), shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        desk.url = "http://{}:{}/v1".format(*runner.addresses[0][:2])
        up.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert up.wait(10)
    try:
        yield desk
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def _application(desk: Desk) -> web.Application:
    @web.middleware
    async def fail(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> web.StreamResponse:
        line = f"{request.method} {request.path.removeprefix('/v1')}"
        desk.asked.append(line)
        desk.keys.add(request.headers.get("Authorization"))
        for place, (pattern, act) in enumerate(desk.faults):
            if re.fullmatch(pattern, line):
                del desk.faults[place]
                return await act(request)
        return await handler(request)  # type: ignore[no-any-return]

    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        status, answer = echo(body)
        if status == 200:
            desk.chats.append(body)
        return web.json_response(answer, status=status)

    app = desk.counter.attach(web.Application(middlewares=[fail], client_max_size=2**28))
    app.router.add_post("/v1/chat/completions", chat)
    return app
