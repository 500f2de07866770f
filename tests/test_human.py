"""The study in an experiment: its config, its files, and what makes them stale."""

import copy
from typing import Any

import pytest

from parley import staleness
from parley.config import check
from parley.errors import ParleyError
from parley.layout import Layout
from tests.builders import changed, experiment

HERE = "results/mini"
PEOPLE: dict[str, Any] = {"human": {"evaluation": "all", "per_policy": 4}}
ANNOTATOR = {"engine": "playhouse", "name": "annotator"}
SIMULATED: dict[str, Any] = {
    "human": {"evaluation": "all", "per_policy": 4, "simulated_by": "annotator"},
    "models.annotator": ANNOTATOR,
}


def layout(changes: dict[str, Any]) -> Layout:
    return Layout(experiment(changes))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"human": {"evaluation": "al"}}, "human.evaluation: no evaluation is called 'al'; did you mean 'all'?"),
        ({"human": {}}, "human.evaluation: is missing; add it"),
        ({"human": {"evaluation": "all", "per_policy": 0}}, "human.per_policy"),
        ({"human": {"evaluation": "all", "rater": 3}}, "human.rater: unknown key; did you mean `raters`?"),
        ({"human": {"evaluation": "all", "players": []}}, "players: there is none; name some"),
        ({"human": {"evaluation": "all", "players": ["bcc"]}}, "human.players: no policy or reference is called 'bcc'"),
        (
            {"human": {"evaluation": "all", "simulated_by": "nobody"}},
            "human.simulated_by: no model is called 'nobody'",
        ),
        (
            {**SIMULATED, "human_ratings": "people.parquet"},
            "human.simulated_by: `human_ratings` names a file of ratings already; delete one of the two",
        ),
        ({**PEOPLE, "models.annotator": ANNOTATOR}, "models.annotator: nothing uses it"),
    ],
)
def test_a_fault_is_one_line_with_the_remedy(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ParleyError) as raised:
        check(changed(changes), "my.yaml")
    assert line in str(raised.value) and "\n" not in str(raised.value)


def test_where_the_ratings_of_people_are() -> None:
    assert layout({}).people() is None
    assert layout(PEOPLE).people() is None  # until they have rated and a file is named
    assert layout({**PEOPLE, "human_ratings": "mine.parquet"}).people() == "mine.parquet"
    assert layout(SIMULATED).people() == f"{layout(SIMULATED).results}/human/ratings.parquet"


def test_people_are_sampled_for_and_only_simulated_ones_rate_in_a_run() -> None:
    assert layout({}).all_human() == []
    for changes, files in (
        (PEOPLE, ["items.jsonl", "key.parquet"]),
        (SIMULATED, ["items.jsonl", "key.parquet", "ratings.parquet"]),
    ):
        here = layout(changes)
        assert here.all_human() == [here.human(file) for file in files]
        assert {*here.all_human()} <= {*here.everything()}
    here = layout(SIMULATED)
    assert f"{here.results}/usage/human/ratings.json" in here.everything()
    timed = {path.removeprefix(f"{here.results}/timings/human/") for path in here.all_timings() if "/human/" in path}
    assert timed == {"items.tsv", "ratings.tsv", "calibration.tsv"}
    assert not [path for path in layout(PEOPLE).all_usage() if "/human/" in path]
    assert here.human("ratings.parquet") in here.table_inputs("table_5")


def test_items_come_from_both_seats_of_every_player() -> None:
    here = layout(PEOPLE)
    study = here.experiment.evaluations["all"]
    assert here.human_players() == here.experiment.measured()
    wanted = {path for name in here.experiment.measured() for path in here.study_episodes(name, study)}
    assert {*here.human_episodes()} == wanted and len(here.human_episodes()) == len(wanted)
    assert len(here.human_judged()) == len(here.human_episodes())
    few = layout({"human": {"evaluation": "all", "players": ["bc"]}})
    assert few.human_episodes() == few.study_episodes("bc", study)


def strings(changes: dict[str, Any]) -> tuple[str, str, str, str]:
    mini = experiment(copy.deepcopy({**SIMULATED, **changes}))
    tables = (staleness.tables(mini, "table_5"), staleness.tables(mini, "table_4"))
    return staleness.items(mini), staleness.annotations(mini), *tables


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"human.per_policy": 5}, (True, False, False, False)),
        ({"human.players": ["bc"]}, (True, False, False, False)),
        ({"human.seed": 4}, (True, False, False, False)),
        ({"human.raters": 3}, (False, True, False, False)),
        ({"models.annotator.temperature": 0.5}, (False, True, False, False)),
        ({"models.annotator.concurrency": 2}, (False, False, False, False)),
        ({"seed": 99}, (True, True, False, False)),
        ({"evaluations.all.casts": 1}, (True, False, True, False)),
        ({"models.expert.temperature": 0.3}, (False, False, True, False)),
    ],
)
def test_what_makes_the_study_stale(changes: dict[str, Any], stale: tuple[bool, ...]) -> None:
    before, after = strings({}), strings(changes)
    assert tuple(one != other for one, other in zip(before, after, strict=True)) == stale


def test_a_seed_of_its_own_that_is_the_experiment_s_changes_nothing() -> None:
    seed = experiment(SIMULATED).seed
    assert strings({"human.seed": seed})[0] == strings({})[0]


def test_the_texts_that_raters_qualify_by_are_inputs() -> None:
    assert [path.rsplit("/", 1)[1] for path in Layout.study_texts()] == [
        "example.yaml",
        "guide.yaml",
        "qualification.yaml",
    ]
