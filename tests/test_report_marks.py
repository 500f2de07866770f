"""Marks: links that lie where the bars and points are, say their number, lead to its episodes, and are on the page alone."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from parley.config import Experiment
from parley.report.across import turned
from parley.report.answer import Score
from parley.report.bars import bars_lying, bars_with, marks_of_bars
from parley.report.dots import Line, dots_with, forest_with, marks_of_dots, marks_of_forest
from parley.report.drawing import bytes_of, canvas, on_page
from parley.report.figures import figures, save_figures
from parley.report.load import load
from parley.report.marks import LEAST, Mark, over
from parley.report.page import render
from parley.report.palette import printed
from parley.report.provenance import Provenance
from tests.report_people import write_study
from tests.report_sample import make_sample

COLOURS = printed(["base", "bc"])
SCORES = {
    "base": {"hard": Score("base", 2.0, 1.5, 2.5, 8, 4, 0, 0), "all": Score("base", 3.0, None, None, 8, 1, 0, 0)},
    "bc": {"hard": Score("bc", 6.0, 5.0, 7.5, 8, 4, 0, 0)},
}


class Links(HTMLParser):
    """(address, name, box) of every link over a drawing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, float]]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._open = dict(attrs)
        elif tag == "rect" and self._open is not None:
            box = {name: float(value or "nan") for name, value in attrs}
            self.found.append((str(self._open["href"]), str(self._open["aria-label"]), box))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = None


def behind(player: str, kind: str) -> str:
    return f"{player}/{kind}"


def drawn(draw, marks) -> tuple[str, Links]:  # type: ignore[no-untyped-def]
    """A drawing as SVG, and the links over it."""
    files: list[tuple[str, str]] = []
    draw(COLOURS, lambda figure: files.append((bytes_of(figure, "svg").decode(), over(figure.axes[0], marks))))
    return files[0][0], Links(files[0][1])


