"""Pages on which a rater rates: the item, its draft, and the completion code in the end."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, RedirectResponse, Response

from parley.annotate.forms import missing_reasons, missing_scores
from parley.annotate.site import Elsewhere, Posted, Site, Visit


def rating_pages(site: Site) -> APIRouter:
    """The routes of rating."""
    router, study = APIRouter(), site.study
    visiting = Annotated[Visit, Depends(site.visit)]
    posting = Annotated[Posted, Depends(site.posted)]

    def ask(visit: Visit, **more: object) -> Response:
        assignment = study.work.current(visit.rater.name)
        if assignment is None:
            study.raters.advance(visit.rater, "done")
            raise Elsewhere("/done")
        shown: dict[str, Any] = {
            "missing": [],
            "unexplained": [],
            "saved": False,
            "per_rater": study.work.per_rater,
            **more,
        }
        return site.page("rate", visit=visit, assignment=assignment, **shown)

    @router.get("/rate")
    def rate(visit: visiting) -> Response:
        visit.must_be_at("rate")
        return ask(visit)

    @router.post("/rate")
    def rated(posted: posting) -> Response:
        visit, entries, assignment = posted.visit, posted.entries, posted.assignment
        visit.must_be_at("rate")
        if not study.work.save(assignment, visit.rater.name, entries):
            raise Elsewhere("/rate")  # sent twice: it is done already
        if posted.fields.get("action") == "save":
            return ask(visit, saved=True)
        missing, unexplained = missing_scores(entries), missing_reasons(entries)
        if missing or (unexplained and posted.fields.get("noted") != "yes"):
            return ask(visit, missing=missing, unexplained=unexplained)
        study.work.submit(assignment, visit.rater.name, entries)
        return RedirectResponse("/rate", 303)

    @router.post("/draft")
    def draft(posted: posting) -> Response:
        kept = study.work.save(posted.assignment, posted.visit.rater.name, posted.entries)
        return JSONResponse({"kept": kept}, 200 if kept else 409)

    @router.get("/done")
    def done(visit: visiting) -> Response:
        visit.must_be_at("done")
        return site.page("done", visit=visit, code=study.settings.code or visit.rater.code)

    return router
