"""The app: the pages of a rater and of who runs the study, over one study file."""

import sys
import time
from collections.abc import Callable, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from parley.annotate.admin import admin_pages
from parley.annotate.arriving import arriving_pages
from parley.annotate.learning import learning_pages
from parley.annotate.rating import rating_pages
from parley.annotate.site import HERE, Elsewhere, Refused, Site
from parley.annotate.study import Study
from parley.errors import ParleyError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def application(
    study: Study, admin_token: str, hosts: Sequence[str] = (), ticks: Callable[[], float] = time.monotonic
) -> FastAPI:
    """The app of a study. It answers to the names of this machine's loopback and to `hosts`, and to no others."""
    site = Site(study, ticks)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    for pages in (arriving_pages(site), learning_pages(site), rating_pages(site), admin_pages(site, admin_token)):
        app.include_router(pages)
    app.middleware("http")(site.guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, *hosts], www_redirect=False)

    @app.exception_handler(Elsewhere)
    async def elsewhere(request: Request, error: Elsewhere) -> Response:
        return RedirectResponse(error.url, 303)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return site.message(error)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Response:
        told = {404: "There is no such page.", 405: "This page cannot be used in this way."}
        return site.message(Refused(error.status_code, "Not here", told.get(error.status_code, str(error.detail))))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return site.message(Refused(400, "Not understood", "Load the page again and send it once more."))

    @app.exception_handler(ParleyError)
    async def trouble(request: Request, error: ParleyError) -> Response:
        print(f"error: {error}", file=sys.stderr, flush=True)
        text = "The study cannot be reached just now, and what you sent last was not kept. Try again in a minute."
        return site.message(Refused(503, "Not now", text))

    return app