def box_of(path: str) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of a path of straight lines."""
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), max(xs), min(ys), max(ys)


def test_a_link_lies_on_its_bar_from_the_axis_to_the_end_of_the_interval() -> None:
    kinds = ["hard", "all"]
    svg, links = drawn(bars_with(SCORES, kinds, set()), marks_of_bars(SCORES, kinds, behind))
    assert [(href, name) for href, name, _ in links.found] == [
        ("base/hard", "base on hard: 2.00 [1.50, 2.50]"),
        ("base/all", "base on all: 3.00"),
        ("bc/hard", "bc on hard: 6.00 [5.00, 7.50]"),
    ]
    fills = {"base/hard": COLOURS.players["base"], "bc/hard": COLOURS.players["bc"]}
    for href, _, box in links.found:
        if href not in fills:
            continue
        style = rf'style="fill: {fills[href]}"'
        path = next(path for path in re.findall(rf'<path d="([^"]*)"[^>]*{style}', svg) if path.count("L") == 3)
        left, right, top, bottom = box_of(path)
        assert (box["x"], box["x"] + box["width"]) == pytest.approx((left, right), abs=0.2)
        assert box["y"] + box["height"] == pytest.approx(bottom, abs=0.2)
        mean, high = (2.0, 2.5) if href == "base/hard" else (6.0, 7.5)
        assert box["height"] == pytest.approx((bottom - top) * high / mean, abs=0.3)


def test_a_link_lies_on_a_bar_that_lies() -> None:
    kinds = ["hard", "all"]
    svg, links = drawn(bars_lying(SCORES, kinds, set()), turned(marks_of_bars(SCORES, kinds, behind)))
    box = next(box for href, _, box in links.found if href == "bc/hard")
    style = rf'style="fill: {COLOURS.players["bc"]}"'
    path = next(path for path in re.findall(rf'<path d="([^"]*)"[^>]*{style}', svg) if path.count("L") == 3)
    left, right, top, bottom = box_of(path)
    assert (box["y"], box["y"] + box["height"]) == pytest.approx((top, bottom), abs=0.2)
    assert box["x"] == pytest.approx(left, abs=0.2)
    assert box["width"] == pytest.approx((right - left) * 7.5 / 6.0, abs=0.3), "to the end of the interval"


def test_links_over_points_do_not_overlap_and_are_in_the_order_of_the_drawing() -> None:
    kinds = ["hard", "all"]
    _, links = drawn(dots_with(SCORES, kinds), marks_of_dots(SCORES, kinds, behind))
    boxes = [box for _, _, box in links.found]
    assert all(first["y"] + LEAST * 0.75 < second["y"] for first, second in pairwise(boxes))
    assert all(box["width"] >= LEAST for box in boxes)
    assert boxes[0]["width"] > LEAST + 1 and boxes[1]["width"] == LEAST, "as wide as the interval; one has none"


def test_differences_have_a_link_a_line_with_the_sign_in_its_name() -> None:
    groups = {
        "bc": [
            Line("bc", "judge, hard", 1.2, 0.5, 1.9, "full", "x"),
            Line("bc", "people", -0.1, None, None, "pale", "y"),
        ]
    }
    _, links = drawn(forest_with(groups, "base"), marks_of_forest(groups, "base"))
    assert [(href, name) for href, name, _ in links.found] == [
        ("x", "bc over base, judge, hard: +1.20 [0.50, 1.90]"),
        ("y", "bc over base, people: −0.10"),
    ]


def test_what_a_link_says_can_become_no_markup() -> None:
    with canvas(200, 100, COLOURS) as (figure, axes):
        axes.plot([0, 1], [0, 1])
        bytes_of(figure, "svg")
        found = over(axes, [Mark((0, 0), (1, 1), '<b>"x"</b>', '#"><script>')])
    assert "<b>" not in found and "<script>" not in found
    assert Links(found).found[0][:2] == ('#"><script>', '<b>"x"</b>')


def test_a_drawing_with_links_is_no_image_and_hides_what_the_links_say_anyway() -> None:
    plain = on_page('<svg viewBox="0 0 10 10"><text>1</text></svg>', "n", "told", COLOURS)
    linked = on_page('<svg viewBox="0 0 10 10"><text>1</text></svg>', "n", "told", COLOURS, "<a href='#x'></a>")
    assert 'role="img"' in plain and "aria-hidden" not in plain
    assert 'role="group"' in linked and '<g aria-hidden="true"><text>1</text></g><a ' in linked
    assert plain.endswith("</svg>") and linked.endswith("</a></svg>")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    root, experiment = make_sample(tmp_path_factory.mktemp("sample"))
    write_study(root, simulated=True)
    return root, experiment


def test_every_figure_of_scores_leads_where_its_table_leads(sample: tuple[Path, Experiment]) -> None:
    found = load(*sample)
    drawings = figures(found)
    linked = {name for name, drawing in drawings.items() if "<a " in drawing.svg}
    assert set(drawings) - linked == {"training"}
    players, measured = set(sample[1].measured()), len(sample[1].measured())
    assert len(Links(drawings["goal"].svg).found) == measured * len(sample[1].evaluations)
    tables = re.sub(r"<svg.*?</svg>", "", render(found, Provenance()), flags=re.DOTALL).replace("&amp;", "&")
    for name in ("goal", "dimension-goal", "dimension-overall", "people", "rounds", "risks-1"):
        for href, _, _ in Links(drawings[name].svg).found:
            assert f'href="{href}"' in tables, f"{name}: no table has {href}"
            assert parse_qs(urlsplit(href).fragment)["policy"][0] in players


def test_on_a_phone_a_figure_has_the_same_links_in_the_same_order(sample: tuple[Path, Experiment]) -> None:
    drawings = figures(load(*sample))
    assert {name for name, found in drawings.items() if found.narrow} == {
        *("goal", "people", "differences", "rounds", "training")
    }
    for name in ("goal", "people", "differences", "rounds"):
        wide, narrow = (Links(svg).found for svg in (drawings[name].svg, drawings[name].narrow))
        assert [found[:2] for found in narrow] == [found[:2] for found in wide] != []
        boxes = [box for _, _, box in narrow]
        assert name == "rounds" or all(one["y"] + LEAST * 0.75 < other["y"] for one, other in pairwise(boxes))


def test_files_for_papers_have_no_links_and_say_who_is_simulated(
    sample: tuple[Path, Experiment], tmp_path: Path
) -> None:
    save_figures(load(*sample), tmp_path)
    texts = {path.stem: path.read_text() for path in tmp_path.glob("*.svg")}
    assert not [name for name, text in texts.items() if "<a " in text or "episodes/" in text]
    assert "the people are simulated" in texts["people"] and "simulated people alone" in texts["differences"]


def test_families_of_risks_have_a_panel_with_percentages(sample: tuple[Path, Experiment]) -> None:
    drawing = figures(load(*sample))["risks-1"]
    assert drawing.title == "legal rights"
    names = [name for _, name, _ in Links(drawing.svg).found]
    assert any(re.fullmatch(r"bc in % of seats, harm, as instigator: \d+\.\d\d \[.*\]", name) for name in names)
    hrefs = [href for href, _, _ in Links(drawing.svg).found]
    assert all("tag=risk%3Alegal_rights" in href and "role=" in href for href in hrefs)
