"""The answer in words, from scores and differences written by hand."""

from pathlib import Path

import polars as pl
import pytest
from markupsafe import Markup

from parley.config import Experiment
from parley.records import score
from parley.report.answer import Answer, answer, headline
from parley.report.findings import Findings
from tests.report_sample import sample_experiment

Row = tuple[str, float | None, float | None, float | None]


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return sample_experiment(tmp_path)


def findings(experiment: Experiment, scores: list[Row], gains: list[Row], **counts: int) -> Findings:
    """Findings with GOAL on `hard`: (player, mean, low, high), and (player, difference to base, low, high)."""
    fixed = {"evaluation": "hard", "partner": "partner", "judge": "judge", "dimension": "goal", "clusters": 12, "n": 96}
    means = [
        {**fixed, **counts, "policy": player, "seat": None, "mean": mean, "low": low, "high": high}
        for player, mean, low, high in scores
    ]
    # Rows of a single seat must never be taken for the pooled ones.
    means += [{**row, "seat": 0, "mean": 9.9} for row in means]
    differences = [
        {**fixed, "a": player, "b": "base", "method": method, "difference": d, "low": low, "high": high, "p": 0.01}
        for player, d, low, high in gains
        for method in ("task_means", "pairs")
    ]
    for row in differences:
        if row["method"] == "task_means":
            row["difference"] = 9.9
    return Findings(
        Path("nowhere"),
        experiment,
        scores=pl.DataFrame(means, schema=score.SCHEMA),
        differences=pl.DataFrame(differences, schema=score.DIFFERENCES),
    )


BASE: Row = ("base", 2.9, 2.5, 3.3)
BC: Row = ("bc", 6.3, 5.9, 6.7)
SR: Row = ("sr", 3.1, 2.7, 3.5)


def test_the_headline_names_every_player_and_the_gain_of_the_best(experiment: Experiment) -> None:
    found = findings(experiment, [BASE, SR, BC], [("bc", 3.4, 2.9, 3.9), ("sr", 0.2, -0.1, 0.5)])
    assert headline(found) == (
        "hard GOAL: base 2.9 [2.5, 3.3] · bc 6.3 [5.9, 6.7] · sr 3.1 [2.7, 3.5]; "
        "bc − base +3.4 [2.9, 3.9], n = 96 in 12 tasks"
    )


def told(found: Answer) -> list[str]:
    """The doubts as one reads them, without the links behind their numbers."""
    return [Markup(doubt).striptags() for doubt in found.doubts]


def test_an_interval_that_holds_zero_is_said_to(experiment: Experiment) -> None:
    found = answer(findings(experiment, [BASE, BC, SR], [("bc", 3.4, 2.9, 3.9), ("sr", 0.2, -0.1, 0.5)]))
    assert found is not None and found.gain is not None
    assert found.gain.clear
    assert any("sr (+0.20 [−0.10, 0.50])" in doubt and "holds zero" in doubt for doubt in told(found))
    alone = answer(findings(experiment, [BASE, SR], [("sr", 0.2, -0.1, 0.5)]))
    assert alone is not None and alone.gain is not None
    assert not alone.gain.clear
    assert "no difference" in alone.doubts[0]


def test_a_bound_of_exactly_zero_holds_zero(experiment: Experiment) -> None:
    found = answer(findings(experiment, [BASE, BC], [("bc", 0.4, 0.0, 0.8)]))
    assert found is not None and found.gain is not None
    assert not found.gain.clear


def test_the_base_is_never_the_best_of_the_trained_even_where_it_is_ahead(experiment: Experiment) -> None:
    found = answer(findings(experiment, [("base", 8.0, 7.0, 9.0), BC], [("bc", -1.7, -2.5, -0.9)]))
    assert found is not None and found.best is not None and found.gain is not None
    assert found.best.player == "bc"
    assert found.gain.clear
    assert found.gain.in_words() == "−1.70 [−2.50, −0.90]"


def test_a_reference_is_not_a_trained_policy(experiment: Experiment) -> None:
    found = answer(findings(experiment, [BASE, BC, ("expert", 9.0, 8.5, 9.5)], []))
    assert found is not None and found.best is not None
    assert found.best.player == "bc"
    assert found.gain is None


def test_without_scores_there_is_no_answer_and_no_headline(experiment: Experiment) -> None:
    found = answer(findings(experiment, [], []))
    assert found is not None and found.best is None and found.scores == []
    assert headline(findings(experiment, [], [])) == "no scores yet"


def test_a_player_of_whom_nothing_could_be_rated_has_no_number_and_wins_nothing(experiment: Experiment) -> None:
    found = findings(experiment, [BASE, ("bc", None, None, None), SR], [])
    assert "bc –" in headline(found)
    best = answer(found)
    assert best is not None and best.best is not None
    assert best.best.player == "sr"


def test_one_task_alone_has_a_mean_and_no_interval(experiment: Experiment) -> None:
    found = findings(experiment, [BASE, ("bc", 5.0, None, None)], [("bc", 2.1, None, None)])
    assert "bc 5.0;" in headline(found)
    best = answer(found)
    assert best is not None and best.gain is not None
    assert not best.gain.clear


def test_failed_and_missing_seats_are_told(experiment: Experiment) -> None:
    found = answer(findings(experiment, [BASE, BC], [], failed=3, missing=2))
    assert found is not None
    assert any("3 of base and 3 of bc" in doubt for doubt in told(found))
    assert any("should have been rated" in doubt and "2 of bc" in doubt for doubt in told(found))
    assert any('policy=bc&amp;state=failed">3 of bc</a>' in doubt for doubt in found.doubts)


def test_the_main_evaluation_is_hard_or_else_one_with_a_tag_or_else_the_first(tmp_path: Path) -> None:
    plain = {"tasks": "evaluation", "partner": "partner", "judge": "judge"}
    for evaluations, main in (
        ({"all": plain, "hard": plain}, "hard"),
        ({"all": plain, "sales": {**plain, "tag": "sale"}}, "sales"),
        ({"first": plain, "second": plain}, "first"),
    ):
        assert Findings(tmp_path, sample_experiment(tmp_path, evaluations=evaluations)).main == main
