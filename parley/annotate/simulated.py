"""Simulated raters: they come by link, consent, read, qualify and rate through the app's own pages, as people do.

They go round by round: each is given an item, a model is asked for all of them at once, and they hand in one after the
other, each after its own time on a clock that only this moves. So the same answers give the same study, to the byte.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from math import ceil

import aiohttp

from parley.annotate.app import application
from parley.annotate.flags import least_seconds
from parley.annotate.forms import form_of
from parley.annotate.serving import served
from parley.annotate.study import Study
from parley.canonical import seed_from
from parley.errors import ParleyError
from parley.records.annotation import Marks
from parley.records.item import Item

#: Asks a model to be the rater of an item (the try, from 0); or says why there is no answer.
Ask = Callable[[Item, str, int], Awaitable[tuple[Marks, Marks] | str]]
#: Raters that come at once at the most.
CREW = 24
#: Of how many items a simulated rater hurries through one.
HURRY = 40


class Clock:
    """A clock that only the simulation moves, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class _Form(HTMLParser):
    """The hidden fields of a page, and the item that it asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.item: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a hidden field, and of the form's item."""
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"]] = given["value"]
        if tag == "form" and "data-item" in given:
            self.item = given["data-item"]


@dataclass
class _Rater:
    """A simulated rater at a page, `since` when on the clock."""

    name: str
    browser: aiohttp.ClientSession
    url: str
    since: float
    path: str = ""
    form: _Form = field(default_factory=lambda: _Form(""))

    async def get(self, path: str) -> None:
        """Open a page."""
        async with self.browser.get(self.url + path) as answer:
            await self._look(answer)

    async def post(self, path: str, **fields: str) -> None:
        """Hand in the form of the page, with these fields filled in."""
        async with self.browser.post(self.url + path, data={**self.form.hidden, **fields}) as answer:
            await self._look(answer)

    async def _look(self, answer: aiohttp.ClientResponse) -> None:
        text = await answer.text()
        if answer.status != 200:
            raise ParleyError(f"the app refused the simulated rater {self.name} at {answer.url.path}: {answer.status}")
        self.path, self.form = answer.url.path, _Form(text)


@dataclass(frozen=True)
class Outcome:
    """What came of a simulation: how many raters came, and the calls that gave no marks, each with its reason."""

    raters: int
    failures: tuple[str, ...]


async def simulate(study: Study, clock: Clock, ask: Ask, seed: int) -> Outcome:
    """Have a study rated until it wants nothing more, or until more raters bring nothing more."""
    with served(application(study, study.mint(), ticks=clock)) as url:
        return await _Simulation(study, clock, ask, seed, url).run()


class _Simulation:
    def __init__(self, study: Study, clock: Clock, ask: Ask, seed: int, url: str) -> None:
        self._study = study
        self._clock = clock
        self._ask = ask
        self._seed = seed
        self._url = url
        self._items: Mapping[str, Item] = study.work.items()
        self._failures: list[str] = []

    async def run(self) -> Outcome:
        came = 0
        while wanted := self._study.work.open_places():
            crew = min(CREW, ceil(wanted / self._study.work.per_rater) + 1)
            came += crew
            await self._shift(crew)
            if self._study.work.open_places() >= wanted:
                break
            self._clock.now += self._study.work.idle + 1  # what was left half done goes to the next
        return Outcome(came, tuple(self._failures))

    async def _shift(self, crew: int) -> None:
        """So many new raters come, and go when there is nothing more for them."""
        raters = []
        for name, token in self._study.raters.invite(crew):
            # Each request on a connection of its own: one that waited while a model thought may be closed just now.
            fresh = aiohttp.TCPConnector(force_close=True)
            browser = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), connector=fresh)
            rater = _Rater(name, browser, self._url, self._clock.now)
            raters.append(rater)
            await rater.get(f"/enter/{token}")
            await rater.post(f"/enter/{token}")
            await rater.post("/consent", choice="agree")
            await rater.post("/guide")
            await rater.post("/example")
        try:
            trying = 0
            while working := [rater for rater in raters if rater.path in ("/qualification", "/rate")]:
                await self._round(working, trying)
                trying += 1
        finally:
            for rater in raters:
                await rater.browser.close()
            self._clock.now = max(rater.since for rater in raters)

    async def _round(self, raters: list[_Rater], trying: int) -> None:
        """Each rates the page that it is at; who has no marks for it goes home."""
        items = [
            self._study.qualification.item if rater.path == "/qualification" else self._items[rater.form.item or ""]
            for rater in raters
        ]
        answers = await asyncio.gather(
            *(
                self._ask(item, rater.name, trying if rater.path == "/qualification" else 0)
                for rater, item in zip(raters, items, strict=True)
            )
        )
        ready = [rater.since + self._seconds(rater.name, item) for rater, item in zip(raters, items, strict=True)]
        for then, rater, item, answer in sorted(
            zip(ready, raters, items, answers, strict=True), key=lambda one: (one[0], one[1].name)
        ):
            self._clock.now = rater.since = then
            if isinstance(answer, str):
                self._failures.append(f"{rater.name} on {item.id}: {answer}")
                rater.path = ""
                continue
            page = rater.path
            await rater.post(page, action="submit", **form_of(answer))
            if "noted" in rater.form.hidden:  # a reason is missing, and it stays so
                await rater.post(page, action="submit", **form_of(answer))

    def _seconds(self, rater: str, item: Item) -> float:
        """How long a rater takes: reading at the speed of people, some minutes of marking; and now and then in a hurry."""
        drawn = seed_from(self._seed, "pace", rater, item.id)
        if drawn % HURRY == 0:
            return round(0.8 * least_seconds(item.words), 1)
        return round(item.words / 4 + 90 + drawn % 240, 1)
