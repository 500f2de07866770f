"""The app through its routes: a rater's way, and what must not be possible."""

from pathlib import Path

from tests.annotating import browsing, study_in


def test_a_rater_goes_from_the_link_to_the_code(tmp_path: Path) -> None:
    study, clock = study_in(tmp_path, 2)
    ((name, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        assert "Before you begin" in browser.enter(token).text
        assert "What you rate" in browser.post("/consent", choice="agree").text
        assert "An example" in browser.post("/guide").text
        assert "Try it" in browser.post("/example").text
        from parley.annotate.forms import form_of

        assert "Conversation 1" in browser.post("/qualification", **form_of(study.qualification.marks)).text
        clock.now += 100
        assert "Conversation 2" in browser.rate().text
        clock.now += 100
        page = browser.rate()
        rater = study.raters.listed()[0]
        assert rater["rater"] == name and rater["step"] == "done" and rater["code"] in page.text
    given = study.work.annotations()
    assert [one.item for one in given] == ["i00", "i01"] and {one.flags for one in given} == {()}
    assert given[0].marks[0]["goal"].score == 6 and given[0].seconds == 100
