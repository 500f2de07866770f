"""Pages on which a rater learns what to do: the guide, the rated example, the qualification item."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response

from parley.annotate.forms import missing_scores
from parley.annotate.raters import TRIES
from parley.annotate.site import Posted, Site, Visit
from parley.annotate.work import Entries


def learning_pages(site: Site) -> APIRouter:
    """The routes from the guide to the qualification."""
    router, study = APIRouter(), site.study
    visiting = Annotated[Visit, Depends(site.visit)]
    posting = Annotated[Posted, Depends(site.posted)]

    @router.get("/guide")
    def instructions(visit: visiting) -> Response:
        visit.must_be_at("guide")
        return site.page("guide", visit=visit, again=False)

    @router.post("/guide")
    def understood(posted: posting) -> Response:
        study.raters.advance(posted.visit.rater, "example")
        return RedirectResponse("/", 303)

    @router.get("/guide/again")
    def once_more(visit: visiting) -> Response:
        return site.page("guide", visit=visit, again=True)

    @router.get("/example")
    def example(visit: visiting) -> Response:
        visit.must_be_at("example")
        return site.page("example", visit=visit, rated=study.example)

    @router.post("/example")
    def seen(posted: posting) -> Response:
        study.raters.advance(posted.visit.rater, "qualification")
        return RedirectResponse("/", 303)

    def ask(visit: Visit, entries: Entries, **more: object) -> Response:
        item, left = study.qualification.item, TRIES - visit.rater.tries
        shown: dict[str, Any] = {
            "item": item,
            "entries": entries,
            "seats": (0, 1),
            "left": left,
            "missing": [],
            "off": [],
            **more,
        }
        return site.page("qualification", visit=visit, **shown)

    @router.get("/qualification")
    def qualification(visit: visiting) -> Response:
        visit.must_be_at("qualification")
        return ask(visit, {})

    @router.post("/qualification")
    def qualified(posted: posting) -> Response:
        visit, entries = posted.visit, posted.entries
        visit.must_be_at("qualification")
        if missing := missing_scores(entries):
            return ask(visit, entries, missing=missing)
        study.raters.tried(visit.rater, {f"{seat}-{key}": list(value) for (seat, key), value in entries.items()})
        left = TRIES - visit.rater.tries - 1
        if study.qualification.passed(entries):
            study.raters.advance(visit.rater, "rate")
        elif left <= 0:
            study.raters.advance(visit.rater, "unqualified")
        else:
            return ask(visit, entries, off=study.qualification.off(entries), left=left)
        return RedirectResponse("/", 303)

    @router.get("/unqualified")
    def unqualified(visit: visiting) -> Response:
        visit.must_be_at("unqualified")
        text = "Your ratings of the first conversation lie too far from ours, so the study ends here for you."
        return site.page("message", visit=visit, title="Thank you for your time", text=text)

    return router
