"""A schedule of faults: which request meets which fault, in shares that are given and in an order that repeats."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import isfinite

from aiohttp import web

from parley.canonical import digest, seed_from
from parley.playhouse.faults import KINDS, Kind, kind_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: What is never at fault: whether the server is up, and what it did.
SPARED = ("/health", "/faults")


@dataclass(frozen=True)
class Chance:
    """A fault that meets `share` of all requests."""

    name: str
    share: float
    kind: Kind
    seconds: float


class Schedule:
    """The faults of a server. `met` counts those that requests have met, by name; `requests` counts all.

    What a request meets depends on the seed, on what it asks, and on how often it has come: on nothing else. So a
    request that is tried again has a new chance, and two clients that ask the same in any order meet the same.
    """

    def __init__(self, chances: list[Chance], seed: int = 0) -> None:
        self.chances = chances
        self.seed = seed
        self.requests = 0
        self.met: Counter[str] = Counter()
        self._came: Counter[str] = Counter()

    def next(self, *asked: str) -> Chance | None:
        """The fault that meets a request which asks this, now that it comes once more; None for most."""
        name = digest(asked)
        point = seed_from("fault", self.seed, name, self._came[name]) / 2**31
        self._came[name] += 1
        self.requests += 1
        for chance in self.chances:
            if point < chance.share:
                return chance
            point -= chance.share
        return None


def parse(text: str, seed: int = 0) -> Schedule:
    """The schedule that `NAME=SHARE[:SECONDS],…` describes. Raises `ValueError` with one line that says what is wrong.

    A name may come twice: `429=0.1,429=0.1:2` refuses a fifth of the requests, half of them with `Retry-After: 2`.
    """
    chances = [_chance(entry.strip()) for entry in text.split(",") if entry.strip()]
    if (total := sum(chance.share for chance in chances)) > 1 + 1e-9:
        raise ValueError(f"the shares add up to {total:g}, which is more than 1")
    return Schedule(chances, seed)


def _chance(entry: str) -> Chance:
    name, _, rest = entry.partition("=")
    if (kind := kind_of(name)) is None:
        raise ValueError(f"no fault is called {name!r}; there are an HTTP status, {', '.join(KINDS)}")
    share, _, seconds = rest.partition(":")
    if not 0 <= (number := _number(share, entry)) <= 1:
        raise ValueError(f"{entry}: a share is from 0 to 1")
    if seconds and kind.seconds is None:
        raise ValueError(f"{entry}: {name} takes no seconds")
    wait = _number(seconds, entry) if seconds else kind.seconds or 0.0
    if wait < 0:
        raise ValueError(f"{entry}: seconds are not less than 0")
    return Chance(name, number, kind, wait)


def _number(text: str, entry: str) -> float:
    try:
        if isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    raise ValueError(f"{entry}: not of the form NAME=SHARE or NAME=SHARE:SECONDS")


def disturb(app: web.Application, schedule: Schedule) -> web.Application:
    """Let the requests to `app` meet the faults of `schedule`; `GET /faults` tells what they met."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in SPARED:
            return await handler(request)
        body = (await request.read()).decode("utf-8", "replace")
        chance = schedule.next(request.method, request.path, body)
        if chance is None:
            return await handler(request)
        if chance.kind.act is not None:
            schedule.met[chance.name] += 1
            return await chance.kind.act(chance.seconds)(request)
        if chance.kind.spoil is None:
            schedule.met[chance.name] += 1
            await asyncio.sleep(chance.seconds)
            return await handler(request)
        return _spoiled(await handler(request), chance, schedule)

    async def told(_: web.Request) -> web.Response:
        return web.json_response({"requests": schedule.requests, "met": dict(sorted(schedule.met.items()))})

    app.middlewares.append(middleware)
    app.router.add_get("/faults", told)
    return app


def _spoiled(answer: web.StreamResponse, chance: Chance, schedule: Schedule) -> web.StreamResponse:
    """The answer with the fault in it; as it is, and not counted, where it is no answer that could have that fault."""
    assert chance.kind.spoil is not None
    if not isinstance(answer, web.Response) or answer.status != 200 or answer.text is None:
        return answer
    try:
        spoiled = chance.kind.spoil(json.loads(answer.text))
    except (ValueError, LookupError, TypeError):
        return answer
    if spoiled is None:
        return answer
    schedule.met[chance.name] += 1
    return web.json_response(spoiled)
