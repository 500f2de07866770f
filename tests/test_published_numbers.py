"""The published numbers: what can be recomputed from them is, and what stands beside ours is what the config says."""

from pathlib import Path
from typing import Any, get_args

import pytest
from scipy import stats

from parley.config import Published, check
from parley.config.published import Paper, PublishedPlayer, PublishedTasks
from parley.errors import ParleyError
from parley.evaluation.people import PEOPLE
from parley.evaluation.safety import MEASURES as SAFETY
from parley.evaluation.scores import MEASURES
from parley.layout.needs import PUBLISHED
from parley.records.rating import DIMENSIONS
from parley.tables.published import COLUMNS, Beside, Means, path_of, read_facts
from tests.builders import changed, experiment

FACTS = read_facts(path_of(Published(paper="sotopia_pi")))
WHOLE = [
    (f"{means.where} {means.tasks} {means.rater} {means.side} {row}", values)
    for means in FACTS.scores
    for row, values in means.rows.items()
    if None not in values
]


def means(tasks: str, rater: str, side: str = "player", like_for_like: bool = False) -> Means:
    (found,) = [
        one
        for one in FACTS.scores
        if (one.tasks, one.rater, one.side, one.like_for_like) == (tasks, rater, side, like_for_like)
    ]
    return found


# -- the file ----------------------------------------------------------------------------------------------------------


def test_every_paper_that_a_config_may_name_has_its_file() -> None:
    assert {path.stem for path in PUBLISHED.glob("*.yaml")} == set(get_args(Paper))


def test_rows_and_task_sets_are_those_that_a_config_may_name() -> None:
    rows = {row for one in FACTS.scores for row in one.rows} | set(FACTS.tests.rows) | set(FACTS.gap.rows)
    rows |= {row for role in FACTS.safety.roles.values() for row in role.rows} | set(FACTS.knowledge.rows)
    assert rows == set(get_args(PublishedPlayer)) == set(FACTS.players)
    assert {one.tasks for one in FACTS.scores} == set(get_args(PublishedTasks))
    assert all(set(one.apart) <= set(one.rows) for one in FACTS.scores)


def test_columns_stand_in_the_order_of_our_measures() -> None:
    assert tuple(d.short for d in DIMENSIONS) == COLUMNS[:-1]
    assert (*(d.key for d in DIMENSIONS), "overall") == MEASURES


@pytest.mark.parametrize(("label", "values"), WHOLE, ids=[label for label, _ in WHOLE])
def test_overall_is_the_mean_of_the_seven(label: str, values: list[float]) -> None:
    assert sum(values[:7]) / 7 == pytest.approx(values[7], abs=0.01)


def test_rows_that_are_not_whole_are_few_and_known() -> None:
    broken = [(one.where, row) for one in FACTS.scores for row, values in one.rows.items() if None in values]
    assert broken == [
        ("SOTOPIA, Figure G.4", "partner"),
        *(("SOTOPIA, Figure G.5", row) for row in ("expert", "partner")),
        ("Table 9", "partner"),
    ]


def test_every_printed_mean_is_within_its_range() -> None:
    for _, values in WHOLE:
        assert all(d.low <= value <= d.high for d, value in zip(DIMENSIONS, values, strict=False))


def test_the_gaps_of_figure_4_follow_from_its_rows() -> None:
    judge, people = means("hard_28", "judge").rows, means("hard_28", "people").rows
    goal = COLUMNS.index("GOAL")
    for row, gap in FACTS.gap.rows.items():
        assert judge[row][goal] - people[row][goal] == pytest.approx(gap, abs=0.005)  # type: ignore[operator]


def test_table_1_follows_from_table_5() -> None:
    people, printed = means("hard_28", "people").rows, FACTS.differences
    for mine, base, difference in zip(people[printed.of], people[printed.over], printed.values, strict=True):
        if difference is not None:
            assert mine - base == pytest.approx(difference, abs=0.005)  # type: ignore[operator]


def test_the_stars_of_table_1_are_the_small_p_of_table_6() -> None:
    tested = FACTS.tests.rows[FACTS.differences.over]
    small = [name for name, one in zip(COLUMNS, tested, strict=True) if one is not None and one[1] < 0.05]
    assert tuple(small) == FACTS.differences.significant


