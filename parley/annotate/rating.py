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

    @router.get("/rate")
    def rate(visit: visiting, told: str = "") -> Response:
        visit.must_be_at("rate")
        assignment = study.work.current(visit.rater.name)
        if assignment is None:
            study.raters.advance(visit.rater, "done")
            raise Elsewhere("/done")
        wanted = told == "wanted"
        shown: dict[str, Any] = {
            "missing": missing_scores(assignment.entries) if wanted else [],
            "unexplained": missing_reasons(assignment.entries) if wanted else [],
            "saved": told == "saved",
            "per_rater": study.work.per_rater,
        }
        return site.page("rate", visit=visit, assignment=assignment, **shown)

    @router.post("/rate")
    def rated(posted: posting) -> Response:
        visit, entries, assignment = posted.visit, posted.entries, posted.assignment
        visit.must_be_at("rate")
        if not study.work.save(assignment, visit.rater.name, entries):
            raise Elsewhere("/rate")  # sent twice: it is done already
        # What there is to tell has an address, so that a browser can go back to it, and shows it rather than the top.
        if posted.fields.get("action") == "save":
            raise Elsewhere("/rate?told=saved#told")
        missing, unexplained = missing_scores(entries), missing_reasons(entries)
        if missing or (unexplained and posted.fields.get("noted") != "yes"):
            raise Elsewhere("/rate?told=wanted#told")
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
