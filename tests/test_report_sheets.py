"""The paper's tables in words: rows, notes, Markdown, LaTeX and the figure; and what is said where nothing is there."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from parley.config import Experiment, Published
from parley.evaluation.people import PEOPLE, SIMULATED
from parley.layout import TABLES, Layout
from parley.records.frames import write_parquet
from parley.records.rating import KEYS
from parley.report.gap import gap_on_page, legend, save_gap
from parley.report.latex import latex
from parley.report.load import load
from parley.report.markdown import markdown
from parley.report.notes import READING
from parley.report.page import render
from parley.report.provenance import Provenance
from parley.report.sheets import TITLES, Sheet, sheet
from parley.tables.catalogue import make
from parley.tables.cells import frame, write_cells
from tests.report_sample import make_sample

ALIKE = Published(paper="sotopia_pi")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("sample")
    _, sample = make_sample(folder)
    return Layout(sample, str(folder / "results"))


def other(layout: Layout, **changes: Any) -> Layout:
    return Layout(layout.experiment.model_copy(update=changes), str(Path(layout.results).parent))


def shown(layout: Layout, name: str, **changes: Any) -> Sheet:
    changed = other(layout, **changes)
    return sheet(name, make(name, changed), changed.experiment)


def words(found: Sheet) -> str:
    return " ".join(found.notes)


def cells_of(found: Sheet, label: str, block: int = 0) -> dict[str, str]:
    (line,) = [line for line in found.blocks[block].lines if line.label == label]
    return dict(zip(found.blocks[block].head, map(str, line.cells), strict=True))


def people(layout: Layout, folder: Path, **more: Any) -> str:
    """A file in which somebody rated all that base did."""
    rows = make("table_5", layout)  # only to be sure that there is something to rate
    assert rows.height
    seats = [
        {**dict.fromkeys(KEYS, 0), "goal": 1 + number % 3, "task": f"evaluation_{number}", "cast": "c1+c2", "seat": seat,
         "player": "base", "partner": "partner", "rater": "ann", **more}
        for number in (1, 3, 5, 7)
        for seat in (0, 1)
    ]  # fmt: skip
    write_parquet(folder / "people.parquet", pl.DataFrame(seats))
    return str(folder / "people.parquet")


#: Tables that have numbers before people have rated.
FILLED = [name for name in TABLES if name not in ("table_7", "table_8")]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_every_table_has_a_title_and_says_how_it_is_read() -> None:
    assert set(TITLES) == set(READING) == set(TABLES)


@pytest.mark.parametrize("name", FILLED)
def test_every_line_has_a_cell_for_every_column(layout: Layout, name: str) -> None:
    found = shown(layout, name, published=ALIKE)
    assert found.blocks
    for block in found.blocks:
        assert block.lines and {len(line.cells) for line in block.lines} == {len(block.head)}
        labels = [line.label for line in block.lines if not line.published]
        assert len(set(labels)) == len(labels), "two rows have the same head"


def test_columns_stand_in_the_papers_order(layout: Layout) -> None:
    assert shown(layout, "table_5").blocks[0].head == [
        *("BEL", "REL", "KNO", "SEC", "SOC", "FIN", "GOAL", "Overall"), *("n", "tasks", "failed"),
    ]  # fmt: skip
    assert shown(layout, "table_3").blocks[1].head[:3] == ["engaged", "prevention", "alternatives"]
    assert shown(layout, "table_6").blocks[0].head[-2:] == ["tasks", "failed"]


def test_numbers_have_what_belongs_around_them(layout: Layout) -> None:
    five = cells_of(shown(layout, "table_5"), "bc")
    assert re.fullmatch(r"\d\.\d\d ±\d\.\d\d", five["GOAL"]) and five["n"] == "16"
    one = cells_of(shown(layout, "table_1"), "bc_sr over base")
    assert re.fullmatch(r"[+−]\d\.\d\d\*? \[−?\d\.\d\d, \d\.\d\d\]", one["GOAL"])
    six = cells_of(shown(layout, "table_6"), "bc_sr against base")
    assert re.fullmatch(r"−?\d+\.\d\d \(p [=<] 0\.\d{3}\)", six["GOAL"])
    assert re.fullmatch(r"\d+ % \[\d+, \d+\]", cells_of(shown(layout, "table_3"), "bc")["engaged"])
    four = cells_of(shown(layout, "table_4"), "bc")
    assert re.fullmatch(r"27\.0 % ±4\.5", four["accuracy"]) and four["over base"].startswith("+2.0 [")
    assert "facing bc" in [line.label for line in shown(layout, "table_9").blocks[0].lines]


def test_published_rows_follow_ours_and_are_marked(layout: Layout) -> None:
    lines = [line for line in shown(layout, "table_5", published=ALIKE).blocks[0].lines if line.player == "expert"]
    assert [line.label for line in lines] == ["expert", "published: Table 5†", "like for like: SOTOPIA, Figure G.4"]
    assert [line.published for line in lines] == [False, True, True]
    nine = shown(layout, "table_9", published=ALIKE).blocks[0].lines
    assert [line.label for line in nine][:2] == ["facing base", "published: by people, Table 9"]


def test_what_is_published_without_a_number_is_a_dash(layout: Layout) -> None:
    hard = shown(layout, "table_5", published=ALIKE)
    assert cells_of(hard, "like for like: SOTOPIA, Figure G.5", block=1)["BEL"] == "–"
    assert cells_of(hard, "like for like: SOTOPIA, Figure G.5", block=1)["GOAL"] == "5.89"


def test_stars_are_for_small_p_alone(layout: Layout) -> None:
    cells = make("table_1", other(layout, published=ALIKE))
    starred = {
        (line.label, head)
        for line in sheet("table_1", cells, other(layout, published=ALIKE).experiment).blocks[0].lines
        for head, cell in zip(("BEL", "REL", "KNO", "SEC", "SOC", "FIN", "GOAL", "Overall"), line.cells, strict=False)
        if "*" in cell.text
    }
    printed = {head for label, head in starred if label == "published: by people, Table 1"}
    assert printed == {"BEL", "REL", "SOC", "Overall"}
    small = cells.filter((pl.col("p") < 0.05) & (pl.col("origin") == "here")).height
    assert len(starred) - len(printed) == small


def test_the_figures_table_has_judge_people_and_gap_in_one_row(layout: Layout, tmp_path: Path) -> None:
    found = shown(layout, "figure_4", published=ALIKE, human_ratings=people(layout, tmp_path))
    assert found.blocks[0].head[:3] == ["GOAL by the judge", "GOAL by people", "gap"]
    base, printed = [line for line in found.blocks[0].lines if line.player == "base"]
    assert [cell.text for cell in printed.cells[:3]] == ["3.25", "2.89", "+0.36"]
    assert all(cell.text != "–" for cell in base.cells[:3])


# -- notes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["table_1", "table_5", "table_6", "table_9", "figure_4"])
def test_it_is_said_plainly_that_nobody_has_rated_yet(layout: Layout, tmp_path: Path, name: str) -> None:
    told = "Nobody has rated these episodes yet"
    assert told in words(shown(layout, name))
    after = told in words(shown(layout, name, human_ratings=people(layout, tmp_path)))
    assert after == (name in ("table_1", "table_6", "table_9"))  # there is only one side, of one player


def test_tables_that_need_no_people_do_not_speak_of_them(layout: Layout) -> None:
    for name in ("table_2", "table_3", "table_4"):
        assert "Nobody has rated" not in words(shown(layout, name))


def test_who_judged_and_who_was_the_partner_is_said(layout: Layout) -> None:
    told = words(shown(layout, "table_5"))
    assert "Partner: partner (playhouse: partner). Judge: judge (openai: some-judge)." in told
    assert "Simulated: the partner and expert are scripted speakers." in told


def test_what_is_not_alike_is_said(layout: Layout) -> None:
    told = words(shown(layout, "table_5", published=ALIKE))
    assert "Published: SOTOPIA-π, arXiv 2403.08715v3; partner gpt-3.5-turbo-0613, judge gpt-4-0613." in told
    assert "Not like for like: here the partner is partner and the judge is some-judge." in told
    assert "† expert (all, rated by the judge), Table 5: average over four partners" in told
    assert "Like for like: SOTOPIA, arXiv 2310.11667v2" in told


def test_the_papers_own_models_are_alike(layout: Layout) -> None:
    models = dict(layout.experiment.models)
    for name, theirs in (("partner", "gpt-3.5-turbo-0613"), ("judge", "gpt-4-0613")):
        models[name] = models[name].model_copy(update={"engine": "openai", "name": theirs})
    told = words(shown(layout, "table_5", published=ALIKE, models=models))
    assert "Not like for like" not in told and "Published: " in told


def test_players_without_a_published_number_are_listed(layout: Layout) -> None:
    mapped = Published(paper="sotopia_pi", players={"bc": "bc", "base": "base"})
    assert "Without a published number: sr, bc_sr and expert." in words(shown(layout, "table_5", published=mapped))
    assert "Without a published number" not in words(shown(layout, "table_5", published=ALIKE))


MISSING = {
    "table_3": ({"safety": None}, "no safety study"),
    "table_4": ({"knowledge": None}, "no knowledge test"),
    "table_5": ({"evaluations": {}}, "no evaluation"),
    "table_9": ({"evaluations": {}}, "no evaluation"),
    "figure_4": ({"evaluations": {}}, "no evaluation"),
    "table_7": ({}, "People have rated none of these episodes yet"),
    "table_8": ({}, "People have rated none of these episodes yet"),
}


@pytest.mark.parametrize("name", list(MISSING))
def test_what_is_missing_is_one_line_and_no_number(layout: Layout, name: str) -> None:
    changes, says = MISSING[name]
    found = shown(layout, name, **changes)
    assert found.blocks == [] and len(found.notes) == 1 and says in found.notes[0]
    assert not re.search(r"\d", markdown(found).split("\n", 1)[1])


def test_without_a_trained_policy_there_is_nothing_to_compare(layout: Layout) -> None:
    alone = {"base": layout.experiment.policies["base"]}
    for name in ("table_1", "table_6"):
        assert shown(layout, name, policies=alone).notes == [
            "This experiment has no trained policy, so there is nothing to compare."
        ]


def test_what_people_give_as_raters_stands_beside_what_the_paper_s_gave(layout: Layout, tmp_path: Path) -> None:
    rated = {"human_ratings": people(layout, tmp_path), "published": ALIKE}
    seven, eight = (shown(layout, name, **rated) for name in ("table_7", "table_8"))
    assert seven.blocks[0].head == ["Pearson's r", "Spearman's rho", "n", "tasks"]
    assert [line.published for line in seven.blocks[0].lines] == [False, True]
    assert [block.title for block in eight.blocks] == ["how often two raters agree", "Randolph's kappa"]
    for block in eight.blocks:
        assert block.head == ["BEL", "REL", "KNO", "SEC", "SOC", "FIN", "GOAL", "n", "tasks"]
        assert [line.published for line in block.lines] == [False, True]
    for found in (seven, eight):
        assert latex(found).count("tabular}") == 2 * len(found.blocks)


# -- Markdown and LaTeX ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_markdown_has_straight_tables(layout: Layout, name: str) -> None:
    text = markdown(shown(layout, name, published=ALIKE))
    assert text.startswith(f"# {name.replace('_', ' ').capitalize()}: ")
    tables = [part.split("\n") for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == len(shown(layout, name).blocks)
    for lines in tables:
        assert len({len(line) for line in lines}) == 1, "the bars do not stand below each other"
        assert len({line.count("|") for line in lines}) == 1
        assert re.fullmatch(r"\|-+\|(-+:\|)+", lines[1])


def test_markdown_takes_nothing_for_markup() -> None:
    cells = frame("table_5", [{"block": "all", "player": "x", "origin": "here", "measure": "a|b", "value": 1.0,
                               "partner": "<b>", "partner_model": "{}"}])  # fmt: skip
    bare = Experiment.model_construct(published=None, policies={}, references=(), evaluations={})
    text = markdown(sheet("table_5", cells, bare))
    assert "| a\\|b |" in text and "&lt;b>" in text and "<b>" not in text


def test_a_cell_leads_to_its_episodes_by_evaluation_dimension_and_who_rated(layout: Layout, tmp_path: Path) -> None:
    rated = people(layout, tmp_path)
    blocks = {block.title: block for block in shown(layout, "table_5", human_ratings=rated, published=ALIKE).blocks}
    for title, by_people in (("hard, rated by the judge", False), ("hard, first cast, rated by people", True)):
        block = blocks[title]
        line = next(line for line in block.lines if not line.published)
        href = line.cells[block.head.index("BEL")].href
        assert "evaluation=hard&policy=base&dimension=BEL" in href and ("people=yes" in href) == by_people
        assert "state=failed" in line.cells[block.head.index("failed")].href
        assert not any(cell.href for line in block.lines if line.published for cell in line.cells)
    harm = shown(layout, "table_3").blocks[0]
    assert "role=instigator" in harm.lines[0].cells[harm.head.index("harm")].href
    assert shown(layout, "table_4").blocks[0].lines[0].href == "../knowledge/base.json"


def test_people_are_no_judge_with_a_model(layout: Layout, tmp_path: Path) -> None:
    told = words(shown(layout, "table_7", human_ratings=people(layout, tmp_path)))
    assert "Judge: openai: some-judge." in told


@pytest.mark.parametrize("name", FILLED)
def test_latex_has_as_many_cells_as_columns(layout: Layout, name: str) -> None:
    text = latex(shown(layout, name, published=ALIKE))
    for part in text.split(r"\begin{tabular}")[1:]:
        columns = re.match(r"\{(l[r]+)\}", part)
        assert columns is not None
        rows = [line for line in part.split(r"\end{tabular}")[0].split("\n") if line.endswith(r" \\")]
        assert rows and {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns[1])}
    for opened in ("table*", "tabular"):
        assert text.count(rf"\begin{{{opened}}}") == text.count(rf"\end{{{opened}}}") > 0
    assert not re.search(r"(?<!\\)[%#]", text) and "−" not in text and "π" not in text
    outside = re.sub(r"\\label\{[^}]*\}", "", text)
    assert not re.search(r"(?<!\\)_", outside)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(layout: Layout, tmp_path: Path) -> None:
    body = "".join(latex(shown(layout, name, published=ALIKE)) for name in TABLES)
    page = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}" + body + "\\end{document}"
    (tmp_path / "a.tex").write_text(page)
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "a.tex"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("name", TABLES)
def test_the_same_cells_are_the_same_text(layout: Layout, name: str) -> None:
    for form in (markdown, latex):
        assert form(shown(layout, name, published=ALIKE)) == form(shown(layout, name, published=ALIKE))


# -- the figure --------------------------------------------------------------------------------------------------------


def test_the_figure_is_drawn_for_papers_and_the_same_again(layout: Layout, tmp_path: Path) -> None:
    cells = make("figure_4", layout)
    for name in ("a", "b"):
        save_gap(cells, layout.experiment, tmp_path / f"{name}.svg")
    for kind in ("svg", "pdf"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn.startswith("<?xml") and all(f">{name}<" in drawn for name in layout.experiment.measured())


def test_the_figure_tells_the_gap_where_people_rated(layout: Layout, tmp_path: Path) -> None:
    rated = other(layout, human_ratings=people(layout, tmp_path), published=ALIKE)
    cells = make("figure_4", rated)
    drawings = gap_on_page(cells, rated.experiment)
    assert drawings is not None
    for drawing in drawings:
        assert re.search(r"gap \+\d\.\d\d", drawing) and drawing.count(">gap ") == 1
        assert "base, people " in drawing and "base, published people 2.89" in drawing
    assert [kind for kind, _ in legend(cells)] == ["", "pale", "hollow", "hollow pale"]
    assert [kind for kind, _ in legend(make("figure_4", layout))] == [""]


def test_a_figure_of_nothing_says_so_and_is_not_on_the_page(layout: Layout, tmp_path: Path) -> None:
    cells = frame("figure_4", [])
    save_gap(cells, layout.experiment, tmp_path / "a.svg")
    assert "nothing was rated" in (tmp_path / "a.svg").read_text()
    assert (gap_on_page(cells, layout.experiment), legend(cells)) == (None, [])


# -- the page ----------------------------------------------------------------------------------------------------------


def section(page: str) -> str:
    return page.split('<section id="tables"', 1)[1].split("</section>", 1)[0]


def test_the_page_shows_every_table(layout: Layout) -> None:
    text = section(render(load(Path(layout.results), layout.experiment), Provenance()))
    names = [name.replace("_", " ").capitalize() for name in TABLES]
    assert re.findall(r'<strong data-plain="name">(\w+ \d)</strong>', text) == names
    assert "Nobody has rated these episodes yet" in text and "published" not in text.replace("as published", "")


def test_the_page_shows_published_numbers_beside_ours(layout: Layout, tmp_path: Path) -> None:
    shutil.copytree(layout.results, tmp_path / "results" / "sample")
    alike = Layout(layout.experiment.model_copy(update={"published": ALIKE}), str(tmp_path / "results"))
    for name in TABLES:
        write_cells(alike.table(name), make(name, alike))
    text = section(render(load(Path(alike.results), alike.experiment), Provenance()))
    assert text.count('<tr class="published" data-plain="published">') > 50 and "beside the published numbers" in text
    assert "by people, Table 9" in text and "8.03" in text


def test_a_table_that_is_missing_or_broken_is_a_gap_of_the_page(layout: Layout, tmp_path: Path) -> None:
    root = tmp_path / "sample"
    shutil.copytree(layout.results, root)
    (root / "tables/table_5.csv").write_text("a,b\n")
    (root / "tables/table_6.csv").unlink()
    found = load(root, layout.experiment)
    assert list(found.gaps) == ["tables"]
    assert found.gaps["tables"][0].startswith("tables/table_5.csv cannot be read (")
    assert found.gaps["tables"][1] == "tables/table_6.csv is missing"
    text = section(render(found, Provenance()))
    assert "table_6.csv is missing" in text and "<strong>Table 5</strong>" not in text


def test_people_are_not_called_a_judge(layout: Layout, tmp_path: Path) -> None:
    found = shown(layout, "table_5", human_ratings=people(layout, tmp_path))
    assert [block.title for block in found.blocks][2] == "hard, first cast, rated by people"
    assert f"{PEOPLE}." not in words(found).replace("Judge: judge (openai: some-judge).", "")


# -- simulated people --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["table_1", "table_5", "table_6", "table_7", "table_8", "table_9", "figure_4"])
def test_where_models_rate_in_people_s_place_every_form_of_a_table_says_so(
    layout: Layout, tmp_path: Path, name: str
) -> None:
    changes = {"human_ratings": people(layout, tmp_path, simulated=True), "published": ALIKE}
    cells, found = make(name, other(layout, **changes)), shown(layout, name, **changes)
    ours = cells.filter(origin="here")["rater"].drop_nulls().to_list()
    assert PEOPLE not in ours, "the column of the CSV file"
    if SIMULATED not in ours:
        return  # nothing of theirs is in this table
    assert "Simulated: no person has rated" in words(found)
    assert all("Simulated: no person has rated" in form(found) for form in (latex, markdown))
    printed = cells.filter(pl.col("origin") != "here")["rater"].drop_nulls().unique().to_list()
    assert SIMULATED not in printed, "those of the paper were people"
    titles = [block.title for block in found.blocks if "rated by" in block.title]
    assert not [title for title in titles if "people" in title]


def test_the_figure_and_its_legend_say_that_people_are_simulated(layout: Layout, tmp_path: Path) -> None:
    for simulated in (True, False):
        changed = other(layout, human_ratings=people(layout, tmp_path, simulated=simulated), published=ALIKE)
        cells = make("figure_4", changed)
        told = [words for _, words in legend(cells)]
        assert told[:2] == ["the judge here", "simulated raters here" if simulated else "people here"]
        assert "people as published" in told
        save_gap(cells, changed.experiment, tmp_path / "figure_4.svg")
        drawn = (tmp_path / "figure_4.svg").read_text()
        assert ("the people who rate here are simulated" in drawn) == simulated
        assert "<a " not in drawn, "a file for a paper has no links"
        pages = gap_on_page(cells, changed.experiment)
        assert pages is not None
        for page in pages:
            assert 'people=yes" aria-label="base by ' in page
            assert ("base by simulated raters" in page) == simulated