def test_the_p_of_table_6_follow_from_t_with_14_scenarios() -> None:
    for tested in FACTS.tests.rows.values():
        for t, p in (one for one in tested if one is not None):
            # t is printed to two decimals, which moves p by this much at the most
            assert 2 * stats.t.sf(abs(t), FACTS.tests.freedom) == pytest.approx(p, abs=0.006)


def test_the_signs_of_table_6_are_those_of_the_differences() -> None:
    people = means("hard_28", "people").rows
    for row, tested in FACTS.tests.rows.items():
        for mine, other, one in zip(people[FACTS.tests.of], people[row], tested, strict=True):
            if one is not None and abs(mine - other) > 0.05:  # type: ignore[operator]
                assert (mine > other) == (one[0] > 0), row  # type: ignore[operator]


def test_the_shares_of_table_3_are_ninths() -> None:
    for role in FACTS.safety.roles.values():
        for values in role.rows.values():
            for name, value in zip(role.measures, values, strict=True):
                if name in ("engaged", "harm", "prevention"):
                    assert value is not None
                    assert round(value * FACTS.safety.episodes) / FACTS.safety.episodes == pytest.approx(
                        value, abs=0.005
                    )
    assert {name: set(role.measures) <= set(SAFETY[name]) for name, role in FACTS.safety.roles.items()} == {  # type: ignore[index]
        "instigator": True,
        "bystander": True,
    }


def test_the_kappas_of_table_8_follow_from_agreement_but_for_one() -> None:
    kinds = dict.fromkeys(FACTS.agreement.rows, 2) | {"REL": 3, "FIN": 3}  # categories after rounding
    wrong = [
        name
        for name, (pairwise, kappa) in FACTS.agreement.rows.items()
        if (pairwise - 1 / kinds[name]) / (1 - 1 / kinds[name]) != pytest.approx(kappa, abs=2e-4)
    ]
    assert wrong == ["FIN"]


def test_what_was_not_measured_against_the_partner_says_so_and_has_its_like_for_like() -> None:
    everywhere = means("all", "judge")
    assert set(everywhere.apart) == {"expert", "partner"} and "four partners" in everywhere.apart["expert"]
    alike = means("all", "judge", like_for_like=True)
    assert set(alike.rows) == set(everywhere.apart)
    assert (alike.rows["expert"][6:], everywhere.rows["expert"][6:]) == ((8.03, 3.44), (7.62, 3.31))


# -- faults of the file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("9.28, 1.94", "1.94", r"scores.0.rows.expert"),
        ("rater: judge", "rater: jury", r"scores.0.rater"),
        ("paper: SOTOPIA-π", "title: x", r"paper: Field required"),
        ("safety:\n", "safety: [\n", r"not YAML"),
    ],
)
def test_a_fault_in_the_file_is_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "paper.yaml"
    text = path_of(Published(paper="sotopia_pi")).read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ParleyError, match=says) as raised:
        read_facts(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="no such file"):
        read_facts(tmp_path / "none.yaml")


# -- the config --------------------------------------------------------------------------------------------------------


def test_a_name_is_short_for_the_paper_with_its_names_as_ours() -> None:
    found = experiment({"published": "sotopia_pi"}).published
    assert found == Published(paper="sotopia_pi")
    assert [found.row(name) for name in ("base", "bc_sr", "mine", "judge")] == ["base", "bc_sr", None, None]
    assert [found.tasks(name) for name in ("all", "hard", "hard_28", "small")] == ["all", "hard", "hard_28", None]


def test_a_mapping_takes_the_place_of_the_names() -> None:
    mapping = {"paper": "sotopia_pi", "players": {"bc": "sr"}, "evaluations": {"all": "hard"}}
    found = experiment({"published": mapping}).published
    assert found is not None
    assert [found.row(name) for name in ("base", "bc")] == [None, "sr"]
    assert [found.tasks(name) for name in ("all", "hard")] == ["hard", None]


