"""The folder of episodes in a real Chromium, from disk: finding, reading, comparing, by mouse, by keys and on a phone."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.config import Experiment
from parley.records.episode import Action, Episode
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.report.episodes.catalogue import Catalogue
from parley.report.episodes.folder import write_folder
from parley.report.findings import layout_of
from parley.report.load import load
from tests.browser import chromium, tab, until
from tests.report_sample import make_sample
from tests.test_episodes_folder import handed, write_people

EVIL = "</script><img src=x onerror=\"document.title='struck'\"><b id=struck>bold</b>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    """The sample with people's ratings of bc, and one talk in which markup is said."""
    root, experiment = make_sample(tmp_path_factory.mktemp("sample"))
    write_people(root, "bc")
    path = root / "episodes/round1/expert+expert/00.jsonl"
    first, *others = read_jsonl(path, Episode)
    turn = first.turns[0].model_copy(update={"action": Action(action_type="speak", argument=EVIL)})
    write_jsonl(path, [first.model_copy(update={"turns": (turn, *first.turns[1:])}), *others])
    write_folder(Catalogue(layout_of(root, experiment), {}), root / "report/episodes", per_part=20)
    return root, experiment


@pytest.fixture(scope="module")
def url(sample: tuple[Path, Experiment]) -> str:
    return (sample[0] / "report/episodes/index.html").as_uri()


def found(page: Any) -> int:
    """How many episodes the page says that it found."""
    page.wait_for_selector("html[data-ready='list']")
    told = re.match(r"([\d\u202f]+) episodes?\b", page.inner_text("#found"))
    assert told is not None
    return int(told[1].replace("\u202f", ""))


def test_an_address_finds_the_episodes_behind_a_number(browser: Any, sample: tuple[Path, Experiment], url: str) -> None:
    findings = load(*sample)
    with tab(browser, f"{url}#evaluation=hard&policy=bc_sr") as page:
        assert found(page) == findings.rated("hard", "bc_sr")["episode"].n_unique() == 16
        goals = page.locator("#rows td[data-head=GOAL] .seat:not(.quiet)").all_inner_texts()
        assert sorted(map(int, goals)) == sorted(findings.rated("hard", "bc_sr")["goal"].to_list())
        assert page.locator("select[name=policy]").input_value() == "bc_sr"
        kept = findings.selections["sr"].filter(kept=True)["episode"].n_unique()
        page.goto(f"{url}#learner=sr&outcome=kept")
        until(page, f"document.querySelector('#found').textContent.startsWith('{kept} ')")


