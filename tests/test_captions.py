"""What `snakemake --report` shows: the page, the episodes, figures and tables, each with words of its own."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jinja2 import Environment

from tests.standins.world import World
from tests.workflow import ROOT

RULES = [*ROOT.glob("rules/*.smk"), ROOT / "Snakefile"]


def test_every_caption_is_used_and_every_one_that_is_named_is_there() -> None:
    texts = "".join(path.read_text() for path in RULES)
    named = re.findall(r'caption="\.\./(captions/[a-z_]+\.rst)"', texts) + re.findall(r'^report: "(.*)"', texts, re.M)
    assert set(named) == {f"captions/{path.name}" for path in (ROOT / "captions").iterdir()}


@pytest.mark.parametrize("path", sorted((ROOT / "captions").iterdir()), ids=lambda path: path.stem)
def test_a_caption_is_a_template(path: Path) -> None:
    Environment().from_string(path.read_text())


@pytest.mark.slow
def test_the_report_of_snakemake_holds_the_results_with_all_episodes(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.save()
    world.run("all", "figures")
    (world.results / "report/episodes/part-0000.js").write_text("x")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "all", "figures", "--report", "found.zip"]
    done = subprocess.run(command, cwd=world.folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with zipfile.ZipFile(world.folder / "found.zip") as found:
        names = found.namelist()
        page = next(found.read(name).decode() for name in names if name.endswith("report.html"))
    folder = next(name for name in names if name.endswith("part-0000.js")).rsplit("/", 1)[0]
    assert f"{folder}/index.html" in names, "an episode is beside the page that reads it"
    assert {"goal.svg", "figure_4.svg", "table_5.csv"} <= {name.rsplit("/", 1)[-1] for name in names}
    for told in ("The report", "Figures", "The paper", "says which policy is"):
        assert told in page, told
