"""The app in a real browser: as people meet it, with scripts and without, on a desk and on a phone, many at once."""

import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parley.annotate.app import application
from parley.annotate.forms import form_of
from parley.annotate.serving import served
from parley.annotate.study import Study
from parley.records.annotation import Marks
from tests import browser
from tests.annotating import ADMIN, Browser, marks, study_in

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium() as found:
        yield found


class Person:
    """Somebody at a browser window of their own; what its console says is an error is kept."""

    def __init__(self, chromium: Any, url: str, token: str, **window: Any) -> None:
        self.url = url
        self.errors: list[str] = []
        self.window = chromium.new_context(**window)
        self.page = self.window.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on(
            "console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{url}/enter/{token}")

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def fill(self, both: tuple[Marks, Marks]) -> None:
        """Enter marks and reasons as the page shows them."""
        for name, value in form_of(both).items():
            if name.endswith("-why"):
                self.page.fill(f'[name="{name}"]', value)
            else:
                self.page.check(f'[name="{name}"][value="{value}"]', force=True)

    def learn(self, study: Study) -> None:
        """From the link to the first episode."""
        for name in ("Begin", "I agree and take part", "Show me an example", "Try one myself"):
            self.click(name)
        self.fill(study.qualification.marks)
        self.click("Compare with ours")
        self.page.locator("#marks").wait_for()

    def saved(self) -> None:
        """Wait until the page says that what was entered is saved."""
        self.page.get_by_text("Saved at").wait_for()


@contextmanager
def held(folder: Path, count: int, **settings: Any) -> Iterator[tuple[Study, str]]:
    """A study that is served on loopback."""
    study, _ = study_in(folder, count, **{"clock": time.time, **settings})
    with served(application(study, ADMIN)) as url:
        yield study, url
    study.close()


def test_a_rater_comes_by_link_and_leaves_with_a_code(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 2) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token)
        ann.learn(study)
        for number in (1, 2):
            ann.page.get_by_role("heading", name=f"Conversation {number}").wait_for()
            ann.fill((marks(7, reason="<b>mine</b> & so on"), marks(3)))
            ann.click("Hand in and go on")
        code = ann.page.text_content("#code")
        assert re.fullmatch(r"[A-Z2-9]{8}", code or "") and study.raters.listed()[0]["code"] == code
        assert ann.errors == []
        given = study.work.annotations()
        assert [one.marks[0]["goal"].score for one in given] == [7, 7]
        assert given[0].marks[0]["goal"].reasoning == "<b>mine</b> & so on"
        ann.page.goto(f"{url}/data")
        ann.page.check('[name="sure"]')
        ann.click("Delete")
        ann.page.get_by_role("heading", name="Deleted").wait_for()
        assert study.work.annotations() == []


def test_a_page_that_is_loaded_again_has_what_was_entered(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 2) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token)
        ann.learn(study)
        ann.page.check('[name="s0-goal"][value="8"]', force=True)
        ann.page.fill('[name="s0-goal-why"]', "half of it")
        ann.saved()
        ann.page.reload()
        assert ann.page.is_checked('[name="s0-goal"][value="8"]')
        assert ann.page.input_value('[name="s0-goal-why"]') == "half of it"
        # The line drops: what is entered meanwhile stays in the browser, and goes out when the line is back.
        ann.window.set_offline(True)
        ann.page.fill('[name="s1-goal-why"]', "written without a line")
        ann.page.get_by_text("kept in this browser").wait_for()
        ann.errors.clear()  # the browser itself says that there is no line
        ann.window.set_offline(False)
        ann.saved()
        assert ann.page.evaluate("localStorage.length") == 0
        ann.page.reload()
        assert ann.page.input_value('[name="s1-goal-why"]') == "written without a line"
        assert ann.errors == []


def test_two_raters_at_once_on_a_phone_and_on_a_desk(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 1) as (study, url):
        invited = study.raters.invite(3)
        ann = Person(chromium, url, invited[0][1], **PHONE)
        ben = Person(chromium, url, invited[1][1])
        for who in (ann, ben):
            who.learn(study)
        assert ann.page.evaluate("document.documentElement.scrollWidth") <= 360  # nothing lies beside the screen
        wide = ann.page.evaluate(
            "Math.min(...[...document.querySelectorAll('.scale label')].map((l) => l.offsetWidth))"
        )
        tall = ann.page.evaluate(
            "Math.min(...[...document.querySelectorAll('.scale label')].map((l) => l.offsetHeight))"
        )
        assert wide >= 24 and tall >= 24  # a finger finds it (WCAG 2.2, 2.5.8)
        ann.page.locator('[name="s0-goal"][value="10"]').tap(force=True)
        ann.fill((marks(10), marks(3)))
        ben.fill((marks(1), marks(3)))
        for who in (ann, ben):
            who.click("Hand in and go on")
            who.page.get_by_role("heading", name="Thank you").wait_for()
        cleo = Person(chromium, url, invited[2][1])  # they differ, so there is a third
        cleo.learn(study)
        cleo.page.get_by_role("heading", name="Conversation 1").wait_for()
        assert [one.flags for one in study.work.annotations()] == [("too_fast", "apart")] * 2
        assert ann.errors == ben.errors == cleo.errors == []