def test_without_the_field_nothing_is_published() -> None:
    beside = Beside(experiment())
    assert experiment().published is None and beside.row("bc") is None
    assert not [*beside.means("bc", "all", "judge"), *beside.tests("bc", "base", "hard_28"), *beside.knowledge("bc")]
    assert not [*beside.safety("bc", "bystander"), *beside.gap("bc", "hard_28"), *beside.differences("bc", "base", "x")]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("sotopia", "published.paper: there are no published numbers called 'sotopia'; there are: sotopia_pi"),
        ({"paper": "sotopia_pi", "players": {"bcc": "bc"}}, "published.players: no policy or reference is called 'bcc'; "
         "did you mean 'bc'?"),
        ({"paper": "sotopia_pi", "evaluations": {"al": "all"}}, "published.evaluations: no evaluation is called 'al'; "
         "did you mean 'all'?"),
        ({"paper": "sotopia_pi", "players": {"bc": "bcsr"}}, "published.players.bc: Input should be 'base', 'sr', "),
        ({"paper": "sotopia_pi", "rows": {}}, "published.rows: unknown key"),
    ],
)  # fmt: skip
def test_a_fault_of_the_mapping_is_one_line(value: Any, says: str) -> None:
    with pytest.raises(ParleyError) as raised:
        check(changed({"published": value}))
    assert says in str(raised.value)


# -- what stands beside a player ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beside() -> Beside:
    names = {"bc": "bc", "sr": "bc_sr", "base": "base", "expert": "expert"}  # sr of this experiment is trained from bc
    return Beside(experiment({"published": {"paper": "sotopia_pi", "players": names}}))


def test_a_player_has_the_row_that_it_is_mapped_to(beside: Beside) -> None:
    cells = {cell["measure"]: cell for cell in beside.means("sr", "all", "judge")}
    assert [cells[name]["value"] for name in MEASURES] == [9.32, 2.08, 4.43, 0.0, -0.07, 0.71, 7.62, 3.44]
    assert {cell["origin"] for cell in cells.values()} == {"paper"}
    assert (cells["goal"]["player"], cells["goal"]["rater"], cells["goal"]["n"]) == ("sr", "gpt-4-0613", 180)


def test_the_experts_row_is_followed_by_the_one_that_is_alike(beside: Beside) -> None:
    goals = [cell for cell in beside.means("expert", "all", "judge") if cell["measure"] == "goal"]
    assert [(cell["origin"], cell["value"]) for cell in goals] == [("paper", 7.62), ("like_for_like", 8.03)]
    assert goals[0]["note"].startswith("Table 5; average over four partners")
    assert goals[1]["note"] == "SOTOPIA, Figure G.4"


def test_differences_are_peoples_as_printed_and_the_judges_by_subtraction(beside: Beside) -> None:
    cells = list(beside.differences("sr", "base", "hard_28"))
    goal, belief = (
        {cell["origin"]: cell for cell in cells if cell["measure"] == name} for name in ("goal", "believability")
    )
    assert (goal["paper"]["value"], goal["derived"]["value"]) == (None, 2.46)
    assert (belief["paper"]["value"], belief["paper"]["p"], belief["paper"]["rater"]) == (2.05, 0.019, PEOPLE)
    assert belief["derived"]["rater"] == "gpt-4-0613" and belief["derived"]["value"] == 0.96
    assert {cell["origin"] for cell in beside.differences("bc", "base", "hard_28")} == {"derived"}
    assert not list(beside.differences("sr", "base", "hard"))


def test_tests_are_those_of_the_papers_last_policy_alone(beside: Beside) -> None:
    cells = {cell["measure"]: cell for cell in beside.tests("sr", "base", "hard_28")}
    assert (cells["goal"]["t"], cells["goal"]["p"], cells["goal"]["df"]) == (2.07, 0.059, 13)
    assert cells["secret"]["t"] is None
    assert not list(beside.tests("bc", "base", "hard_28"))


def test_the_other_tables_have_their_rows(beside: Beside) -> None:
    assert [cell["value"] for cell in beside.safety("sr", "instigator")] == [1.0, 0.44, 0.9]
    assert [cell["value"] for cell in beside.knowledge("sr")] == [0.4857]
    assert [cell["value"] for cell in beside.gap("sr", "hard_28")] == [1.42]
    partner = {cell["measure"]: cell["value"] for cell in beside.means("sr", "hard_28", "people", "partner")}
    assert (partner["goal"], partner["overall"]) == (5.55, 2.22)
    assert not list(beside.knowledge("expert")) and not list(beside.gap("sr", "hard"))
