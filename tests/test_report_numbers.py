"""Every number of the page opens to what is behind it, or says by an attribute why there is nothing to open."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import chromium, tab
from tests.report_written import write_report

#: Why a number may be no link (`data-plain`): it is part of a name; says how other numbers are read; stands in the
#: config; is someone else's; tells of a file that is not there; is counted from the file, or said in the episode, that
#: the same element leads to.
WHY = {"name", "scale", "config", "published", "gap", "file", "episode"}
#: What the last two lead to.
LEADS = {"file": "a[href^='../']", "episode": "a[href^='episodes/index.html#episode=']"}

FIND = """(why) => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!/\\d/.test(node.data) || parent.closest("a, svg, pre, code, b.player")) continue;
    const plain = parent.closest("[data-plain]");
    if (plain && why.includes(plain.dataset.plain)) continue;
    // What belongs around a number: behind it in a sentence, or below it in its cell.
    const around = parent.closest(".around");
    if (around && around.previousElementSibling?.matches("a, :has(> a)")) continue;
    if (parent.closest("td small") && parent.closest("td").querySelector("a")) continue;
    const block = parent.closest("p, td, th, li, dd, figcaption, h3, h4, h5, summary") ?? parent;
    found.push(`${parent.closest("section, header, footer").id}: ${block.textContent.trim().replace(/\\s+/g, " ")}`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=[False, True], ids=["people", "simulated"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(tmp_path_factory.mktemp("sample"), simulated=request.param).as_uri()


def test_every_number_is_a_link_or_says_why_it_is_none(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        assert page.evaluate(FIND, sorted(WHY)) == []
        assert set(page.eval_on_selector_all("[data-plain]", "all => all.map(e => e.dataset.plain)")) <= WHY


def test_what_is_counted_from_a_file_or_an_episode_leads_to_it(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        for why, link in LEADS.items():
            marked = f"[data-plain='{why}']"
            assert page.locator(marked).count() > 5
            assert page.locator(f"{marked}:not(:has({link}))").evaluate_all("all => all.map(e => e.outerHTML)") == []


def test_a_number_that_is_forgotten_is_found(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        page.evaluate("document.querySelector('#answer').insertAdjacentHTML('beforeend', '<p>12 seats</p>')")
        page.evaluate("document.querySelector('#scores td a').replaceWith('3.14')")
        assert [line.split(":")[0] for line in page.evaluate(FIND, sorted(WHY))] == ["answer", "scores", "scores"]


def test_a_list_says_how_many_tasks_it_is_of_and_a_zero_opens_to_an_empty_one(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        row = page.locator("#scores .scroll >> nth=0").locator("tbody tr >> nth=0").locator("td")
        seats, tasks, failed = (row.nth(place) for place in (-3, -2, -1))
        number, zero = tasks.inner_text(), failed.inner_text()
        assert zero == "0"
        listed, empty = (cell.locator("a").get_attribute("href") for cell in (seats, failed))
        page.goto(url.replace("index.html", listed))
        page.wait_for_selector("html[data-ready='list']")
        assert re.search(rf", in {number} tasks$", page.inner_text("#found"))
        page.goto(url.replace("index.html", empty))
        page.wait_for_selector("#rows .none")
        assert page.inner_text("#found").startswith("0 episodes of ")