def test_keys_alone_are_enough_and_everything_has_a_name(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 1) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token, color_scheme="dark")
        ann.learn(study)
        ann.page.focus('[name="s0-believability"][value="0"]')
        for key in ("Space", "ArrowRight", "ArrowRight", "ArrowRight", "Tab"):
            ann.page.keyboard.press(key)
        ann.page.keyboard.type("by keys")
        assert ann.page.is_checked('[name="s0-believability"][value="3"]')
        assert ann.page.input_value('[name="s0-believability-why"]') == "by keys"
        ann.page.keyboard.press("Tab")
        assert ann.page.evaluate("document.activeElement.name") == "s0-relationship"
        assert ann.page.get_by_role("group", name="Goal").count() == 2
        nameless = ann.page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), textarea, button, a')]"
            ".filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).length"
        )
        assert nameless == 0 and ann.page.locator("h1").count() == 1
        assert ann.errors == []


def test_all_of_it_works_without_scripts(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 1) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token, java_script_enabled=False)
        ann.learn(study)
        ann.page.check('[name="s0-goal"][value="8"]', force=True)
        ann.click("Save for later")
        ann.page.get_by_text("Saved. You can go on now").wait_for()
        assert ann.page.is_checked('[name="s0-goal"][value="8"]')
        ann.fill((marks(8), marks(3)))
        ann.click("Hand in and go on")
        ann.page.get_by_role("heading", name="Thank you").wait_for()
        assert len(study.work.annotations()) == 1 and ann.errors == []


# -- sliders -----------------------------------------------------------------------------------------------------------

GOAL = 'fieldset:has([name="s0-goal"])'


def place(person: Person, name: str, score: int) -> tuple[float, float]:
    """Where a stop of a slider lies on the screen; the slider is scrolled to the middle of it."""
    stop = person.page.locator(f'[name="{name}"][value="{score}"]')
    stop.evaluate("stop => stop.scrollIntoView({block: 'center'})")
    box = stop.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 3


def score_of(person: Person, name: str) -> int | None:
    """What a slider is set to."""
    found = person.page.locator(f'[name="{name}"]:checked')
    return int(found.get_attribute("value")) if found.count() else None


def knob(person: Person, name: str) -> tuple[float, float]:
    """How well the knob of a slider is seen, from 0 to 1, and where it is: pixels from the left of the screen."""
    found = person.page.locator(f'fieldset:has([name="{name}"]) .knob')
    seen, x = found.evaluate(
        "knob => { const box = knob.getBoundingClientRect();"
        " return [Number(getComputedStyle(knob).opacity), box.x + box.width / 2]; }"
    )
    return seen, x


@contextmanager
def rater(folder: Path, chromium: Any, **window: Any) -> Iterator[tuple[Person, Study]]:
    """Somebody before the first conversation; without movement, so that what is looked at stands still."""
    with held(folder, 1) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token, **{"reduced_motion": "reduce", **window})
        ann.learn(study)
        yield ann, study
        assert ann.errors == []


def test_a_slider_is_dragged_with_the_mouse_and_kept(tmp_path: Path, chromium: Any) -> None:
    with rater(tmp_path, chromium) as (ann, study):
        mouse, group = ann.page.mouse, ann.page.locator(GOAL)
        assert knob(ann, "s0-goal")[0] == 0 and group.get_by_text("not set yet").is_visible()
        (x, y), (end, _) = place(ann, "s0-goal", 3), place(ann, "s0-goal", 8)
        mouse.move(x, y)
        mouse.down()
        assert score_of(ann, "s0-goal") == 3 and knob(ann, "s0-goal") == (1, pytest.approx(x, abs=1))
        seen = []
        for step in range(1, 6):
            mouse.move(x + (end - x) * step / 5 - 8, y + 60)  # a hand is never quite on the track
            seen.append(group.locator(".reading b").text_content())
            assert knob(ann, "s0-goal")[1] == pytest.approx(x + (end - x) * step / 5 - 8, abs=1)
        assert seen == ["4", "5", "6", "7", "8"]
        mouse.up()
        assert knob(ann, "s0-goal")[1] == pytest.approx(end, abs=1)  # it comes to rest on the stop
        assert group.get_by_text("not set yet").is_hidden()
        x, y = place(ann, "s1-relationship", 0)
        mouse.move(x, y)
        mouse.down()
        mouse.move(0, y)  # beyond the end
        mouse.up()
        ann.saved()
        ann.page.reload()
        assert (score_of(ann, "s0-goal"), score_of(ann, "s1-relationship")) == (8, -5)
        assert group.locator(".reading b").text_content() == "8"
        assignment = study.work.current("r001")
        assert assignment is not None and assignment.entries[1, "relationship"][0] == -5


