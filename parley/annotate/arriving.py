"""Pages around a study: the link, the consent, and what a person may know and have deleted."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from parley.annotate.site import COOKIE, Elsewhere, Posted, Refused, Site, Visit

#: Seconds that a session lasts in the browser.
LASTS = 30 * 24 * 3600
#: Characters of an id that a recruiting service sends along.
LONGEST_ID = 100


def arriving_pages(site: Site) -> APIRouter:
    """The routes of coming, consenting and going."""
    router, study = APIRouter(), site.study
    visiting = Annotated[Visit, Depends(site.visit)]
    posting = Annotated[Posted, Depends(site.posted)]

    @router.get("/")
    def start(request: Request) -> Response:
        session = request.cookies.get(COOKIE, "")
        rater = study.raters.of_session(session) if session else None
        if rater is not None:
            raise Elsewhere(f"/{rater.step}")
        raise Refused(200, study.settings.title, "Open the link that you were sent: it brings you to your ratings.")

    @router.get("/enter/{token}")
    def arrive(request: Request, token: str) -> Response:
        site.check_guesses(request)
        # A session begins with a click: programs that only look at links begin none.
        return site.page("begin", external=request.query_params.get("PROLIFIC_PID", "")[:LONGEST_ID])

    @router.post("/enter/{token}")
    async def enter(request: Request, token: str) -> Response:
        site.check_guesses(request)
        form = await request.form(max_files=0, max_fields=4)
        external = str(form.get("external", ""))[:LONGEST_ID]
        session = await run_in_threadpool(study.raters.enter, token, external)
        if session is None:
            site.guess(request)
            raise Refused(404, "Unknown link", "This link is not known. Copy it whole, or ask who sent it.")
        response = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, session, max_age=LASTS, httponly=True, samesite="lax", secure=secure)
        return response

    @router.get("/consent")
    def consent(visit: visiting) -> Response:
        visit.must_be_at("consent")
        return site.page("consent", visit=visit, text=study.consent())

    @router.post("/consent")
    def consented(posted: posting) -> Response:
        posted.visit.must_be_at("consent")
        agreed = posted.fields.get("choice") == "agree"
        study.raters.advance(posted.visit.rater, "guide" if agreed else "declined")
        return RedirectResponse("/", 303)

    @router.get("/declined")
    def declined(visit: visiting) -> Response:
        visit.must_be_at("declined")
        return site.page("message", visit=visit, title="Thank you", text="You are not taking part. Nothing was rated.")

    @router.get("/data")
    def data(visit: visiting) -> Response:
        return site.page("data", visit=visit, known=study.raters.data(visit.rater.name))

    @router.get("/data.json")
    def data_file(visit: visiting) -> Response:
        text = json.dumps(study.raters.data(visit.rater.name), indent=1, ensure_ascii=False)
        name = f'attachment; filename="{visit.rater.name}.json"'
        return Response(text, headers={"Content-Disposition": name, "Content-Type": "application/json"})

    @router.post("/data/delete")
    def forget(posted: posting) -> Response:
        if posted.fields.get("sure") != "yes":
            raise Elsewhere("/data")
        study.raters.delete(posted.visit.rater.name)
        response = site.page("message", title="Deleted", text="Everything that was kept of you is deleted.")
        response.delete_cookie(COOKIE)
        return response

    return router
