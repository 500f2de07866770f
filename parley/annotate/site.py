"""The site: templates, who is asking, and what guards every request (forms, limits, headers)."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from parley.annotate.forms import BadForm, field, read_entries
from parley.annotate.guide import guide
from parley.annotate.limits import Limiter
from parley.annotate.plain import html_of
from parley.annotate.raters import Rater
from parley.annotate.study import Settings, Study
from parley.annotate.tokens import derived, same
from parley.annotate.work import Entries

HERE = Path(__file__).parent
COOKIE, ADMIN_COOKIE = "parley_rater", "parley_admin"
#: Bytes of the largest form: fourteen reasons of the longest kind, and room.
LARGEST_FORM = 256 * 1024
#: No script or style but our own files, no frame around us, nothing to other sites.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def templates(settings: Settings | None = None, **changes: Any) -> jinja2.Environment:
    """The templates of all pages. Whatever they show is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["signed"] = lambda score: str(score).replace("-", "\u2212")
    environment.globals.update(guide=guide(), study=settings or Settings(**changes), field=field, plain=html_of)
    return environment


class Refused(Exception):
    """A request that is answered with a page that says why."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.title = title
        self.text = text


class Elsewhere(Exception):
    """A request that is answered by another page."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True)
class Visit:
    """Who is asking: the rater, and the secret that the forms of this session carry."""

    rater: Rater
    form: str

    def must_be_at(self, step: str) -> None:
        """Raise `Elsewhere` for a rater who is at another step."""
        if self.rater.step != step:
            raise Elsewhere(f"/{self.rater.step}")


@dataclass(frozen=True)
class Posted:
    """A form that came from one of our own pages."""

    visit: Visit
    fields: dict[str, str]

    @property
    def entries(self) -> Entries:
        """The scores and reasons in it. Raises `Refused` for what no page of ours sends."""
        try:
            return read_entries(self.fields)
        except BadForm as error:
            raise Refused(400, "Not understood", f"The form cannot be read: {error}.") from None

    @property
    def assignment(self) -> int:
        """The assignment that it is about. Raises `Refused` if it names none."""
        text = self.fields.get("assignment", "")
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise Refused(400, "Not understood", "The form does not say which conversation it is about.")
        return int(text)


class Site:
    """What the pages of a study share."""

    def __init__(self, study: Study, ticks: Callable[[], float] = time.monotonic) -> None:
        self.study = study
        self.requests = Limiter(20, 120, ticks)  # of one visitor
        self.guesses = Limiter(0.2, 20, ticks)  # of links and of the admin's token, from one address
        self._environment = templates(study.settings)

    def page(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page from its template. Every value that a template shows is escaped."""
        template = self._environment.get_template(f"{name}.html.jinja")
        text = template.render(**{"visit": None, "admin": None, **values})
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def message(self, refused: Refused) -> HTMLResponse:
        """The page that says why a request was refused."""
        return self.page("message", refused.status, title=refused.title, text=refused.text)

    # -- who is asking -----------------------------------------------------------------------------------------

    async def visit(self, request: Request) -> Visit:
        """The rater of a request. Raises `Elsewhere` for who has not come through a link."""
        session = request.cookies.get(COOKIE, "")
        rater = await run_in_threadpool(self.study.raters.of_session, session) if session else None
        if rater is None:
            raise Elsewhere("/")
        return Visit(rater, derived(session, "form"))

    async def posted(self, request: Request) -> Posted:
        """The form of a request, and whose. Raises `Refused` for one that does not come from our own page."""
        visit = await self.visit(request)
        return Posted(visit, await fields_of(request, visit.form))

    def address(self, request: Request) -> str:
        """Where a request comes from."""
        return request.client.host if request.client else ""

    def guess(self, request: Request) -> None:
        """Count a wrong token. Raises `Refused` if there were too many from there."""
        self.guesses.take(self.address(request))

    def check_guesses(self, request: Request) -> None:
        """Raise `Refused` if too many wrong tokens came from there."""
        if self.guesses.empty(self.address(request)):
            raise Refused(429, "Too many tries", "Too many wrong links came from your address. Wait a minute.")

    # -- around every request ----------------------------------------------------------------------------------

    async def guard(self, request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        """Limits before, headers after."""
        response = self._refused(request)
        if response is None:
            response = await go_on(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _refused(self, request: Request) -> Response | None:
        visitor = request.cookies.get(COOKIE) or self.address(request)
        if not request.url.path.startswith("/static/") and not self.requests.take(visitor):
            return self.message(Refused(429, "Too many requests", "Wait a moment and load the page again."))
        if request.method == "POST":
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return self.message(Refused(403, "Not from here", "This form was sent from another site."))
            length = request.headers.get("content-length", "")
            if not length.isdigit() or int(length) > LARGEST_FORM:
                return self.message(Refused(413, "Too long", "What was sent is too long."))
        return None


async def fields_of(request: Request, token: str) -> dict[str, str]:
    """The text fields of a form. Raises `Refused` unless it carries the session's secret."""
    form = await request.form(max_files=0, max_fields=64)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if not same(fields.get("form", ""), token):
        raise Refused(403, "This page is too old", "Go back, load the page again and send it once more.")
    return fields
