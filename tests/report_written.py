"""The whole report of the sample on disk, with people's ratings, as the rule writes it. For tests only."""

from pathlib import Path

from parley.report.episodes.catalogue import Catalogue
from parley.report.episodes.folder import write_folder
from parley.report.findings import layout_of
from parley.report.load import load
from parley.report.page import render
from parley.report.provenance import Provenance
from tests.report_people import write_study
from tests.report_sample import make_sample
from tests.test_episodes_folder import write_people


def write_report(folder: Path, simulated: bool = False) -> Path:
    """Write the sample and its report into `folder`; the path of the page."""
    root, experiment = make_sample(folder)
    write_people(root, "base", "bc", "sr", "bc_sr", simulated=simulated)
    write_study(root, simulated=simulated)
    write_folder(Catalogue(layout_of(root, experiment), {}), root / "report/episodes")
    page = root / "report/index.html"
    page.write_text(render(load(root, experiment), Provenance(seed=3, versions={"torch": "9.9"})), encoding="utf-8")
    return page
