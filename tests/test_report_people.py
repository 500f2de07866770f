"""People at the top of the page: their calibrated number leads, the judge's gap is told, and nobody is said to be nobody."""

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from markupsafe import Markup

from parley.config import Experiment
from parley.report.answer import answer, headline
from parley.report.figures import figures
from parley.report.findings import Findings
from parley.report.load import load
from parley.report.page import render
from parley.report.provenance import Provenance
from parley.report.verdict import verdict
from tests.report_people import write_study
from tests.report_sample import make_sample
from tests.test_report_page import Outline


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    return make_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def root(sample: tuple[Path, Experiment], tmp_path: Path) -> Path:
    shutil.copytree(sample[0], tmp_path / "sample")
    return tmp_path / "sample"


def findings(root: Path, experiment: Experiment, half: float = 0.5, simulated: bool = False) -> Findings:
    write_study(root, half, simulated)
    found = load(root, experiment)
    assert "people" not in found.gaps
    return found


def words(page: str) -> str:
    return " ".join(Outline(page).text.split())


def test_peoples_number_decides_who_is_best_and_leads(sample: tuple[Path, Experiment], root: Path) -> None:
    found = findings(root, sample[1])
    told = answer(found)
    assert told is not None and told.best is not None
    assert told.best.player == "bc", "the judge has bc_sr first, people have bc"
    assert any("judge alone would put bc_sr first, and not bc" in doubt for doubt in told.doubts)
    top = verdict(found, told)
    assert top.title == "bc reaches its goals better than base does"
    assert next((cell.value, cell.around) for cell in top.cells) == ("+1.80", "[1.30, 2.30]")
    note = Markup(top.cells[0].note)
    assert note.striptags() == "8 seats rated by people correct 16 rated by judge; 24 more would halve the interval"
    assert [found.split("people=")[1:] for found in re.findall('href="([^"]*)"', note)] == [["yes"], [], ["no"]]
    assert headline(found).startswith("hard GOAL: base"), "the line for logs stays the judge's"


def test_the_gap_of_the_judge_is_told_for_the_best_and_for_the_base(
    sample: tuple[Path, Experiment], root: Path
) -> None:
    found = findings(root, sample[1])
    gap = next(cell for cell in verdict(found, answer(found)).cells if "above people" in cell.label)
    assert (gap.value, Markup(gap.around).striptags()) == ("+1.30", "+0.30 for base")
    assert "sort=gap-down" in gap.href and "policy=bc" in gap.href and "people=yes" in gap.href


def test_a_calibrated_interval_that_holds_zero_is_no_better(sample: tuple[Path, Experiment], root: Path) -> None:
    found = findings(root, sample[1], half=2.5)
    told = answer(found)
    assert verdict(found, told).title == "bc is ahead, but base may be as good"
    assert told is not None and any("may be chance" in doubt for doubt in told.doubts)


def test_the_answer_is_about_what_people_rated(sample: tuple[Path, Experiment], root: Path) -> None:
    write_study(root)
    for name in ("calibration", "calibration.versus_base"):
        path = root / f"human/{name}.parquet"
        pl.read_parquet(path).with_columns(evaluation=pl.lit("all")).write_parquet(path)
    found = load(root, sample[1])
    told = answer(found)
    assert told is not None and told.evaluation == "all" and told.human is not None
    assert verdict(found, told).cells[0].value == "+1.80"
    path = root / "human/calibration.parquet"
    pl.read_parquet(path).with_columns(evaluation=pl.lit("of another experiment")).write_parquet(path)
    assert load(root, sample[1]).main == "hard"


def test_training_that_made_it_worse_is_said_so(sample: tuple[Path, Experiment], root: Path) -> None:
    write_study(root)
    path = root / "human/calibration.versus_base.parquet"
    worse = pl.col("mean", "low", "high") - 4
    pl.read_parquet(path).with_columns(worse).write_parquet(path)
    found = load(root, sample[1])
    assert verdict(found, answer(found)).title == "Training made it worse: bc, the best of the trained, is below base"


