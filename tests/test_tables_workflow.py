"""The paper's tables and what people's ratings give, as targets that a person types, in a real run."""

import json
from pathlib import Path

import polars as pl
import pytest

from parley.evaluation.people import PEOPLE
from parley.layout import TABLES
from parley.records.rating import KEYS
from parley.tables.cells import read_cells
from tests.workflow import Workshop, ran, talk_only

pytestmark = pytest.mark.slow


def test_tables_are_made_when_asked_for_and_again_when_people_have_rated(tmp_path: Path) -> None:
    config = talk_only()
    config["task_sets"]["small"] |= {"count": 3, "casts": 2, "shards": 1}
    config["published"] = "sotopia_pi"
    workshop = Workshop(tmp_path / "talk", config)
    tables = workshop.results / "tables"

    output = workshop.run("table_5")
    assert ran(output)["tabulate"] == 1 and sorted(path.name for path in tables.iterdir()) == [
        "table_5.csv", "table_5.md", "table_5.tex",
    ]  # fmt: skip
    cells = read_cells(tables / "table_5.csv")
    assert cells["player"].unique().to_list() == ["base"]
    goal = cells.filter(measure="goal", block="all, rated by the judge")
    assert goal["origin"].to_list() == ["here", "paper"]
    assert goal["n"].to_list() == [3 * 2 * 2, 180]
    assert "Simulated" in (tables / "table_5.md").read_text()

    workshop.run("tables")
    assert {path.stem for path in tables.iterdir()} == set(TABLES)
    assert "no safety study" in (tables / "table_3.md").read_text()
    assert read_cells(tables / "table_3.csv").is_empty()
    before = workshop.read("tables/*")
    assert "Nothing to be done" in workshop.run("tables")

    seats = cells_to_rate(workshop)
    pl.DataFrame(seats).write_parquet(workshop.folder / "people.parquet")
    workshop.configure({**workshop.config, "human_ratings": "people.parquet"})
    again = ran(workshop.run("tables"))
    assert again == {"tabulate": 8, "tables": 1}  # those of ratings, and nothing before them
    after = workshop.read("tables/*")
    assert after["tables/table_2.csv"] != before["tables/table_2.csv"]
    assert after["tables/table_4.csv"] == before["tables/table_4.csv"]
    people = read_cells(tables / "figure_4.csv").filter(rater=PEOPLE, origin="here")
    assert people["value"].to_list() == [7.0]

    assert ran(workshop.run("calibration")) == {"calibrate": 1, "calibration": 1}
    human = workshop.results / "human"
    found = pl.read_parquet(human / "calibration.parquet").filter(dimension="goal", evaluation="all")
    assert dict(found.select("method", "mean").iter_rows())["people"] == 7.0
    assert pl.read_parquet(human / "calibration.versus_base.parquet").is_empty()  # base is all there is
    assert json.loads((human / "agreement.json").read_text())["raters"] == 1
    assert "Nothing to be done" in workshop.run("calibration")


def cells_to_rate(workshop: Workshop) -> list[dict[str, object]]:
    """What somebody says of every seat of base: GOAL 7, all else 0."""
    paths = workshop.results.glob("ratings/small/*/judge/*.parquet")
    rows = pl.concat([pl.read_parquet(path) for path in paths]).filter(player="base")
    seats = rows.select("task", "cast", "seat", "player", "partner").to_dicts()
    return [{**seat, **dict.fromkeys(KEYS, 0), "goal": 7, "rater": "ann"} for seat in seats]


def test_a_paper_that_is_not_known_is_one_line_before_any_job(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "talk", talk_only() | {"published": "sotopia"})
    output = workshop.run("table_5", status=1)
    assert output.strip().splitlines()[-1] == (
        "error: config: published.paper: there are no published numbers called 'sotopia'; there are: sotopia_pi"
    )
