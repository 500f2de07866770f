"""The lineage: every step of the experiment once, below what it is made of, and leading to files that are there."""

import itertools
from pathlib import Path

import pytest

from parley.config import Experiment
from parley.layout import Layout
from parley.report.findings import layout_of
from parley.report.lineage import HEIGHT, WIDTH, graph, nodes
from tests.report_sample import make_sample, sample_experiment


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    return make_sample(tmp_path_factory.mktemp("sample"))


def test_every_step_is_there_with_what_it_is_made_of(tmp_path: Path) -> None:
    steps = {node.key: node for node in nodes(Layout(sample_experiment(tmp_path)))}
    assert steps["policy bc_sr"].made_of == ("data bc_sr", "policy bc")
    assert steps["data bc_sr"].made_of == ("play round1 bc+bc",)
    assert steps["play round1 bc+bc"].made_of == ("tasks round1", "policy bc")
    assert steps["study expert"].made_of == ("tasks evaluation",), "a reference is made of nothing here"
    assert set(steps["page"].made_of) == {
        *(f"study {name}" for name in ("base", "bc", "sr", "bc_sr", "expert")),
        *("knowledge", "safety"),
    }
    assert {key for node in steps.values() for key in node.made_of} <= set(steps)


def test_what_is_not_configured_is_not_drawn(tmp_path: Path) -> None:
    sets = {"round1": {"count": 6, "writer": "writer"}, "evaluation": {"file": "evaluation.jsonl"}}
    steps = {
        node.key for node in nodes(Layout(sample_experiment(tmp_path, knowledge=None, safety=None, task_sets=sets)))
    }
    assert not steps & {"knowledge", "safety", "people"}
    rated = nodes(Layout(sample_experiment(tmp_path, human_ratings="people.parquet")))
    assert "people" in {node.key for node in rated}


def test_raters_that_are_no_people_are_not_called_people(tmp_path: Path) -> None:
    layout = Layout(sample_experiment(tmp_path, human_ratings="people.parquet"))
    titles = [{node.key: node.title for node in nodes(layout, simulated)}["people"] for simulated in (False, True)]
    assert titles == ["people", "simulated raters"]


def test_a_policy_that_is_named_before_what_it_learns_from_still_stands_below_it(tmp_path: Path) -> None:
    experiment = sample_experiment(tmp_path)
    policies = dict(reversed(experiment.policies.items()))
    steps = nodes(Layout(experiment.model_copy(update={"policies": policies})))
    places = {box.node.key: box for box in graph(steps).boxes}
    assert places["policy bc_sr"].y > places["play round1 bc+bc"].y > places["policy bc"].y


def test_each_step_stands_below_its_own_and_none_on_another(tmp_path: Path) -> None:
    drawn = graph(nodes(Layout(sample_experiment(tmp_path))))
    places = {box.node.key: box for box in drawn.boxes}
    assert len(places) == len(drawn.boxes)
    for box in drawn.boxes:
        assert all(places[key].y + HEIGHT < box.y for key in box.node.made_of)
        assert 0 <= box.x <= drawn.width - WIDTH + 0.01 and 0 <= box.y <= drawn.height - HEIGHT
    corners = sorted((box.y, box.x) for box in drawn.boxes)
    for (y, x), (below, right) in itertools.pairwise(corners):
        assert below > y or right >= x + WIDTH
    assert len(drawn.lines) == sum(len(box.node.made_of) for box in drawn.boxes)


def test_every_step_leads_to_files_that_are_there(sample: tuple[Path, Experiment]) -> None:
    root, experiment = sample
    for node in nodes(layout_of(root, experiment)):
        if node.key != "page":
            assert (root / "report" / node.href).resolve().exists(), node.href
