"""Calls through a Batch API: gathered, handed in, waited for, and merged into the ledger as if they had been live.

What a batch is not for goes live: the very first call, which shows within seconds that key, model and request are right
and which dialect the endpoint speaks; a follow-up to an answer that could not be read, which would wait once more for
hours; and what a batch left unanswered, which is tried, judged and recorded there as any call.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from parley.config import Batch, Model
from parley.errors import ParleyError
from parley.llm.batch_api import MOST_BYTES, MOST_LINES, BatchApi, NotNow, View, line_of
from parley.llm.batch_memory import BatchMemory, Handed
from parley.llm.call import Reply, Request
from parley.llm.endpoint import Endpoint, api_key
from parley.llm.ledger import Ledger
from parley.progress import span

QUIET = 1.0  # seconds without another call after which a batch is closed
LOST_LOOKS = 10  # looks at a batch in a row that may fail
SAY_AFTER = 600.0  # seconds between two lines about a batch that does not move
MERGE = 1000  # calls that are put into the ledger at once
#: How what is still on its way is ended where batches are switched off.
SWITCHED_OFF = Batch(poll=5)
#: The endpoint holds as many requests as it takes: a later batch may fit.
NO_ROOM = ("token_limit_exceeded", "request_limit_exceeded")


class LeftOver(Exception):
    """A batch does not answer this call. `reason` is one line, empty if none was tried; `again`: another one may."""

    def __init__(self, reason: str = "", again: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


class Batcher:
    """The batches of one model in a job. Without `model.batch` nothing is handed in, and what is on its way is ended."""

    def __init__(
        self,
        model: Model,
        memory: BatchMemory,
        ledger: Ledger,
        say: Callable[[str], None],
    ) -> None:
        self._model = model
        self._on = model.batch is not None
        self._options = model.batch or SWITCHED_OFF
        self._memory = memory
        self._ledger = ledger
        self._say = say
        self._api: BatchApi | None = None
        self._body: Callable[[Request], dict[str, Any]] = lambda request: {}
        self._opening = asyncio.Lock()
        self._held: dict[str, Handed] = {}  # by key: batches that an earlier job handed in
        self._waiting: dict[str, tuple[Request, asyncio.Future[Reply]]] = {}
        self._gathered: list[Request] = []
        self._timer: asyncio.TimerHandle | None = None
        self._probing = False
        self._probed = asyncio.Event()
        self._most = MOST_LINES  # calls in one batch
        self._no_room_since: float | None = None
        self._live: set[str] = set()  # keys that no batch is tried for any more
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the name of the batch, or of the gathering

    # -- for the speaker ---------------------------------------------------------------------------------------

    async def open(self, endpoint: Endpoint, name: str, extra_body: Mapping[str, Any]) -> None:
        """Learn where calls go, and which of them are on their way already. The first time counts."""
        async with self._opening:
            if self._api is not None:
                return
            api = BatchApi(endpoint.address, api_key(self._model))
            for batch in self._memory.batches():
                if batch.address != api.address:
                    self._say(f"batch {batch.id or batch.name} is on its way at {batch.address}: left there")
                elif (known := await self._known(api, batch)) is not None:
                    self._held.update(dict.fromkeys(known.keys, known))
            self._body = lambda request: endpoint.body(request, name, extra_body)
            self._api = api

    async def _known(self, api: BatchApi, batch: Handed) -> Handed | None:
        """The batch with its id; None, and forgotten, if the job was killed before it came about."""
        if batch.id is not None:
            return batch
        try:
            found = await api.find(batch)
        except NotNow as fault:
            raise ParleyError(f"endpoint {api.address}: {fault}; run again, no batch is lost") from None
        if found is not None:
            return self._memory.handed_in(batch, found)
        self._memory.forget(batch)
        return None

    def holds(self, key: str) -> bool:
        """True if this call is on its way: an earlier job has paid for it."""
        return key in self._held and key not in self._live

    def takes(self, request: Request) -> bool:
        """True if this call goes through a batch, False if it is to be sent live. The first one asked about is."""
        if self.holds(request.key):
            return True
        if not self._on or request.key in self._live or any(part["role"] == "assistant" for part in request.messages):
            return False
        first, self._probing = not self._probing, True
        return not first

    def probed(self) -> None:
        """A live call has ended, well or badly: what the endpoint takes is known."""
        self._probed.set()

    async def answer(self, request: Request) -> Reply:
        """The answer from a batch; it is in the ledger. Raises `LeftOver` if there is none, `ParleyError` for all."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request.key] = request, answer
        try:
            if (batch := self._held.get(request.key)) is None:
                self._gather(request)
            elif batch.name not in self._tasks:
                self._start(batch.name, self._take_up(batch), batch.keys)
            return await answer
        finally:
            self._waiting.pop(request.key, None)

    async def close(self) -> None:
        """Wait for nothing more. Batches go on at the endpoint, and are taken up by the next run."""
        if self._timer is not None:
            self._timer.cancel()
        if tasks := list(self._tasks.values()):
            self._say("what was handed in goes on at the endpoint; the same command takes it up again")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._api is not None:
            await self._api.close()

    # -- gathering ---------------------------------------------------------------------------------------------

    def _gather(self, request: Request) -> None:
        self._gathered.append(request)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._close_gathering)

    def _close_gathering(self) -> None:
        """Everyone who asks has asked: hand it in."""
        calls, self._gathered = self._gathered, []
        if len(calls) < self._options.fewest:
            self._settle({call.key: LeftOver() for call in calls})
            return
        self._start(f"gathered {calls[0].key}", self._hand_in_all(calls), [call.key for call in calls])

    async def _hand_in_all(self, calls: Sequence[Request]) -> None:
        await self._probed.wait()
        for requests, lines in self._cut(calls):
            self._start(f"handed in {requests[0].key}", self._hand_in(requests, lines), [call.key for call in requests])

    def _cut(self, calls: Sequence[Request]) -> Iterator[tuple[list[Request], list[bytes]]]:
        """The calls in files that the API takes, with their lines."""
        requests: list[Request] = []
        lines: list[bytes] = []
        size = 0
        for call in calls:
            line = line_of(call.key, self._body(call))
            if requests and (len(requests) >= self._most or size + len(line) > MOST_BYTES):
                yield requests, lines
                requests, lines, size = [], [], 0
            requests.append(call)
            lines.append(line)
            size += len(line)
        yield requests, lines

    # -- one batch ---------------------------------------------------------------------------------------------

    async def _hand_in(self, requests: list[Request], lines: list[bytes]) -> None:
        assert self._api is not None
        batch = self._memory.intend(self._api.address, requests)
        try:
            batch_id = await self._api.hand_in(batch, lines)
        except NotNow as fault:
            raise ParleyError(
                f"endpoint {self._api.address}: {fault}; no batch could be handed in, run again, nothing is lost"
            ) from None
        batch = self._memory.handed_in(batch, batch_id)
        lines.clear()
        self._say(f"batch {batch_id}: {len(requests)} calls handed in; the longest wait is {self._options.hours:g} h")
        await self._follow(batch, {request.key: request for request in requests})

    async def _take_up(self, batch: Handed) -> None:
        """Wait for a batch that an earlier job handed in."""
        self._say(f"batch {batch.id}: taken up, {len(batch.keys)} calls, {_age(batch)} old")
        requests: Mapping[str, Request] = {}
        with suppress(FileNotFoundError):  # another shard has collected it meanwhile
            requests = self._memory.requests(batch)
        await self._follow(batch, requests)

    async def _follow(self, batch: Handed, requests: Mapping[str, Request]) -> None:
        """Wait for the end of a batch, put its answers into the ledger and give them to those who wait."""
        view, outcomes = await self._wait(batch)
        if view.status == "failed" and not view.files:
            await self._refused(batch, view)
            return
        requests = {**requests, **{key: request for key, (request, _) in self._waiting.items()}}
        known = set(batch.keys)
        replies = {key: got for key, got in outcomes.items() if isinstance(got, Reply) and key in known}
        good = [(requests[key], reply) for key, reply in replies.items() if key in requests]
        for start in range(0, len(good), MERGE):
            await asyncio.gather(*(self._ledger.keep(*call) for call in good[start : start + MERGE]))
        self._memory.forget(batch)
        self._no_room_since = None
        self._say(f"batch {batch.id}: {view.status} after {_age(batch)}, {len(good)} of {len(batch.keys)} answered")
        why = "no answer" if view.status == "completed" else view.status
        self._settle(
            {
                key: replies[key] if key in replies else LeftOver(f"batch: {outcomes.get(key, why)}")
                for key in batch.keys
            }
        )

    async def _refused(self, batch: Handed, view: View) -> None:
        """A batch that was not begun: for lack of room, which passes, or because of what is in it."""
        self._memory.forget(batch)
        reason = "; ".join(f"{code}: {message}" for code, message in view.faults) or "no reason given"
        if not any(code in NO_ROOM for code, _ in view.faults):
            raise ParleyError(
                f"batch {batch.id} was refused ({reason}); if the endpoint takes no batches of this model, delete "
                "`batch` in the config and run again, nothing is lost"
            )
        self._no_room_since = self._no_room_since or time.monotonic()
        patient = time.monotonic() - self._no_room_since < self._options.hours * 3600
        # Smaller batches find room sooner, and one that is larger than all the room never would.
        self._most = max(1, min(self._most, len(batch.keys) // 2))
        self._say(
            f"batch {batch.id}: no room yet ({reason}); once more in {span(self._options.poll)}, in smaller batches"
        )
        await asyncio.sleep(self._options.poll)
        self._settle({key: LeftOver(f"batch: {reason}", again=patient) for key in batch.keys})

    async def _wait(self, batch: Handed) -> tuple[View, dict[str, Reply | str]]:
        """Look at a batch until it has ended; its last view and what it has. It is cancelled when it takes too long."""
        assert self._api is not None and batch.id is not None
        told, told_at, lost, cancelled = "", time.monotonic(), 0, False
        while True:
            try:
                if (view := await self._api.look(batch.id)) is None:
                    raise self._unknown(batch)
                if view.ended:
                    if (outcomes := await self._api.collect(view)) is None:
                        raise self._unknown(batch)
                    return view, outcomes
                if not cancelled and (not self._on or time.time() - batch.created > self._options.hours * 3600):
                    await self._api.cancel(batch.id)
                    cancelled = True
                    self._say(f"batch {batch.id}: cancelled after {_age(batch)}; what it lacks goes live")
                lost = 0
                line = f"{view.status}, {view.completed} of {view.total} done, {view.failed} failed"
            except NotNow as fault:
                lost, line = lost + 1, f"not reached ({fault})"
                if lost >= LOST_LOOKS:
                    raise ParleyError(
                        f"endpoint {self._api.address}: {fault}; batch {batch.id} goes on there, run again to take it up"
                    ) from None
            if line != told or time.monotonic() - told_at > SAY_AFTER:
                told, told_at = line, time.monotonic()
                self._say(f"batch {batch.id}: {line}, {_age(batch)} old")
            await asyncio.sleep(self._options.poll)

    def _unknown(self, batch: Handed) -> ParleyError:
        return ParleyError(
            f"endpoint {batch.address} does not know batch {batch.id} or its files, handed in {_age(batch)} ago with "
            f"{len(batch.keys)} calls; use the key it was handed in with, or delete {self._memory.folder}/{batch.name}.* "
            "to have its calls made (and paid) anew"
        )

    # -- who waits ---------------------------------------------------------------------------------------------

    def _settle(self, outcomes: Mapping[str, Reply | Exception]) -> None:
        for key, outcome in outcomes.items():
            self._held.pop(key, None)
            if isinstance(outcome, LeftOver) and not outcome.again:
                self._live.add(key)
            _, answer = self._waiting.get(key, (None, None))
            if answer is not None and not answer.done():
                answer.set_result(outcome) if isinstance(outcome, Reply) else answer.set_exception(outcome)

    def _start(self, name: str, work: Any, keys: Sequence[str]) -> None:
        """Do `work` beside; if it fails, all that wait for these keys fail."""

        async def guarded() -> None:
            try:
                await work
            except Exception as error:
                self._settle(dict.fromkeys(keys, error))

        task = self._tasks[name] = asyncio.ensure_future(guarded())
        task.add_done_callback(lambda _: self._tasks.pop(name, None))


def _age(batch: Handed) -> str:
    return span(time.time() - batch.created)