@pytest.mark.parametrize(("half", "end"), [(0.5, "That is +1.80 [1.30, 2.30] over base."), (2.5, "may be chance.")])
def test_the_answer_in_words_is_peoples_and_the_judges_stands_after_it(
    sample: tuple[Path, Experiment], root: Path, half: float, end: str
) -> None:
    page = render(findings(root, sample[1], half=half), Provenance())
    lead, others = (words(part) for part in re.findall(r"<p[^>]*>(?:As people|The other).*?</p>", page, re.DOTALL))
    assert re.match(
        r"As people would rate it, bc reaches its goals best of the trained policies on hard: GOAL 4\.10 ", lead
    )
    assert end in lead
    assert re.search(r"By judge alone it has \d\.\d\d \[.*\], \+\d\.\d\d \[.*\] over base\.$", lead)
    assert re.search(r"as people would rate it \(by judge alone\): .*sr \+0\.20 \[.*\] \(\+\d", others)


def test_simulated_raters_are_said_to_be(sample: tuple[Path, Experiment], root: Path) -> None:
    page = render(findings(root, sample[1], simulated=True), Provenance())
    assert "Simulated raters have rated" in words(page) and "The people are simulated" in words(page)
    assert page.split('class="verdict"')[1].split("</dl>")[0].count("simulated</span>") == 3
    section = page[page.index('<section id="people"') :].split("</section>")[0]
    for head in (">simulated people</th>", "rated by simulated people", "judge above simulated people"):
        assert head in section
    assert "simulated people," in page.split("<figcaption>")[1]
    real = render(findings(root, sample[1]), Provenance())
    assert "simulated people" not in real
    assert (
        "Simulated raters" not in words(real)
        and "simulated</span>" not in real.split('class="verdict"')[1].split("</dl>")[0]
    )


def test_the_section_of_people_has_every_player_with_its_gap_and_their_agreement(
    sample: tuple[Path, Experiment], root: Path
) -> None:
    page = render(findings(root, sample[1]), Provenance())
    section = page[page.index('<section id="people"') :].split("</section>")[0]
    rows = re.findall(r"<tr.*?</tr>", section, flags=re.DOTALL)
    told = {" ".join(re.sub(r"<[^>]*>", " ", row).split()).split()[0]: row for row in rows}
    assert ">+3.00</a>" in told["bc_sr"] and ">3.40</a>" in told["bc_sr"] and "+24" in told["bc_sr"]
    assert "6 raters on 16 seats of 8 conversations" in words(section)
    assert "0.61" in told["GOAL"] and "+0.80" in told["GOAL"] and "–" in told["GOAL"]


def test_the_bars_show_judge_people_and_both(sample: tuple[Path, Experiment], root: Path) -> None:
    drawn = figures(findings(root, sample[1]))
    assert {"people", "goal", "differences"} <= set(drawn)
    assert "gap +3.00" in drawn["people"].svg
    label = re.search(r'aria-label="([^"]*)"', drawn["people"].svg)
    assert label is not None and re.search(
        r"bc_sr 6\.40 \[5\.90, 6\.90\] by judge, 3\.20 .* by people, 3\.40", label[1]
    )
    assert "bc by calibrated +1.80" in drawn["differences"].svg


@pytest.mark.parametrize("name", ["calibration.parquet", "calibration.versus_base.parquet", "agreement.json"])
def test_a_damaged_study_is_told_and_the_rest_is_shown(sample: tuple[Path, Experiment], root: Path, name: str) -> None:
    write_study(root)
    (root / "human" / name).write_bytes(b"[1, 2")
    page = render(load(root, sample[1]), Provenance())
    assert f"human/{name} cannot be read" in words(page)
    assert Outline(page).open == [] and "over base, by judge alone" in words(page)


def test_a_study_of_other_columns_is_told(sample: tuple[Path, Experiment], root: Path) -> None:
    write_study(root)
    pl.DataFrame({"player": ["bc"]}).write_parquet(root / "human/calibration.parquet")
    found = load(root, sample[1])
    assert "human/calibration.parquet cannot be read" in found.gaps["people"][0]
    assert "no column 'partner'" in found.gaps["people"][0]
    assert "No person has rated these conversations" in words(render(found, Provenance()))