def test_people_who_are_simulated_are_called_so_wherever_a_number_of_theirs_stands(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        assert found(page)
        assert "simulated people" in page.locator("#rows thead").inner_text()
        told = page.locator("#filters").inner_text()
        assert "Rated by simulated people" in told and "judge over simulated people" in told
        assert not page.evaluate("[...document.querySelectorAll('#rows th')].some(e => e.textContent === 'people')")


def test_filters_narrow_and_the_address_keeps_them(browser: Any, url: str) -> None:
    with tab(browser, url) as page:
        everything = found(page)
        page.select_option("select[name=policy]", "sr")
        page.select_option("select[name=state]", "failed")
        until(page, "document.querySelectorAll('#rows tbody tr').length === 1")
        assert "failed" in page.inner_text("#rows tbody tr") and "policy=sr" in page.url
        page.reload()
        assert found(page) == 1
        page.click("button[type=reset]")
        until(page, f"document.querySelector('#found').textContent.startsWith('{everything} ')")
        page.fill("[name=min]", "9")
        until(page, "location.hash === '#min=9'")
        shown = page.locator("#rows tbody tr").all()
        assert len(shown) > 0 and found(page) < everything
        for row in shown:
            told = row.locator("td[data-head=GOAL] .seat").all_inner_texts()
            assert max(int(goal) for goal in told if goal != "–") >= 9


def test_failed_and_not_rated_are_told_apart_and_a_failed_one_has_the_roles_of_its_task(
    browser: Any, sample: tuple[Path, Experiment], tmp_path: Path
) -> None:
    shutil.copytree(sample[0] / "report/episodes", tmp_path / "episodes")
    path = tmp_path / "episodes/catalogue.js"
    catalogue = handed(path)
    columns, safety = catalogue["columns"], catalogue["sets"].index("safety")
    one, other = [number for number, name in enumerate(columns["set"]) if name == safety][:2]
    # The first was played and not rated, the second was not played, so nothing was seen of it.
    columns["failure"][one] = columns["failure"][other] = 0
    columns["ending"][other] = catalogue["endings"].index("failed")
    catalogue["seen"] = [told for told in catalogue["seen"] if told[0] != other]
    path.write_text(f'parley("catalogue",{json.dumps(catalogue)});\n')
    player = catalogue["players"][columns["first"][other]]
    roles = catalogue["tasks"][columns["task"][other]]["roles"]
    expected = {"ending=failed": 1, "state=unrated": 1, "state=failed": 2}
    expected |= {f"state=failed&role={role}&policy={player}&ending=failed": 1 - seat for seat, role in enumerate(roles)}
    for address, number in expected.items():
        with tab(browser, f"{(tmp_path / 'episodes/index.html').as_uri()}#set=safety&{address}") as page:
            assert found(page) == number, address


def test_a_filter_without_a_field_is_told_and_can_be_taken_away(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#set=safety&policy=bc&role=bystander") as page:
        some = found(page)
        assert "Only role: bystander." in page.inner_text("#rows .only")
        page.click("#rows .only a")
        until(page, "!document.querySelector('#rows .only')")
        assert 0 < some < found(page) and "policy=bc" in page.url and "role" not in page.url


def test_what_was_said_is_found_in_all_parts(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#said=onerror") as page:
        assert found(page) == 1
        page.fill("[name=said]", "nobody ever said this")
        page.wait_for_selector("#rows .none")
        assert "No episode is like that" in page.inner_text("#rows")


def test_order_is_by_the_score_and_those_without_one_come_last(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#evaluation=hard&policy=sr&sort=score-up") as page:
        found(page)
        goals = page.locator("#rows td[data-head=GOAL] .seat:not(.quiet)").all_inner_texts()
        assert goals[-1] == "–" and goals[:-1] == sorted(goals[:-1], key=int)


def test_markup_that_was_said_is_text(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#said=onerror") as page:
        found(page)
        page.click("#rows th a")
        page.wait_for_selector("#reading .play")
        assert page.inner_text("#reading .said >> nth=0") == EVIL
        assert page.locator("#struck, #reading img").count() == 0 and "struck" not in page.title()


def test_an_episode_reads_like_a_play_with_people_beside_the_judge(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#evaluation=hard&policy=bc&people=yes") as page:
        found(page)
        page.click("#rows th a")
        page.wait_for_selector("#reading .verdicts dl >> nth=0")
        text = page.locator("#reading").inner_text()
        for told in (
            "at a market stall",
            "Goal. You want to sell the lamp for $20.",
            "Secret. Ana never liked bread",
            "leaves",
        ):
            assert told in text, told
        assert "Ana Ruiz on GOAL." in text and "rater 1: prolific-abe saw it" in text
        assert "people (2, simulated)" in text and "3.50" in text


def test_two_episodes_of_a_task_stand_side_by_side(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#evaluation=hard&policy=bc") as page:
        found(page)
        page.click("#rows th a")
        page.wait_for_selector("#beside")
        page.keyboard.press("b")
        page.wait_for_selector(".two .script >> nth=1")
        heads = page.locator(".script h3.who").all_inner_texts()
        assert heads == ["bc with partner", "base with partner"]
        left, right = (page.locator(".script").nth(place).bounding_box() for place in (0, 1))
        assert abs(left["y"] - right["y"]) < 2 and right["x"] > left["x"] + left["width"]
        page.keyboard.press("b")
        page.wait_for_selector(".one")


def test_everything_can_be_done_by_keys(browser: Any, url: str) -> None:
    with tab(browser, f"{url}#evaluation=hard&policy=base") as page:
        found(page)
        page.keyboard.press("j")
        page.keyboard.press("j")
        second = page.evaluate("document.activeElement.closest('tr').dataset.id")
        page.keyboard.press("Enter")
        page.wait_for_selector("#reading h2")
        assert f"episode={second}" in page.url and page.evaluate("document.activeElement.id") == "reading"
        page.keyboard.press("j")
        until(page, f"!location.hash.includes('{second}')")
        page.keyboard.press("k")
        until(page, f"location.hash.includes('{second}')")
        page.keyboard.press("Escape")
        page.wait_for_selector("#browse:not([hidden])")
        until(page, f"document.activeElement.closest('tr')?.dataset.id === '{second}'")
        page.keyboard.press("/")
        until(page, "document.activeElement.name === 'q'")
        page.keyboard.type("lamp bj")
        assert page.input_value("[name=q]") == "lamp bj"
        page.go_back()
        page.wait_for_selector("#reading:not([hidden])")


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Any, url: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    with tab(browser, f"{url}#evaluation=hard&policy=bc&people=yes", **phone) as page:
        found(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert not page.locator(".fields").is_visible() and page.locator("[name=q]").is_visible()
        page.click("#rows th a")
        page.wait_for_selector("#reading h2")
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_page_without_its_parts_says_so(browser: Any, sample: tuple[Path, Experiment], tmp_path: Path) -> None:
    shutil.copyfile(sample[0] / "report/episodes/index.html", tmp_path / "index.html")
    context = browser.new_context()
    page = context.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    until(page, "document.querySelector('#wait').textContent.includes('Copy the whole folder')")
    shutil.copyfile(sample[0] / "report/episodes/catalogue.js", tmp_path / "catalogue.js")
    page.goto((tmp_path / "index.html").as_uri() + "?again#episode=0000")
    page.wait_for_selector("#reading .none")
    assert "There is no episode 0000" in page.inner_text("#reading")
    context.close()


def test_without_scripts_the_way_to_the_report_is_shown(browser: Any, url: str) -> None:
    with tab(browser, url, java_script_enabled=False) as page:
        assert (
            page.locator("noscript a").count() == 1 or page.locator("a[href='../index.html#transcripts']").count() == 1
        )
