"""The app through its routes: a rater's way, and what must not be possible."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.annotate.forms import LONGEST, BadForm, form_of, marks_of, read_entries
from parley.annotate.guide import TEXTS, guide, rated
from parley.annotate.limits import Limiter
from parley.annotate.plain import html_of
from parley.annotate.site import LARGEST_FORM
from parley.annotate.study import Settings, Study
from parley.errors import ParleyError
from parley.records.rating import DIMENSIONS, KEYS
from tests.annotating import ADMIN, Browser, Clock, browsing, item, marks, study_in

Given = tuple[Study, Clock, Browser]


@pytest.fixture
def rating(tmp_path: Path) -> Iterator[Given]:
    """A rater who is at the first item."""
    study, clock = study_in(tmp_path, 4)
    ((_, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        browser.enter(token)
        browser.learn()
        yield study, clock, browser


def test_a_rater_goes_from_the_link_to_the_code(tmp_path: Path) -> None:
    study, clock = study_in(
        tmp_path, 2, settings=Settings(contact="ask@example.org", return_url="https://back.example/")
    )
    ((name, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        assert "Before you begin" in browser.enter(token).text
        assert "What you rate" in browser.post("/consent", choice="agree").text
        assert "An example" in browser.post("/guide").text
        assert "Try it" in browser.post("/example").text
        assert "Conversation 1" in browser.post("/qualification", **form_of(study.qualification.marks)).text
        clock.now += 100
        assert "Conversation 2" in browser.rate().text
        clock.now += 100
        page = browser.rate()
        rater = study.raters.listed()[0]
        assert rater["rater"] == name and rater["step"] == "done" and rater["code"] in page.text
        assert "ask@example.org" in page.text and 'href="https://back.example/"' in page.text
        assert rater["code"] in browser.enter(token).text  # the link still leads to the code
    given = study.work.annotations()
    assert [one.item for one in given] == ["i00", "i01"] and {one.flags for one in given} == {()}
    assert given[0].marks[0]["goal"].score == 6 and given[0].seconds == 100


def test_a_page_shows_both_profiles_and_goals_and_not_whose_they_are(rating: Given) -> None:
    study, _, browser = rating
    text = browser.get("/rate").text
    for person in study.qualification.item.people:
        assert person.goal in text and person.secret in text and person.occupation in text
    assert not re.search(r"bc_sr|partner|\bbase\b|policy", text)


def test_which_participant_comes_first_changes(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path, 12)
    first = {assignment.first for name, _ in study.raters.invite(8) if (assignment := study.work.current(name))}
    assert first == {0, 1}


def test_who_declines_is_asked_nothing_more(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    ((_, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        browser.enter(token)
        assert "You are not taking part" in browser.post("/consent", choice="decline").text
        assert browser.get("/rate").url.path == "/declined"


def test_no_step_can_be_skipped(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    ((_, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        browser.enter(token)
        for path in ("/guide", "/example", "/qualification", "/rate", "/done", "/unqualified"):
            assert browser.get(path).url.path == "/consent"
        browser.post("/example")  # a form of a later step does nothing
        assert study.raters.listed()[0]["step"] == "consent"


def test_the_qualification_may_be_tried_twice(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    ((_, token),) = study.raters.invite(1)
    wrong = form_of((marks(0, believability=0, relationship=-5), marks(0, believability=0)))
    with browsing(study) as browser:
        browser.enter(token)
        for path, fields in (("/consent", {"choice": "agree"}), ("/guide", {}), ("/example", {})):
            browser.post(path, **fields)
        page = browser.post("/qualification", **{name: value for name, value in wrong.items() if name != "s1-goal"})
        assert "Some numbers are missing" in page.text and study.raters.listed()[0]["step"] == "qualification"
        page = browser.post("/qualification", **wrong)
        assert "1 try left" in page.text and 'href="#s0-believability"' in page.text
        assert "too far from ours" in browser.post("/qualification", **wrong).text
    assert study.raters.listed()[0]["step"] == "unqualified" and study.raters.data("r001")["tries"] == 2


def test_two_points_off_in_all_marks_still_qualify() -> None:
    ours = rated(TEXTS / "qualification.yaml")
    ranges = {d.key: (d.low, d.high) for d in DIMENSIONS}

    def shifted(by: int) -> dict[tuple[int, str], tuple[int | None, str]]:
        return {
            (seat, key): (max(ranges[key][0], min(ranges[key][1], ours.marks[seat][key].score + by)), "x")
            for seat in (0, 1)
            for key in KEYS
        }

    assert ours.passed(shifted(2)) and ours.passed(shifted(-2)) and not ours.passed(shifted(3))


# -- entering marks ----------------------------------------------------------------------------------------------------


def test_a_draft_is_kept_and_shown_again(rating: Given) -> None:
    _, _, browser = rating
    answer = browser.client.post("/draft", data={**browser.hidden(), "s0-goal": "7", "s0-goal-why": 'a "half" <b>word'})
    assert answer.json() == {"kept": True}
    text = browser.get("/rate").text
    assert re.search(r'name="s0-goal" value="7" required[^>]* checked', text)
    assert "a &#34;half&#34; &lt;b&gt;word" in text


def test_missing_numbers_are_asked_for_and_nothing_is_lost(rating: Given) -> None:
    study, _, browser = rating
    fields = form_of((marks(), marks()))
    del fields["s1-secret"]
    page = browser.post("/rate", action="submit", **fields)
    assert 'role="alert"' in page.text and 'href="#s1-secret"' in page.text and "so it was" in page.text
    assert study.work.annotations() == []
    assert "Conversation 2" in browser.post("/rate", action="submit", **{"s1-secret": "0", **fields}).text


def test_missing_reasons_are_asked_for_once_and_then_flagged(rating: Given) -> None:
    study, clock, browser = rating
    clock.now += 100
    fields = {**form_of((marks(), marks(4))), "s0-goal-why": ""}
    page = browser.post("/rate", action="submit", **fields)
    assert "Some reasons are missing" in page.text and study.work.annotations() == []
    browser.post("/rate", action="submit", **fields)
    assert [one.flags for one in study.work.annotations()] == [("no_reason",)]


def test_saving_for_later_works_without_scripts(rating: Given) -> None:
    study, _, browser = rating
    page = browser.post("/rate", action="save", **{"s0-goal": "3"})
    assert "Saved. You can go on now" in page.text and study.work.annotations() == []


def test_a_form_that_is_sent_twice_counts_once(rating: Given) -> None:
    study, _, browser = rating
    first = {**browser.hidden(), **form_of((marks(), marks(4))), "action": "submit"}
    browser.client.post("/rate", data=first)
    again = browser.client.post("/rate", data={**first, "s0-goal": "0"})
    assert again.status_code == 200 and "Conversation 2" in again.text
    assert [one.marks[0]["goal"].score for one in study.work.annotations()] == [6]
    assert browser.client.post("/draft", data=first).status_code == 409


def test_what_no_page_sends_is_refused(rating: Given) -> None:
    study, _, browser = rating
    scores = [
        ("s0-goal", "11"),
        ("s0-goal", "-1"),
        ("s0-secret", "1"),
        ("s1-goal", "7.5"),
        ("s1-goal", "٣"),
        ("s0-goal", "1e1"),
    ]
    for field, value in scores:
        sent = {**browser.hidden(), **form_of((marks(), marks())), field: value, "action": "submit"}
        assert browser.client.post("/rate", data=sent).status_code == 400, (field, value)
    for number in ("", "x", "-1", "1 OR 1=1", "9" * 30, "²"):
        assert browser.client.post("/draft", data={**browser.hidden(), "assignment": number}).status_code == 400, number
    assert study.work.annotations() == []


@given(
    scores=st.lists(st.integers(0, 10), min_size=14, max_size=14),
    reasons=st.lists(st.text(max_size=60), min_size=14, max_size=14),
)
def test_marks_come_back_from_their_form(scores: list[int], reasons: list[str]) -> None:
    from parley.records.rating import Mark

    def side(at: int) -> dict[str, Mark]:
        cleaned = (read_entries({f"s0-{key}-why": reasons[at + n]})[0, key][1] for n, key in enumerate(KEYS))
        return {
            d.key: Mark(score=d.low + scores[at + n], reasoning=why)
            for n, (d, why) in enumerate(zip(DIMENSIONS, cleaned, strict=True))
        }

    both = (side(0), side(7))
    assert marks_of(read_entries(form_of(both))) == both


def test_reasons_are_cut_and_cleaned() -> None:
    entries = read_entries({"s0-goal-why": "a\x00b\r\nc" + "x" * 9000, "s1-goal-why": "\ud800"})
    assert entries[0, "goal"][1].startswith("ab\ncx") and len(entries[0, "goal"][1]) == LONGEST
    assert entries[1, "goal"][1] == "\ufffd"
    with pytest.raises(BadForm):
        marks_of(entries)


# -- what must not be possible -----------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"`{{ 191*211 }}"


def test_nothing_that_anyone_writes_becomes_markup(tmp_path: Path) -> None:
    study = Study(
        tmp_path / "s.sqlite",
        clock=Clock(),
        settings=Settings(title=EVIL, contact=EVIL, consent=f"# {EVIL}\n\n- {EVIL}"),
    )
    shown = item("i00")
    person = shown.people[0].model_copy(update={"name": EVIL, "secret": EVIL, "goal": EVIL, "public_info": EVIL})
    said = shown.talk[0].model_copy(update={"argument": EVIL, "speaker": EVIL})
    changed = {"scenario": EVIL, "people": (person, shown.people[1]), "talk": (said,)}
    study.add([shown.model_copy(update=changed)], {"i00": EVIL})
    ((_, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        pages = [
            browser.get(f"/enter/{token}?PROLIFIC_PID={EVIL}").text,
            browser.enter(token).text,
            browser.learn().text,
        ]
        pages.append(browser.post("/rate", action="save", **{"s0-goal-why": EVIL}).text)
        browser.get("/admin/login")
        browser.post("/admin/login", token=ADMIN)
        pages += [browser.get("/admin").text, browser.get("/data").text, browser.get(f"/{EVIL}").text]
    for text in pages:
        assert "<script>alert" not in text and "<img" not in text and "40301" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[3]


INJECTED = "x'); DROP TABLE raters; --"


def test_nothing_that_anyone_writes_becomes_sql(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    link = study.raters.open_link()
    with browsing(study) as browser:
        assert browser.enter(INJECTED).status_code == 404
        browser.get(f"/enter/{link}?PROLIFIC_PID={INJECTED}")
        browser.post(f"/enter/{link}")
        browser.learn()
        browser.rate(**{"s0-goal-why": INJECTED})
    assert study.raters.data("r001")["items"][0]["marks"]
    assert INJECTED in str(study.raters.data("r001")) and study.raters.enter(INJECTED, INJECTED) is None
    with pytest.raises(ParleyError):
        study.raters.delete("r001' OR '1'='1")


PATHS = ["/consent", "/guide", "/example", "/qualification", "/rate", "/draft", "/data/delete"]


def test_a_form_without_the_secret_of_the_session_is_refused(rating: Given) -> None:
    study, _, browser = rating
    before, sent = study.raters.data("r001"), {**browser.hidden(), "sure": "yes", "choice": "decline"}
    for path in PATHS:
        for token in ("", "wrong", "é"):
            assert browser.client.post(path, data={**sent, "form": token}).status_code == 403, (path, token)
    assert study.raters.data("r001") == before


def test_the_secret_of_another_session_does_not_do(rating: Given) -> None:
    study, _, browser = rating
    theirs = browser.hidden()["form"]
    ((_, token),) = study.raters.invite(1)
    browser.enter(token)
    assert browser.hidden()["form"] != theirs
    assert browser.client.post("/consent", data={"form": theirs, "choice": "agree"}).status_code == 403


def test_a_form_from_another_site_is_refused(rating: Given) -> None:
    _, _, browser = rating
    for origin, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        answer = browser.client.post("/draft", data=browser.hidden(), headers={"Sec-Fetch-Site": origin})
        assert answer.status_code == status


def test_who_has_no_link_sees_nothing(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    with browsing(study) as browser:
        for path in ("/rate", "/data", "/data.json", "/guide/again", "/done"):
            assert browser.get(path).url.path == "/"
        assert browser.client.post("/rate", data={}).url.path == "/"
        assert browser.get("/docs").status_code == browser.get("/openapi.json").status_code == 404
        assert browser.get("/static/../app.py").status_code == 404


def test_every_answer_has_the_headers(rating: Given) -> None:
    _, _, browser = rating
    for path in ("/rate", "/static/style.css", "/nowhere", "/admin/login"):
        headers = browser.get(path).headers
        assert (
            "script-src 'self'" in headers["content-security-policy"]
            and "unsafe" not in headers["content-security-policy"]
        )
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert browser.get("/rate").headers["cache-control"] == "no-store"
    assert not re.search(r"<script>|\son\w+=|style=|javascript:", browser.get("/rate").text)


def test_the_session_is_kept_from_scripts_and_other_sites(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    ((_, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        answer = browser.client.post(f"/enter/{token}", follow_redirects=False)
    assert re.search(r"HttpOnly.*SameSite=lax", answer.headers["set-cookie"], re.IGNORECASE)


def test_only_known_names_of_this_machine_are_answered(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    with browsing(study) as browser:
        assert browser.client.get("/", headers={"Host": "evil.example"}).status_code == 400
        assert browser.client.get("/", headers={"Host": "127.0.0.1:8400"}).status_code == 200


def test_what_is_too_long_is_refused_unread(rating: Given) -> None:
    _, _, browser = rating
    assert browser.client.post("/draft", content=b"x" * (LARGEST_FORM + 1)).status_code == 413


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_bucket_is_emptied_and_fills_again() -> None:
    clock = Clock()
    limiter = Limiter(2, 3, clock)
    assert [limiter.take("a") for _ in range(4)] == [True, True, True, False]
    assert limiter.take("b") and limiter.empty("a") and not limiter.empty("b")
    clock.now += 0.5
    assert [limiter.take("a") for _ in range(2)] == [True, False]
    clock.now += 1000
    assert [limiter.take("a") for _ in range(4)] == [True, True, True, False]


def test_a_limiter_forgets_who_was_not_here_for_long() -> None:
    limiter = Limiter(0, 1, Clock(), most=2)
    assert [limiter.take(who) for who in "abca"] == [True] * 4
    assert not limiter.take("c")


def test_too_many_requests_and_guesses_are_refused(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    ((_, token),) = study.raters.invite(1)
    with browsing(study) as browser:
        found = [browser.client.post("/enter/wrong").status_code for _ in range(22)]
        assert found == [404] * 20 + [429] * 2
        assert browser.client.post(f"/enter/{token}").status_code == 429  # nor with a right one
    with browsing(study) as browser:
        browser.enter(token)
        found = [browser.client.get("/consent").status_code for _ in range(200)]
        assert found[0] == 200 and found[-1] == 429
        assert "Wait a moment" in browser.get("/consent").text


# -- a person's data, and who runs the study ---------------------------------------------------------------------------


def test_a_person_sees_and_deletes_what_is_kept(rating: Given) -> None:
    study, _, browser = rating
    browser.rate()
    assert browser.get("/data.json").json()["items"][0]["marks"]
    browser.get("/data")
    browser.post("/data/delete")
    assert study.work.annotations()  # not without saying that one is sure
    browser.get("/data")
    assert "Everything that was kept of you is deleted" in browser.post("/data/delete", sure="yes").text
    assert study.work.annotations() == [] and study.raters.listed() == []
    assert browser.get("/rate").url.path == "/"


def test_the_admin_page_is_behind_its_token(tmp_path: Path) -> None:
    study, _ = study_in(tmp_path)
    with browsing(study) as browser:
        assert browser.get("/admin").url.path == "/admin/login"
        assert browser.post("/admin/login", token="wrong").status_code == 403
        assert browser.get("/admin").url.path == "/admin/login"
        assert browser.client.post("/admin/invite", data={"count": "3"}).url.path == "/admin/login"
        browser.get("/admin/login")
        page = browser.post("/admin/login", token=ADMIN)
        assert "How the study stands" in page.text and not re.search(r"bc_sr|base", page.text.replace("baseline", ""))
        assert browser.client.post("/admin/invite", data={"count": "3"}).status_code == 403
        links = re.findall(r"<b>(r\d+)</b> <code>(http://[^<]+)</code>", browser.post("/admin/invite", count="3").text)
        assert [name for name, _ in links] == ["r001", "r002", "r003"]
        assert "Before you begin" in browser.enter(links[0][1].rsplit("/", 1)[1]).text
        browser.get("/admin")
        assert links[1][1] not in browser.page.text  # type: ignore[union-attr]
        for count in ("0", "-1", "501", "x", ""):
            assert browser.client.post("/admin/invite", data={**browser.hidden(), "count": count}).status_code == 400


def test_trouble_with_the_file_is_a_page_and_a_line(rating: Given, capsys: pytest.CaptureFixture[str]) -> None:
    study, _, browser = rating
    fields = {**browser.hidden(), **form_of((marks(), marks())), "action": "submit"}
    study.database._open.execute("PRAGMA query_only = ON")
    answer = browser.client.post("/rate", data=fields)
    assert answer.status_code == 503 and "was not kept" in answer.text
    assert "error: " in capsys.readouterr().err
    study.database._open.execute("PRAGMA query_only = OFF")
    assert browser.client.post("/rate", data=fields).status_code == 200 and study.work.annotations()


# -- texts -------------------------------------------------------------------------------------------------------------


def test_the_guide_explains_every_dimension_with_scores_in_its_range() -> None:
    for dimension, told in guide().listed():
        assert dimension.low <= told.bad.score < told.good.score <= dimension.high
    for name in ("example", "qualification"):
        assert rated(TEXTS / f"{name}.yaml").item.id == name


def test_a_text_with_a_fault_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for text, told in (("item: [", "not YAML"), ("item: {}", "mine.yaml: item.id"), (None, "no such file")):
        path.write_text(text) if text is not None else path.unlink()
        with pytest.raises(ParleyError, match=told):
            rated(path)


def test_plain_text_has_headings_lists_and_paragraphs() -> None:
    assert html_of("# A & B\n\none\ntwo\n\n- x\n  more\n- <y>\n") == (
        "<h1>A &amp; B</h1>\n<p>one two</p>\n<ul><li>x more</li><li>&lt;y&gt;</li></ul>"
    )