def test_a_finger_drags_sideways_and_scrolls_up_and_down(tmp_path: Path, chromium: Any) -> None:
    with rater(tmp_path, chromium, **{**PHONE, "viewport": {"width": 390, "height": 844}}) as (ann, _):
        touch = ann.window.new_cdp_session(ann.page)

        def finger(*points: tuple[float, float]) -> None:
            for kind, at in zip(("touchStart", *["touchMove"] * (len(points) - 1)), points, strict=True):
                sent = {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]}
                touch.send("Input.dispatchTouchEvent", sent)
            ann.page.wait_for_timeout(100)  # it rests, so the page does not roll on
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        ann.page.touchscreen.tap(*place(ann, "s1-secret", -4))
        assert score_of(ann, "s1-secret") == -4
        (x, y), (end, _) = place(ann, "s0-goal", 2), place(ann, "s0-goal", 9)
        at = ann.page.evaluate("scrollY")
        finger((x, y), *((x + (end - x) * step / 10, y + 2 * step) for step in range(1, 11)))
        assert score_of(ann, "s0-goal") == 9 and ann.page.evaluate("scrollY") == at
        # Scrolling with the finger on an untouched slider, and on one that is set, leaves both as they were.
        for name, score in (("s0-goal", 9), ("s0-knowledge", None)):
            x, y = place(ann, name, 5)
            at = ann.page.evaluate("scrollY")
            finger((x, y), *((x + step / 2, y - 20 * step) for step in range(1, 11)))
            browser.until(ann.page, f"scrollY > {at} + 100")
            assert score_of(ann, name) == score
        ann.saved()
        ann.page.reload()
        assert [score_of(ann, name) for name in ("s0-goal", "s0-knowledge", "s1-secret")] == [9, None, -4]


def test_a_slider_has_a_sliders_keys_and_can_be_cleared(tmp_path: Path, chromium: Any) -> None:
    with rater(tmp_path, chromium) as (ann, study):
        name = "s0-relationship"
        ann.page.focus(f'[name="{name}"][value="-5"]')
        assert score_of(ann, name) is None  # being there sets nothing
        seen = []
        arrows, pages = ("ArrowUp", "ArrowRight", "Home", "ArrowLeft", "End", "ArrowRight"), ("PageDown", "PageUp")
        for key in (*arrows, *pages, "ArrowDown", "Delete"):
            ann.page.keyboard.press(key)
            seen.append(score_of(ann, name))
        assert seen == [-4, -3, -5, -5, 5, 5, 3, 5, 4, None]
        assert knob(ann, name)[0] == 0
        ann.page.keyboard.press("End")
        ann.page.locator('fieldset:has([name="s0-relationship"]) .clear').click()
        ann.page.focus('[name="s0-goal"][value="0"]')
        ann.page.keyboard.press("Space")
        assert (score_of(ann, name), score_of(ann, "s0-goal")) == (None, 0)
        ann.saved()
        ann.page.reload()
        assert (score_of(ann, name), score_of(ann, "s0-goal")) == (None, 0)
        assignment = study.work.current("r001")
        assert assignment is not None and assignment.entries[0, "relationship"][0] is None


def test_a_screen_reader_is_told_dimension_seat_value_and_what_is_not_set(tmp_path: Path, chromium: Any) -> None:
    with rater(tmp_path, chromium) as (ann, _):
        nora, omar = (ann.page.get_by_role("group", name=f"Goal of {who}") for who in ("Nora Lind", "Omar Vance"))
        for group in (nora, omar):
            assert "not set yet" in group.aria_snapshot() and "[checked]" not in group.aria_snapshot()
            assert group.get_by_role("radio").count() == 11
        nora.get_by_role("radio", name="7", exact=True).check(force=True)
        assert ann.page.get_by_role("group", name="Goal of Nora Lind 7", exact=True).count() == 1
        assert 'radio "7" [checked]' in nora.aria_snapshot()
        assert ann.page.get_by_role("group", name="Goal of Omar Vance not set yet", exact=True).count() == 1
        ends = nora.get_by_role("radio").evaluate_all(
            "stops => stops.map((stop) => document.getElementById(stop.getAttribute('aria-describedby'))?.textContent)"
        )
        assert (ends[0], ends[-1], set(ends[1:-1])) == ("not at all", "entirely", {None})


