"""The tables of the safety study and of the knowledge test, against the files that they are made from."""

import json
from pathlib import Path
from typing import Any

import pytest

from parley.config import Published
from parley.evaluation.knowledge import ways
from parley.evaluation.safety import MEASURES, ROLES
from parley.layout import Layout
from parley.report.sheets import sheet
from parley.tables.catalogue import make
from parley.tables.studied import BY_RULES, WAYS
from tests.report_sample import make_sample


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("sample")
    _, sample = make_sample(folder)
    return Layout(sample, str(folder / "results"))


def published(layout: Layout) -> Layout:
    alike = layout.experiment.model_copy(update={"published": Published(paper="sotopia_pi")})
    return Layout(alike, str(Path(layout.results).parent))


def test_table_3_has_every_measure_of_both_roles_as_the_study_found_it(layout: Layout) -> None:
    cells = make("table_3", layout)
    for player in layout.experiment.measured():
        study = json.loads(Path(f"{layout.results}/safety/{player}.json").read_text())
        for role in ROLES:
            found = cells.filter(player=player, block=f"as {role}")
            assert found["measure"].to_list() == list(MEASURES[role])
            for cell in found.iter_rows(named=True):
                (row,) = [one for one in study if (one["role"], one["measure"]) == (role, cell["measure"])]
                assert cell["value"] == row["mean"]
                assert all(
                    cell[name] == row[name] for name in ("se", "low", "high", "n", "clusters", "failed", "partner")
                )


def test_table_3_has_the_published_study_beside_it(layout: Layout) -> None:
    printed = make("table_3", published(layout)).filter(origin="paper", player="bc_sr")
    assert printed.select("block", "measure", "value").rows() == [
        ("as instigator", "engaged", 1.0),
        ("as instigator", "harm", 0.44),
        ("as instigator", "toxic_words", 0.9),
        ("as bystander", "engaged", 1.0),
        ("as bystander", "prevention", 1.0),
        ("as bystander", "alternatives", 2.9),
    ]


def test_table_4_has_the_accuracy_and_what_it_is_over_the_base(layout: Layout) -> None:
    cells = make("table_4", layout)
    for player in layout.experiment.policies:
        for way, result in ways(json.loads(Path(f"{layout.results}/knowledge/{player}.json").read_text())).items():
            mine = cells.filter(player=player, block=WAYS[way])
            (whole,) = mine.filter(measure="accuracy").to_dicts()
            overall = result["overall"]
            assert (whole["value"], whole["se"], whole["n"]) == (overall["acc"], overall["se"], overall["n"])
            over = mine.filter(measure="difference").to_dicts()
            if player == "base":
                assert over == []
            else:
                base = ways(json.loads(Path(f"{layout.results}/knowledge/base.json").read_text()))[way]
                scores = [[answer["right"] for answer in one["answers"]] for one in (result, base)]
                assert over[0]["value"] == pytest.approx((sum(scores[0]) - sum(scores[1])) / 100)
                assert (over[0]["versus"], over[0]["n"]) == ("base", 100)
    assert "expert" not in cells["player"].to_list()  # a reference is not tested


def test_policies_that_answered_other_questions_have_no_difference(tmp_path: Path) -> None:
    _, sample = make_sample(tmp_path)
    layout = Layout(sample, str(tmp_path / "results"))
    path = Path(f"{layout.results}/knowledge/bc.json")
    result: dict[str, Any] = json.loads(path.read_text())
    result["answers"][0]["question"] = "another"
    path.write_text(json.dumps(result))
    cells = make("table_4", layout)
    here = cells.filter(block=WAYS["likelihood"])
    assert here.filter(player="bc")["measure"].to_list() == ["accuracy"]
    assert here.filter(player="sr")["measure"].to_list() == ["accuracy", "difference"]


def test_table_3_says_who_decided(tmp_path: Path) -> None:
    _, sample = make_sample(tmp_path)
    layout = Layout(sample, str(tmp_path / "results"))
    for player in sample.measured():
        path = Path(f"{layout.results}/safety/{player}.json")
        rows = [row | ({"by": "judge", "judge_model": "{}"} if row["measure"] == "harm" else {"by": "rules"})
                for row in json.loads(path.read_text())]  # fmt: skip
        path.write_text(json.dumps(rows))
    cells = make("table_3", layout)
    assert cells.filter(measure="harm")["rater"].unique().to_list() == ["judge"]
    assert cells.filter(measure="engaged")["rater"].unique().to_list() == [BY_RULES]
    told = " ".join(sheet("table_3", cells, sample).notes)
    assert "By the judge: harm. By fixed rules: engaged, toxic words" in told


def test_table_4_tells_the_ways_to_answer_apart(tmp_path: Path) -> None:
    _, sample = make_sample(tmp_path)
    alike = published(Layout(sample, str(tmp_path / "results")))
    for policy in sample.policies:
        path = Path(f"{alike.results}/knowledge/{policy}.json")
        result = json.loads(path.read_text())
        free = {**result, "overall": {**result["overall"], "acc": 0.5}}
        path.write_text(json.dumps({**result, "way": "likelihood", "also": {"generation": free}}))
    cells = make("table_4", alike)
    assert cells["block"].unique(maintain_order=True).to_list() == list(WAYS.values())
    mine = cells.filter(player="bc", measure="accuracy", origin="here")
    assert mine["value"].to_list() == [0.27, 0.5]
    printed = cells.filter(player="bc", origin="paper")
    assert printed.select("block", "note").rows() == [(WAYS["generation"], "Table 4")]


def test_an_accuracy_by_another_way_than_the_papers_says_so(tmp_path: Path) -> None:
    _, sample = make_sample(tmp_path)
    alike = published(Layout(sample, str(tmp_path / "results")))
    for policy in sample.policies:
        path = Path(f"{alike.results}/knowledge/{policy}.json")
        path.write_text(
            json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "also"})
        )
    notes = make("table_4", alike).filter(origin="paper")["note"].unique().to_list()
    assert notes == ["Table 4; the first letter of a free answer, else a guess"]


def test_table_4_has_the_published_accuracy_beside_it(layout: Layout) -> None:
    printed = make("table_4", published(layout)).filter(origin="paper")
    assert printed.select("player", "value").rows() == [
        ("base", 0.4921), ("bc", 0.4748), ("sr", 0.4346), ("bc_sr", 0.4857),
    ]  # fmt: skip
