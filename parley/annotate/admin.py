"""The pages of who runs the study, behind a token: progress, raters and links."""

import statistics
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from parley.annotate.assignment import wanted
from parley.annotate.flags import MEANINGS
from parley.annotate.site import ADMIN_COOKIE, Elsewhere, Refused, Site, fields_of
from parley.annotate.study import Study
from parley.annotate.tokens import derived, same

#: Most links that are made at once.
MOST_LINKS = 500


def progress(study: Study) -> dict[str, Any]:
    """How the study stands, in numbers. Groups have letters: who runs the study may be a rater too."""
    standings, given = study.work.standings(), study.work.annotations()
    strata = sorted({one.stratum for one in standings})
    groups = [
        {
            "name": f"group {number + 1}",
            "items": sum(one.stratum == stratum for one in standings),
            "ratings": sum(one.done for one in standings if one.stratum == stratum),
            "open": sum(wanted(one, study.work.raters) for one in standings if one.stratum == stratum),
        }
        for number, stratum in enumerate(strata)
    ]
    flags = {meaning: sum(name in one.flags for one in given) for name, meaning in MEANINGS.items()}
    seconds = [one.seconds for one in given if one.seconds is not None]
    return {
        "items": len(standings),
        "complete": sum(one.done >= study.work.raters for one in standings),
        "ratings": len(given),
        "open": study.work.open_places(),
        "doubtful": sum(one.doubtful for one in standings),
        "seconds": statistics.median(seconds) if seconds else None,
        "groups": groups,
        "flags": flags,
        "raters": study.raters.listed(),
    }


def admin_pages(site: Site, token: str) -> APIRouter:
    """The routes of who runs the study."""
    router, study = APIRouter(prefix="/admin"), site.study
    session = derived(token, "admin session")

    async def admin(request: Request) -> str:
        """The secret of the forms of an admin's session. Raises `Elsewhere` for anybody else."""
        if not same(request.cookies.get(ADMIN_COOKIE, ""), session):
            raise Elsewhere("/admin/login")
        return derived(session, "form")

    async def posted(request: Request, form: Annotated[str, Depends(admin)]) -> dict[str, str]:
        return await fields_of(request, form)

    def overview(form: str, links: list[tuple[str, str]]) -> Response:
        return site.page("admin", admin=form, progress=progress(study), links=links)

    @router.get("")
    def show(form: Annotated[str, Depends(admin)]) -> Response:
        return overview(form, [])

    @router.get("/login")
    def ask() -> Response:
        return site.page("login")

    @router.post("/login")
    async def login(request: Request) -> Response:
        site.check_guesses(request)
        form = await request.form(max_files=0, max_fields=4)
        if not same(str(form.get("token", "")), token):
            site.guess(request)
            raise Refused(403, "Wrong token", "Take the token that was printed when serving began.")
        response = RedirectResponse("/admin", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(ADMIN_COOKIE, session, httponly=True, samesite="strict", secure=secure, path="/admin")
        return response

    @router.post("/invite")
    async def invite(
        request: Request, fields: Annotated[dict[str, str], Depends(posted)], form: Annotated[str, Depends(admin)]
    ) -> Response:
        count = fields.get("count", "")
        if not count.isascii() or not count.isdigit() or not 1 <= int(count) <= MOST_LINKS:
            raise Refused(400, "Not understood", f"Between 1 and {MOST_LINKS} links can be made at once.")
        made = await run_in_threadpool(study.raters.invite, int(count))
        links = [(name, f"{request.base_url}enter/{secret}") for name, secret in made]
        return await run_in_threadpool(overview, form, links)

    return router
