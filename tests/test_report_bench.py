"""What is known of the judges, as the page tells it: of GOAL alone, with what cannot be read as a gap."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from parley.config import Experiment, check
from parley.report.bench import traits
from parley.report.load import load
from parley.report.page import render
from parley.report.provenance import Provenance
from tests.report_sample import make_sample

SURE = {"low": 0.4, "high": 0.8, "n": 32}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment]:
    return make_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def root(sample: tuple[Path, Experiment], tmp_path: Path) -> Path:
    shutil.copytree(sample[0], tmp_path / "sample")
    return tmp_path / "sample"


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def judges() -> dict[str, Any]:
    """A study as the rule writes it, with rows of another dimension that must not be told."""
    two = ({"dimension": "goal", **SURE}, {"dimension": "secret", **SURE})
    agreed = {
        "judge": "judge",
        "other": "second",
        "difference": 0.6,
        "pearson": 0.7,
        "spearman": None,
        "within_one": 0.9,
    }
    placed = {"judge": "judge", "mean": 0.6, "same": 0.75}
    said = {"judge": "judge", "amount": "words", "within": "task", "slope": -0.5, "correlation": -0.1}
    return {
        "agreement": [{**row, **agreed} for row in two],
        "position": [{**row, **placed} for row in two],
        "verbosity": [{**two[0], **said, "low": -1.2, "high": 0.2}],
    }


def test_each_study_is_a_line_about_goal(sample: tuple[Path, Experiment], root: Path) -> None:
    put(root / "judges/hard.json", judges())
    drift = [
        {"dimension": "goal", "date": day, "mean": 0.1 * place, "same": 0.5, **SURE}
        for place, day in enumerate(("2026-01-02", "2026-02-02"))
    ]
    canary = {"judge": "judge", "reference": "2026-01-01", "episodes": 12, "drift": drift}
    put(root / "canary/judge.json", canary)
    config = sample[1].model_dump(mode="json") | {"canary": {"dates": ["2026-01-01"]}}
    found = [row for row in traits(load(root, check(config, "config"))) if row.where in ("hard", "12 frozen episodes")]
    assert [(row.what, row.where) for row in found] == [
        ("over second on the same seats", "hard"),
        ("for the agent shown first over the same shown second", "hard"),
        ("for 100 words more, within task", "hard"),
        ("on 2026-02-02 over 2026-01-01", "12 frozen episodes"),
    ]
    assert [row.clear for row in found] == [True, True, False, True]
    assert found[0].note == "r 0.70, ρ –, 90 % within one point, n = 32"
    assert found[2].difference == -0.5 and found[3].difference == pytest.approx(0.1)


def test_without_a_study_the_page_says_so(sample: tuple[Path, Experiment], root: Path) -> None:
    shutil.rmtree(root / "judges")
    text = " ".join(render(load(root, sample[1]), Provenance()).split())
    assert "The judges were not studied" in text
    put(root / "judges/hard.json", judges())
    text = render(load(root, sample[1]), Provenance())
    assert "The judges were not studied" not in text and "over second on the same seats" in text


@pytest.mark.parametrize("content", ["[]", "{", '{"position": [{"dimension": "goal"}]}', '{"agreement": 3}'])
def test_a_study_that_cannot_be_read_is_a_gap(sample: tuple[Path, Experiment], root: Path, content: str) -> None:
    (root / "judges/hard.json").write_text(content)
    findings = load(root, sample[1])
    assert "hard" not in {row.where for row in traits(findings)}
    assert "judges/hard.json cannot be read" in findings.gaps["people"][0]
    assert "judges/hard.json cannot be read" in render(findings, Provenance())
