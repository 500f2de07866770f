"""The tables that rest on ratings, against the ratings themselves, by other ways of reckoning."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy import stats

from parley.canonical import seed_from
from parley.config import Experiment, Published, check
from parley.errors import ParleyError
from parley.evaluation.people import PEOPLE
from parley.evaluation.scores import MEASURES
from parley.layout import TABLES, Layout
from parley.records.frames import read_parquet, write_parquet
from parley.records.rating import DIMENSIONS, KEYS, RANGES
from parley.tables.catalogue import MAKERS, make
from parley.tables.rated import subject
from parley.tables.views import main_evaluation, once, views
from tests.builders import experiment
from tests.report_sample import make_sample

ALIKE = Published(paper="sotopia_pi")
TRAINED = ("bc", "sr", "bc_sr")
#: Tables that have numbers before people have rated.
FILLED = [name for name in TABLES if name not in ("table_7", "table_8")]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("sample")
    _, sample = make_sample(folder)
    return Layout(sample, str(folder / "results"))


@pytest.fixture(scope="module")
def published(layout: Layout) -> Layout:
    """The same experiment, said to be the paper's."""
    return other(layout, published=ALIKE)


@pytest.fixture(scope="module")
def rated(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The same experiment, of which two people rated what base and bc_sr did, one harder than the judge."""
    path = tmp_path_factory.mktemp("people") / "people.parquet"
    write_parquet(path, pl.DataFrame(list(marks(layout))))
    return other(layout, human_ratings=str(path))


def other(layout: Layout, **changes: Any) -> Layout:
    return Layout(layout.experiment.model_copy(update=changes), str(Path(layout.results).parent))


def marks(layout: Layout) -> Iterator[dict[str, Any]]:
    """What two people say of every rated seat: one what the judge says, one less of GOAL by 0, 1 or 2."""
    for player in ("base", "bc_sr"):
        for row in ratings(layout, player).filter(pl.col("failure").is_null()).iter_rows(named=True):
            seat = {name: row[name] for name in ("task", "cast", "seat", "player", "partner", "replicate", *KEYS)}
            yield {**seat, "rater": "ann"}
            less = seed_from(row["task"], row["seat"], row["player"]) % 3
            yield {**seat, "rater": "bob", "goal": max(0, row["goal"] - less)}


def ratings(layout: Layout, player: str) -> pl.DataFrame:
    """All ratings of the episodes of a player with the partner, both seats of each."""
    paths = layout.study_ratings(player, layout.experiment.evaluations["all"])
    return pl.concat([read_parquet(path) for path in paths])


def first_casts(layout: Layout, player: str, side: str = "player") -> pl.DataFrame:
    """The rated seats on the hard tasks (those with odd numbers) with their first cast."""
    odd = [f"evaluation_{number}" for number in (1, 3, 5, 7)]
    rows = ratings(layout, player).filter(pl.col("task").is_in(odd) & (pl.col("cast") == "c1+c2"))
    return rows.filter(pl.col("player" if side == "player" else "partner") == player)


def here(cells: pl.DataFrame, **where: str) -> dict[str, dict[str, Any]]:
    """Our own cells of one row of a table, by measure."""
    rows = cells.filter(origin="here", **where).to_dicts()
    found = {row["measure"]: row for row in rows}
    assert len(found) == len(rows), "more than one row of the table"
    return found


SINGLE = "hard, first cast, rated by the judge"


# -- every table -------------------------------------------------------------------------------------------------------


def test_the_layout_and_the_catalogue_name_the_same_tables() -> None:
    assert tuple(MAKERS) == TABLES


@pytest.mark.parametrize("name", TABLES)
def test_the_same_results_give_the_same_cells(layout: Layout, name: str) -> None:
    assert make(name, layout).equals(make(name, layout))


@pytest.mark.parametrize("name", FILLED)
def test_published_numbers_stand_only_where_the_config_says_so(layout: Layout, published: Layout, name: str) -> None:
    without, beside = make(name, layout), make(name, published)
    assert without["origin"].unique().to_list() == ["here"]
    assert beside.filter(origin="here").equals(without)
    assert beside.filter(pl.col("origin") != "here").height > 0


@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_is_mapped_to_nothing_stands_alone(layout: Layout, name: str) -> None:
    mapped = Published(paper="sotopia_pi", players={"bc": "bc", "base": "base"})
    beside = make(name, other(layout, published=mapped)).filter(pl.col("origin") != "here")
    assert set(beside["player"]) <= {"bc", "base"}


@pytest.mark.parametrize("name", ["table_1", "table_2", "table_5", "table_6", "table_9", "figure_4"])
def test_an_evaluation_that_is_mapped_to_nothing_stands_alone(layout: Layout, name: str) -> None:
    beside = make(name, other(layout, published=Published(paper="sotopia_pi", evaluations={})))
    assert beside["origin"].unique().to_list() == ["here"]


def test_every_number_of_ours_says_what_it_stands_on(layout: Layout) -> None:
    for name in ("table_1", "table_2", "table_5", "table_6", "table_9"):
        cells = make(name, layout)
        columns = ("player_model", "partner_model", "rater_model", "rating_prompt", "rater", "partner", "n", "clusters")
        for column in columns:
            assert cells[column].null_count() == 0, (name, column)


def test_an_adapter_is_a_part_of_what_a_number_stands_on(layout: Layout) -> None:
    model = here(make("table_5", layout), block=SINGLE, player="bc")["goal"]["player_model"]
    assert '"adapter":"cdcd' in model and '"name":"pocket"' in model


@pytest.mark.parametrize("name", FILLED)
def test_a_missing_result_is_named(layout: Layout, name: str, tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="no such file"):
        make(name, Layout(layout.experiment, str(tmp_path)))


# -- Table 5 and 2 -----------------------------------------------------------------------------------------------------


def test_table_5_has_the_scores_of_every_evaluation(layout: Layout) -> None:
    cells = make("table_5", layout)
    for evaluation in ("all", "hard"):
        for player in layout.experiment.measured():
            scores = read_parquet(layout.scores(player, evaluation)).filter(pl.col("seat").is_null())
            found = here(cells, block=f"{evaluation}, rated by the judge", player=player)
            assert list(found) == list(MEASURES)
            for score in scores.iter_rows(named=True):
                cell = found[score["dimension"]]
                assert cell["value"] == score["mean"]
                assert [cell[name] for name in ("se", "low", "high", "n", "clusters", "failed", "missing")] == [
                    score[name] for name in ("se", "low", "high", "n", "clusters", "failed", "missing")
                ]


def test_single_casts_are_two_points_a_task(layout: Layout) -> None:
    cells = make("table_5", layout)
    for player in ("base", "bc", "expert"):
        rows = first_casts(layout, player)
        goal = here(cells, block=SINGLE, player=player)["goal"]
        assert (goal["n"], goal["clusters"]) == (rows.height, 4) == (8, 4)
        assert goal["value"] == pytest.approx(rows["goal"].mean())


def test_a_failed_seat_is_counted_and_in_no_mean(layout: Layout) -> None:
    goal = here(make("table_5", layout), block=SINGLE, player="sr")["goal"]
    rows = first_casts(layout, "sr").filter(pl.col("failure").is_null())
    assert (goal["n"], goal["failed"], goal["value"]) == (7, 1, pytest.approx(rows["goal"].mean()))


def test_an_evaluation_of_single_casts_is_not_shown_twice(layout: Layout) -> None:
    evaluations = dict(layout.experiment.evaluations)
    evaluations["hard_28"] = evaluations["hard"].model_copy(update={"casts": 1})
    cells = make("table_5", other(layout, evaluations=evaluations))
    blocks = cells["block"].unique(maintain_order=True).to_list()
    assert blocks == [f"{name}, rated by the judge" for name in ("all", "hard", "hard_28")]
    assert here(cells, block=blocks[-1], player="bc")["goal"]["value"] == pytest.approx(
        first_casts(layout, "bc")["goal"].mean()
    )


def test_an_evaluation_whose_tasks_have_one_cast_is_not_shown_twice(layout: Layout) -> None:
    evaluations = {"all": layout.experiment.evaluations["all"]}  # casts: 1
    cells = make("table_5", other(layout, evaluations=evaluations))
    assert cells["block"].unique().to_list() == ["all, rated by the judge"]


def test_table_2_is_two_columns_of_table_5(layout: Layout) -> None:
    five, two = make("table_5", layout), make("table_2", layout)
    wanted = five.filter(pl.col("measure").is_in(["goal", "overall"])).with_columns(table=pl.lit("table_2"))
    assert two.equals(wanted)


def test_table_2_leaves_out_the_partner_itself(layout: Layout) -> None:
    cells = make("table_2", other(layout, references=("expert",)))
    assert "expert" in cells["player"].to_list()
    evaluations = {
        name: one.model_copy(update={"partner": "partner"}) for name, one in layout.experiment.evaluations.items()
    }
    assert "partner" not in make("table_2", other(layout, evaluations=evaluations))["player"].to_list()


def test_published_rows_stand_behind_ours(published: Layout) -> None:
    rows = (
        make("table_5", published).filter(block="all, rated by the judge", player="expert", measure="goal").to_dicts()
    )
    assert [row["origin"] for row in rows] == ["here", "paper", "like_for_like"]
    assert [row["value"] for row in rows[1:]] == [7.62, 8.03]
    single = make("table_5", published).filter(block=SINGLE, player="bc_sr", measure="goal").to_dicts()
    assert [(row["origin"], row["value"], row["n"]) for row in single[1:]] == [("paper", 5.71, 28)]


# -- Tables 1 and 6 ----------------------------------------------------------------------------------------------------


def task_means(layout: Layout, player: str, measure: str) -> dict[str, float]:
    rows = first_casts(layout, player).filter(pl.col("failure").is_null())
    return dict(rows.group_by("task").agg(pl.col(measure).cast(pl.Float64).mean()).rows())


@pytest.mark.parametrize("opponent", ["base", "bc", "sr", "expert"])
@pytest.mark.parametrize("measure", MEASURES)
def test_table_6_is_the_paired_t_test_of_task_means(layout: Layout, opponent: str, measure: str) -> None:
    cell = here(make("table_6", layout), player="bc_sr", versus=opponent)[measure]
    mine, theirs = task_means(layout, "bc_sr", measure), task_means(layout, opponent, measure)
    tasks = sorted(set(mine) & set(theirs))
    assert (cell["n"], cell["clusters"], cell["df"]) == (len(tasks), len(tasks), len(tasks) - 1) == (4, 4, 3)
    differences = [mine[task] - theirs[task] for task in tasks]
    assert cell["value"] == pytest.approx(sum(differences) / len(tasks))
    if len(set(differences)) > 1:
        wanted = stats.ttest_rel([mine[task] for task in tasks], [theirs[task] for task in tasks])
        assert (cell["t"], cell["p"]) == pytest.approx((wanted.statistic, wanted.pvalue))
    elif differences[0]:
        sure = differences[0] / (2 * RANGES[measure][2] / len(tasks))  # as if one task had been two steps off
        assert (cell["t"], cell["p"]) == pytest.approx((sure, 2 * stats.t.sf(abs(sure), 3)))
    else:
        assert cell["t"] is cell["p"] is None


def test_table_6_tests_one_policy_against_every_other(layout: Layout) -> None:
    pairs = make("table_6", layout).select("player", "versus").unique(maintain_order=True).rows()
    assert pairs == [("bc_sr", name) for name in ("base", "bc", "sr", "expert")]


def test_table_6_tests_the_papers_policy_or_the_last_trained_one() -> None:
    assert subject(experiment()) == "sr"
    assert subject(experiment({"published": {"paper": "sotopia_pi", "players": {"bc": "bc_sr"}}})) == "bc"


def test_table_1_has_each_trained_policy_over_the_base(layout: Layout) -> None:
    cells = make("table_1", layout)
    assert cells.select("player", "versus").unique(maintain_order=True).rows() == [(name, "base") for name in TRAINED]
    one, six = here(cells, player="bc_sr")["goal"], here(make("table_6", layout), versus="base")["goal"]
    assert {**one, "table": "table_6"} == six


def test_published_tests_stand_beside_the_same_pair(published: Layout) -> None:
    rows = make("table_6", published).filter(origin="paper", measure="goal")
    assert dict(rows.select("versus", "t").rows()) == {"base": 2.07, "bc": 0.71, "sr": 1.32, "expert": -1.31}


# -- Table 9 -----------------------------------------------------------------------------------------------------------


def test_table_9_has_what_the_partner_got_facing_each(layout: Layout) -> None:
    cells = make("table_9", layout)
    for player in layout.experiment.measured():
        theirs = first_casts(layout, player, side="partner").filter(pl.col("failure").is_null())
        found = here(cells, player=player)
        for measure in MEASURES:
            assert found[measure]["value"] == pytest.approx(theirs[measure].mean())
        assert (found["goal"]["side"], found["goal"]["partner"]) == ("partner", "partner")
        assert '"name":"partner"' in found["goal"]["partner_model"]
        assert '"name":"partner"' not in found["goal"]["player_model"]


def test_what_people_said_of_the_partner_stands_beside_the_judge_as_long_as_nobody_rates(published: Layout) -> None:
    rows = make("table_9", published).filter(origin="paper", measure="goal")
    assert dict(rows.select("player", "value").rows()) == {
        "base": 2.98, "bc": 4.86, "sr": 4.13, "bc_sr": 5.55, "expert": 3.64,
    }  # fmt: skip
    assert rows["rater"].unique().to_list() == [PEOPLE]


# -- people ------------------------------------------------------------------------------------------------------------


def test_without_people_there_are_no_ratings_of_theirs(layout: Layout) -> None:
    for name in TABLES:
        assert PEOPLE not in make(name, layout)["rater"].to_list()


def test_people_have_a_block_of_their_own(rated: Layout) -> None:
    cells = make("table_5", rated)
    block = "hard, first cast, rated by people"
    assert block in cells["block"].to_list()
    assert cells.filter(block=block)["player"].unique(maintain_order=True).to_list() == ["base", "bc_sr"]
    goal = here(cells, block=block, player="bc_sr")["goal"]
    rows = first_casts(rated, "bc_sr")
    less = [seed_from(row["task"], row["seat"], "bc_sr") % 3 for row in rows.iter_rows(named=True)]
    wanted = [(mark + max(0, mark - one)) / 2 for mark, one in zip(rows["goal"], less, strict=True)]
    assert (goal["value"], goal["n"], goal["rater"]) == (pytest.approx(sum(wanted) / len(wanted)), 8, PEOPLE)


def test_the_judge_says_the_same_with_people_beside(layout: Layout, rated: Layout) -> None:
    for name in ("table_1", "table_5", "table_6", "table_9"):
        assert make(name, rated).filter(pl.col("rater") == "judge").equals(make(name, layout))


def test_people_are_tested_as_the_judge_is(rated: Layout) -> None:
    cells = make("table_6", rated).filter(rater=PEOPLE)
    assert cells["versus"].unique().to_list() == ["base"]
    assert here(cells)["goal"]["df"] == 3


def test_the_gap_is_over_the_seats_that_both_rated(rated: Layout) -> None:
    cells = make("figure_4", rated)
    for player in ("base", "bc_sr"):
        rows = cells.filter(player=player, origin="here").to_dicts()
        judge, people, gap = (
            next(row["value"] for row in rows if (row["measure"], row["rater"]) == key)
            for key in (("goal", "judge"), ("goal", PEOPLE), ("gap", None))
        )
        assert gap == pytest.approx(judge - people)
        assert next(row for row in rows if row["measure"] == "gap")["df"] == 3
    assert not cells.filter(player="bc", measure="gap").height


def test_published_people_stand_in_peoples_block(rated: Layout) -> None:
    for name in ("table_1", "table_6", "table_9"):
        cells = make(name, other(rated, published=ALIKE)).filter(origin="paper", rater=PEOPLE)
        assert cells["block"].unique().to_list() == ["hard, first cast, rated by people"]


def test_a_published_number_of_peoples_needs_one_of_ours_beside_it(rated: Layout) -> None:
    for name in ("table_1", "table_5", "table_6", "table_9"):
        cells = make(name, other(rated, published=ALIKE))
        blocks = cells.filter(block="hard, first cast, rated by people")
        ours = set(blocks.filter(origin="here").select("player", "versus").rows())
        assert set(blocks.select("player", "versus").rows()) == ours, name


def test_people_who_rated_somebody_else_are_none(layout: Layout, tmp_path: Path) -> None:
    row = {**dict.fromkeys(KEYS, 0), "task": "other", "cast": "c1+c2", "seat": 0, "player": "bc", "partner": "partner"}
    path = tmp_path / "people.parquet"
    write_parquet(path, pl.DataFrame([{**row, "rater": "ann"}]))
    for name in ("table_5", "table_6", "table_9", "figure_4"):
        assert make(name, other(layout, human_ratings=str(path))).filter(rater=PEOPLE).is_empty()


# -- views -------------------------------------------------------------------------------------------------------------

HARD = {"tasks": "test", "partner": "partner", "judge": "judge", "tag": "hard"}


@pytest.mark.parametrize(
    ("evaluations", "name", "casts", "tasks"),
    [
        ({"all": {}}, "all, first cast", 1, None),
        ({"all": {}, "hard": {"tag": "hard"}}, "hard, first cast", 1, "hard_28"),
        ({"all": {}, "difficult": {"tag": "hard"}}, "difficult, first cast", 1, None),
        ({"hard": {"tag": "hard", "casts": 5}}, "hard, first cast", 1, "hard_28"),
        ({"hard": {"tag": "hard", "casts": 5}, "hard_28": {"tag": "hard", "casts": 1}}, "hard_28", 1, "hard_28"),
        ({"hard": {"tag": "hard"}, "people": {"tag": "hard", "casts": 1}}, "people", 1, "hard_28"),
        ({"difficult": {"tag": "hard"}, "people": {"tag": "hard", "casts": 1}}, "people", 1, None),
        ({"hard": {"tag": "hard", "casts": 1}}, "hard", 1, "hard_28"),
    ],
)
def test_single_casts_are_found_or_made(evaluations: dict[str, Any], name: str, casts: int, tasks: str | None) -> None:
    given = {
        key: {"tasks": "test", "partner": "partner", "judge": "judge", **more} for key, more in evaluations.items()
    }
    view = once(experiment({"evaluations": given, "published": "sotopia_pi"}))
    assert view is not None
    assert (view.name, view.settings.casts, view.tasks) == (name, casts, tasks)


def test_an_explicit_mapping_is_all_that_is_mapped() -> None:
    given = {"hard": HARD, "people": {**HARD, "casts": 1}}
    mapped = {"paper": "sotopia_pi", "evaluations": {"hard": "hard"}}
    by_name, alone = (experiment({"evaluations": given, "published": one}) for one in ("sotopia_pi", mapped))
    assert [view.tasks for view in views(by_name)] == ["hard", "hard_28"]
    assert [view.tasks for view in views(alone)] == ["hard", None]


def test_without_an_evaluation_there_are_no_views() -> None:
    none = check({**experiment().model_dump(mode="json"), "evaluations": {}, "safety": None, "references": []} | slim())
    assert (list(views(none)), once(none), main_evaluation(none)) == ([], None, None)


def slim() -> dict[str, Any]:
    """What is left of the mini experiment when nothing is evaluated."""
    whole = experiment().model_dump(mode="json")
    sets = {name: entry for name, entry in whole["task_sets"].items() if name in ("round1", "round2")}
    models = {name: model for name, model in whole["models"].items() if name != "partner"}
    return {"task_sets": sets, "models": models, "knowledge": None}


def test_without_studies_the_tables_are_empty_and_stand_on_nothing(tmp_path: Path) -> None:
    none: Experiment = check(
        {**experiment().model_dump(mode="json"), "evaluations": {}, "safety": None, "references": []} | slim()
    )
    bare = Layout(none, str(tmp_path))
    for name in TABLES:
        assert make(name, bare).is_empty()
    assert bare.table_inputs("table_3") == bare.table_inputs("table_4") == []


def test_ranges_hold_in_every_mean(layout: Layout) -> None:
    for d in DIMENSIONS:
        values = make("table_5", layout).filter(measure=d.key)["value"]
        assert values.is_between(d.low, d.high).all()