def test_without_scripts_a_slider_has_a_knob_where_it_was_clicked(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 1) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token, java_script_enabled=False, reduced_motion="reduce")
        ann.learn(study)
        ann.page.mouse.click(*place(ann, "s0-goal", 8))
        box = ann.page.locator(f"{GOAL} .knob").bounding_box()
        assert box is not None and box["x"] + box["width"] / 2 == pytest.approx(place(ann, "s0-goal", 8)[0], abs=1)
        assert ann.page.locator(GOAL).get_by_text("not set yet").is_hidden()
        ann.click("Save for later")
        assert score_of(ann, "s0-goal") == 8 and ann.errors == []


def test_on_a_phone_what_is_still_wanted_is_shown_and_can_be_gone_back_to(tmp_path: Path, chromium: Any) -> None:
    shown = "(({top}) => 0 <= top && top < innerHeight)(document.getElementById('told').getBoundingClientRect())"
    with held(tmp_path, 1) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token, **PHONE)
        for name in ("Begin", "I agree and take part", "Show me an example", "Try one myself"):
            ann.click(name)
        ann.fill((marks(0), study.qualification.marks[1]))
        ann.click("Compare with ours")
        ann.page.get_by_text("Not quite").wait_for()
        browser.until(ann.page, shown)
        ann.fill(study.qualification.marks)
        ann.click("Compare with ours")
        ann.page.locator("#marks").wait_for()
        ann.page.check('[name="s0-goal"][value="8"]', force=True)
        ann.click("Save for later")
        ann.page.get_by_text("Saved. You can go on now").wait_for()
        browser.until(ann.page, shown)
        ann.fill((marks(5, reason=""), marks(5, reason="")))
        ann.click("Hand in and go on")
        ann.page.get_by_text("Some reasons are missing").wait_for()
        browser.until(ann.page, shown)
        ann.page.goto(f"{url}/data")
        ann.page.go_back()
        ann.page.get_by_text("Some reasons are missing").wait_for()
        assert score_of(ann, "s0-goal") == 5
        ann.click("Hand in and go on")
        ann.page.get_by_role("heading", name="Thank you").wait_for()
        assert ann.errors == []


# -- many at once ------------------------------------------------------------------------------------------------------


def test_fifty_raters_at_once_lose_nothing(tmp_path: Path) -> None:
    import httpx2

    lost: list[str] = []

    def rate(url: str, name: str, token: str) -> None:
        try:
            with httpx2.Client(base_url=url, follow_redirects=True, timeout=60) as client:
                browser = Browser(client)
                browser.enter(token)
                page = browser.learn()
                while page.url.path == "/rate":
                    goal = int(name[1:]) % 6
                    fields = form_of((marks(goal, reason=name), marks(goal, believability=3)))
                    client.post("/draft", data={**browser.hidden(), **fields}).raise_for_status()
                    page = browser.post("/rate", action="submit", **fields)
                if page.url.path != "/done":
                    lost.append(f"{name} ended at {page.url.path}")
        except Exception as error:
            lost.append(f"{name}: {error!r}")

    ticks = itertools.count(step=100)  # nobody is too fast
    with held(tmp_path, 50, per_rater=2, clock=lambda: float(next(ticks)), idle_hours=1e6) as (study, url):
        threads = [threading.Thread(target=rate, args=(url, *invited)) for invited in study.raters.invite(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert lost == []
        given = study.work.annotations()
        assert len(given) == 100
        by_item: dict[str, set[str]] = {}
        for one in given:
            assert {mark.reasoning for mark in one.marks[0].values()} == {one.rater}
            assert one.marks[0]["goal"].score == int(one.rater[1:]) % 6
            by_item.setdefault(one.item, set()).add(one.rater)
        assert len(by_item) == 50 and {len(raters) for raters in by_item.values()} == {2}


def test_what_scrolls_beside_the_marks_can_be_scrolled_by_keys(tmp_path: Path, chromium: Any) -> None:
    with held(tmp_path, 1) as (study, url):
        ((_, token),) = study.raters.invite(1)
        ann = Person(chromium, url, token, viewport={"width": 1280, "height": 300})
        ann.learn(study)
        talk = ann.page.get_by_role("region", name="The conversation and who takes part")
        talk.focus()
        ann.page.keyboard.press("End")
        # The page's policy forbids what `wait_for_function` asks again with.
        patience = time.monotonic() + 10
        while talk.evaluate("box => box.scrollTop") == 0:
            assert time.monotonic() < patience, "End did not scroll"
            ann.page.wait_for_timeout(20)
        assert ann.errors == []
