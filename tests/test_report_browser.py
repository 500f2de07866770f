"""The page in a real Chromium: nothing in its console, nothing wider than a phone, and numbers that lead to episodes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import chromium, tab
from tests.report_written import write_report


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(tmp_path_factory.mktemp("sample")).as_uri()


@pytest.mark.parametrize("width", [1280, 768, 360])
def test_nothing_is_wider_than_the_screen(browser: Any, url: str, width: int) -> None:
    with tab(browser, url, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # All is shown: a cell that does not fit can be scrolled to.
        cut = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth"
            " && getComputedStyle(e).overflowX === 'hidden' && !e.classList.contains('unseen')).map(e => e.outerHTML)"
        )
        assert cut == []


def test_every_number_leads_to_episodes_that_are_there(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        links = page.eval_on_selector_all(
            "a[href^='episodes/']", "found => found.map(a => [a.getAttribute('href'), a.textContent.trim()])"
        )
        none = {href for href, text in links if re.fullmatch(r"0(\.0+)?( %)?", text) or text.startswith("0 ")}
        addresses = {href for href, _ in links if "#" in href} - none
        assert len(addresses) > 60
        page.goto(url.replace("index.html", "episodes/index.html"))
        page.wait_for_selector("html[data-ready]")
        empty = page.evaluate(
            """async (addresses) => {
                const empty = [];
                for (const address of addresses) {
                    location.hash = address.split("#")[1];
                    await new Promise((done) => setTimeout(done, 12));
                    const said = document.querySelector("#found").textContent;
                    const unread = address.includes("episode=") && document.querySelector("#reading .none:only-of-type");
                    if (said.startsWith("0 ") || unread) empty.push(address);
                }
                return empty;
            }""",
            sorted(addresses),
        )
        assert empty == []


def test_figures_can_be_read_on_a_phone_and_each_is_shown_once(browser: Any, url: str) -> None:
    sizes = """all => all.map(svg => {
        const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        return Math.min(...[...svg.querySelectorAll("text")].map(e => parseFloat(getComputedStyle(e).fontSize) * scale));
    })"""
    shown = {}
    for width in (1280, 360):
        with tab(browser, url, viewport={"width": width, "height": 800}) as page:
            found = page.locator("svg:visible").evaluate_all(sizes)
            shown[width] = len(found)
            assert min(found) >= 11
            page.emulate_media(media="print")
            assert page.locator(".wide svg:visible").count() == page.locator(".wide svg").count() > 0
            assert page.locator(".narrow svg:visible").count() == 0
    assert shown[1280] == shown[360]


def test_it_prints_on_paper(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        assert page.pdf(format="A4")[:5] == b"%PDF-"
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert page.locator(".verdict").is_visible()


def test_paper_is_light_and_nothing_on_it_is_cut_off_or_closed(browser: Any, url: str) -> None:
    ink = "getComputedStyle(document.body).color"
    with tab(browser, url) as page:
        light = page.evaluate(ink)
    # The width of A4 between margins of 15 mm.
    with tab(browser, url, viewport={"width": 680, "height": 1000}, color_scheme="dark") as page:
        assert page.evaluate(ink) != light
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(ink) == light
        wide = "all => all.filter(e => e.getBoundingClientRect().right > 681).map(e => e.parentElement.ariaLabel)"
        assert page.locator("main table").evaluate_all(wide) == []
        assert page.locator(".sheet:not([open]) table:visible").count() == page.locator(".sheet table").count() > 9
        assert page.locator(".talk:visible").count() == 1 and page.locator(".talk[open]").count() == 1


def test_keys_reach_what_scrolls_and_every_link_shows_that_it_has_the_focus(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        for selector in (".scroll", "nav a", ".verdict a", "summary"):
            page.focus(f"{selector} >> nth=0")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Tab")
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style == "solid", selector


def test_a_bar_is_reached_by_keyboard_says_its_number_and_leads_to_its_episodes(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        bar = page.get_by_role("link", name="bc_sr by people: 3.20 [2.70, 3.70]")
        bar.focus()
        assert page.evaluate("getComputedStyle(document.activeElement.querySelector('rect')).stroke") != "none"
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-ready]")
        assert page.url.endswith("episodes/index.html#evaluation=hard&policy=bc_sr&people=yes")
        assert page.locator("#rows tbody tr").count() == 8


def test_without_scripts_the_page_is_the_same(browser: Any, url: str) -> None:
    with tab(browser, url, java_script_enabled=False) as page:
        page.click("summary >> nth=0")
        assert page.locator("h1").inner_text() == "bc reaches its goals better than base does"
