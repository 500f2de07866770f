"""Speakers: what the social world talks to. The ledger is asked first, a model only for what is new."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parley.config import Experiment, Model
from parley.errors import ParleyError
from parley.llm.batch import Batcher, LeftOver
from parley.llm.batch_memory import BatchMemory
from parley.llm.call import CallFailed, Reply, Request
from parley.llm.identity import identity_of
from parley.llm.ledger import Ledger
from parley.llm.prices import cost
from parley.llm.purse import Account, Purse
from parley.llm.source import Source
from parley.llm.taken import Usage
from parley.llm.weights import cache_folder
from parley.records.message import Message

#: Calls in flight, by key: what is asked twice at once is sent once.
Flights = dict[str, asyncio.Task[Reply]]


@dataclass
class Counts:
    """What a speaker did in this run. Tokens, retries and cost are of the calls that were sent and answered."""

    sent: int = 0
    replayed: int = 0
    failed: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Speaker:
    """A policy or a model that answers. Made by `speakers`."""

    def __init__(
        self,
        name: str,
        model: Model,
        identity: dict[str, Any],
        source: Source,
        ledger: Ledger,
        *,
        adapter: str | None = None,
        purse: Account | None = None,
        flights: Flights | None = None,
        batcher: Batcher | None = None,
    ) -> None:
        self.name = name
        self.identity = identity
        self.counts = Counts()
        self.usage = Usage()
        self._model = model
        self.source = source
        self._adapter = adapter
        self._ledger = ledger
        self._purse = purse or Purse(None).of(name)
        self._flights: Flights = {} if flights is None else flights
        self._batcher = batcher

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        seed: int | None = None,
        replicate: int = 0,
    ) -> Reply:
        """The answer to `messages`: from the ledger if it was paid for before, else from the model.

        Raises `CallFailed` if this call has no answer, and `ParleyError` if none can have one (no server, no key, no
        budget left). Equal requests are one call, `replicate` tells wanted repetitions apart.
        """
        request = Request(self.identity, tuple(messages), seed, schema, replicate)
        if (reply := self._ledger.get_or_claim(request.key)) is not None:
            return self._replay(reply)
        if (flight := self._flights.get(request.key)) is not None:
            # The next run will find it in the ledger each time that it is asked for.
            return self._replay(replace(await asyncio.shield(flight), replayed=True))
        flight = self._flights[request.key] = asyncio.ensure_future(self._send(request))
        flight.add_done_callback(lambda done: self._landed(request.key, done))
        # Who asked first may be cancelled; others may wait for the same answer, and it is paid for.
        return await asyncio.shield(flight)

    async def _send(self, request: Request) -> Reply:
        self._ledger.ready()
        async with self._ledger.asking(request.key) as kept:
            if kept is None:
                return await self._ask(request)
        return self._replay(kept)

    async def _ask(self, request: Request) -> Reply:
        endpoint, name, extra_body = await self.source.reach(self._model, self._adapter)
        left: list[str] = []  # why batches did not answer
        if self._batcher is not None:
            await self._batcher.open(endpoint, name, extra_body)
            while self._batcher.takes(request):
                try:
                    return await self._send_in_batch(self._batcher, request)
                except LeftOver as over:
                    left += [over.reason] if over.reason else []
        set_aside = await self._purse.set_aside(self._model, request)
        paid = 0.0
        try:
            reply = await endpoint.send(request, name, extra_body)
            if left:
                reply = replace(reply, retries=reply.retries + len(left), failures=(*left, *reply.failures))
            await self._ledger.keep(request, reply)
            paid = cost(self._model, reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens) or 0.0
        except CallFailed as failure:
            self._ledger.record_failure(failure.key, request, failure.reason)
            self.counts.failed += 1
            self.usage.fail(failure)
            raise
        except asyncio.CancelledError:
            paid = set_aside  # the endpoint may charge for it all the same
            raise
        finally:
            self._purse.settle(set_aside, paid)
            if self._batcher is not None:
                self._batcher.probed()
        self._count(reply, paid)
        return reply

    async def _send_in_batch(self, batcher: Batcher, request: Request) -> Reply:
        # What is on its way was set aside, and left as spent, by the run that handed it in.
        held = batcher.holds(request.key)
        set_aside = 0.0 if held else await self._purse.set_aside(self._model, request, batch=True)
        paid = set_aside  # whatever happens here, the batch goes on
        try:
            reply = await batcher.answer(request)
            paid = (
                cost(self._model, reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens, batch=True) or 0.0
            )
        except LeftOver:
            paid = 0.0
            raise
        finally:
            self._purse.settle(set_aside, paid)
        self._count(reply, paid)
        return reply

    def _replay(self, reply: Reply) -> Reply:
        self.counts.replayed += 1
        self.usage.add(reply)
        return reply

    def _count(self, reply: Reply, paid: float) -> None:
        self.usage.add(reply)
        self.counts.sent += 1
        self.counts.retries += reply.retries
        self.counts.prompt_tokens += reply.prompt_tokens
        self.counts.completion_tokens += reply.completion_tokens
        self.counts.cost += paid

    def _landed(self, key: str, flight: asyncio.Task[Reply]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # marks it as seen: whoever asked has it, or was cancelled


@asynccontextmanager
async def speakers(
    experiment: Experiment,
    names: Iterable[str],
    ledger: Ledger,
    adapters: Mapping[str, Path] | None = None,
    logs: Path | None = None,
    *,
    cache: Path | None = None,
    batches: Path | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> AsyncIterator[dict[str, Speaker]]:
    """Speakers for policies and models of the config, by name.

    `adapters` gives the PEFT folder of every trained policy among `names`. Players that share a local base model share
    one engine; engines start at the first call that the ledger does not hold, log into `logs` and are always stopped.
    `batches` is the folder where a stage of single calls remembers its batches, of which it tells through `say`; without
    it every call is live.
    """
    wanted = list(dict.fromkeys(names))
    folders = {name: _adapter(name, adapters or {}) for name in wanted if experiment.trained(name)}
    cache = cache or cache_folder()
    purse, flights = Purse.of_run(experiment.budget), Flights()
    sources: dict[Any, Source] = {}
    batchers: list[Batcher] = []
    result: dict[str, Speaker] = {}
    for name in wanted:
        model = experiment.model_of(name)
        identity = await asyncio.to_thread(identity_of, model, folders.get(name), cache)
        source = sources.setdefault(Source.kind(model), Source(cache, logs, list(sources.values())))
        source.add(model, name if name in folders else None, folders.get(name))
        adapter = name if name in folders else None
        batcher = _batcher(model, batches, ledger, say)
        batchers += [batcher] if batcher is not None else []
        account = purse.of(experiment.model_name(name))
        result[name] = Speaker(
            name, model, identity, source, ledger, adapter=adapter, purse=account, flights=flights, batcher=batcher
        )
    try:
        yield result
    finally:
        await _finish(flights, batchers, sources.values())


def _batcher(model: Model, folder: Path | None, ledger: Ledger, say: Callable[[str], None]) -> Batcher | None:
    """The batches of a model that is asked through them, or was until now."""
    if folder is None or model.engine != "openai":
        return None
    memory = BatchMemory(folder)
    return Batcher(model, memory, ledger, say) if model.batch is not None or memory.batches() else None


async def _finish(flights: Flights, batchers: Iterable[Batcher], sources: Iterable[Source]) -> None:
    for flight in (pending := list(flights.values())):
        flight.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for batcher in batchers:
        await batcher.close()
    for source in sources:
        await source.close()


def _adapter(name: str, adapters: Mapping[str, Path]) -> Path:
    if name not in adapters:
        raise ParleyError(f"policy {name!r} is trained, but its adapter folder was not given; train it first")
    return adapters[name]


def summary(result: Mapping[str, Speaker]) -> str:
    """One line for a job's log: what each speaker did."""
    parts = []
    for name, speaker in sorted(result.items()):
        counts = speaker.counts
        money = f", {counts.cost:.4f} paid" if counts.cost else ""
        parts.append(
            f"{name}: {counts.sent} sent, {counts.replayed} replayed, {counts.failed} failed, "
            f"{counts.retries} retries, {counts.prompt_tokens}+{counts.completion_tokens} tokens{money}"
        )
    return "; ".join(parts)
