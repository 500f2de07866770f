"""The tables that rest on ratings: means (2, 5, 9), differences (1), tests (6), and judge against people (Figure 4)."""

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from parley.config import Experiment
from parley.evaluation.people import PEOPLE, SIMULATED
from parley.evaluation.scores import paired
from parley.evaluation.statistics import paired_difference
from parley.tables.cells import RatedBy, Row
from parley.tables.material import Material
from parley.tables.views import View, once, views

GOAL = "goal"
#: Both kinds of raters, in the order of the tables.
BOTH: tuple[RatedBy, RatedBy] = ("people", "judge")
#: The published numbers of (player, other, the paper's task set).
Printed = Callable[[str, str, str | None], Iterator[Row]]
_SEAT = ["task", "cast", "seat", "replicate"]
_TESTED = ("se", "low", "high", "t", "p", "p_holm", "effect", "n", "clusters", "partner")


# -- means -------------------------------------------------------------------------------------------------------------


def table_2(material: Material) -> Iterator[Row]:
    """GOAL and Overall of every policy and reference but the partner itself, as Table 5 has them."""
    evaluations = material.experiment.evaluations
    for row in table_5(material):
        if row["measure"] in (GOAL, "overall") and row["player"] != evaluations[row["evaluation"]].partner:
            yield row


def table_5(material: Material) -> Iterator[Row]:
    """All seven dimensions and Overall: every evaluation by its judge, then single casts by people and by the judge."""
    known = list(views(material.experiment))
    for view in known:
        yield from _means(material, view, "judge")
    single = once(material.experiment)
    if single is None:
        return
    if material.people is not None:
        yield from _means(material, single, "people")
    whole = next(view for view in known if view.evaluation == single.evaluation)
    if material.places(single) != material.places(whole):  # else it stands there already
        yield from _means(material, single, "judge")


def table_9(material: Material) -> Iterator[Row]:
    """The partner's own scores when it talks to each policy and reference, on single casts."""
    if (view := once(material.experiment)) is not None:
        for by in _raters(material):
            yield from _means(material, view, by, "partner")


def _raters(material: Material) -> list[RatedBy]:
    return ["judge"] if material.people is None else [*BOTH]


def _printed_by(material: Material, by: RatedBy, side: str) -> list[RatedBy]:
    """Whose published numbers stand beside ours: those of the same raters, and people's where ours have none at all."""
    return [*BOTH] if side == "partner" and material.people is None else [by]


def _means(material: Material, view: View, by: RatedBy, side: str = "player") -> Iterator[Row]:
    for player in material.experiment.measured():
        shared = {"block": _block(material, view, by), "evaluation": view.evaluation, "side": side}
        if by == "people" and material.rated(view, player, by, side).is_empty():
            continue  # a published number stands beside one of ours, or not at all
        for score in material.scores(view, player, by, side).iter_rows(named=True):
            yield {**shared, "player": player, "origin": "here", **_measured(score, side)}
        for printed in _printed_by(material, by, side):
            yield from ({**row, **shared} for row in material.beside.means(player, view.tasks, printed, side))


def _measured(score: dict[str, Any], side: str) -> Row:
    """A row of `records.score.SCHEMA` as a cell. The player's model stays the player's where the partner is rated."""
    models = [score["policy_model"], score["partner_model"]]
    player_model, partner_model = models if side == "player" else reversed(models)
    return {
        "measure": score["dimension"],
        "value": score["mean"],
        **{name: score[name] for name in ("se", "low", "high", "n", "clusters", "failed", "missing")},
        "rater": score["judge"],
        "partner": score["partner"] if side == "player" else score["policy"],
        "player_model": player_model,
        "partner_model": partner_model,
        "rater_model": score["judge_model"] or None,
        "rating_prompt": score["judge_prompt"] or None,
    }


def _block(material: Material, view: View, by: RatedBy) -> str:
    people = SIMULATED if material.raters == SIMULATED else "people"
    return f"{view.name}, rated by {people if by == 'people' else 'the judge'}"


# -- differences and tests ---------------------------------------------------------------------------------------------


def table_1(material: Material) -> Iterator[Row]:
    """What each trained policy has over the base, task by task, on single casts."""
    base = material.layout.baseline
    pairs = [(name, base) for name in material.layout.trained_policies()]
    yield from _compared(material, pairs, material.beside.differences)


def table_6(material: Material) -> Iterator[Row]:
    """The paper's test of its last policy against every other: paired by scenario, one mean a task (df = tasks - 1)."""
    target = subject(material.experiment)
    pairs = [(target, name) for name in material.experiment.measured() if target and name != target]
    yield from _compared(material, pairs, material.beside.tests)


def subject(experiment: Experiment) -> str | None:
    """The policy that Table 6 tests: the paper's BC+SR where the config says which that is, else the last trained one."""
    trained = [name for name in experiment.policies if experiment.trained(name)]
    named = [name for name in trained if experiment.published and experiment.published.row(name) == "bc_sr"]
    return next(iter([*named, *reversed(trained)]), None)


def _compared(material: Material, pairs: list[tuple[str, str]], printed: Printed) -> Iterator[Row]:
    """Each pair on single casts by each kind of raters, and what is printed of it."""
    if (view := once(material.experiment)) is None:
        return
    for by in _raters(material):
        for player, other in pairs:
            shared = {"block": _block(material, view, by), "evaluation": view.evaluation, "side": "player"}
            ours = [{**shared, **row} for row in _differences(material, view, by, player, other)]
            yield from ours
            for row in printed(player, other, view.tasks) if ours else ():
                if (row["rater"] == PEOPLE) == (by == "people") or material.people is None:
                    yield {**row, **shared}


def _differences(material: Material, view: View, by: RatedBy, player: str, other: str) -> Iterator[Row]:
    mine, theirs = (material.rated(view, name, by) for name in (player, other))
    if mine.is_empty() or theirs.is_empty():
        return
    rater = view.settings.judge if by == "judge" else material.raters
    models = {"player_model": material.model(player), "partner_model": material.model(view.settings.partner)}
    if by == "judge":
        models |= {"rater_model": material.model(rater), "rating_prompt": material.rating_prompt}
    failed = sum(frame["failure"].is_not_null().sum() for frame in (mine, theirs))
    shared = {"player": player, "versus": other, "origin": "here", "rater": rater, "failed": failed, **models}
    table = paired(mine, theirs, view.evaluation).filter(pl.col("method") == "task_means")
    for row in table.iter_rows(named=True):
        numbers = {name: row[name] for name in _TESTED}
        df = row["clusters"] - 1 if row["clusters"] > 1 else None
        yield {**shared, "measure": row["dimension"], "value": row["difference"], **numbers, "df": df}


# -- judge against people ----------------------------------------------------------------------------------------------


def figure_4(material: Material) -> Iterator[Row]:
    """GOAL by the judge and by people on the same seats, and how far the judge lies above them."""
    view = once(material.experiment)
    if view is None:
        return
    shared = {"block": view.name, "evaluation": view.evaluation, "side": "player"}
    for player in material.experiment.measured():
        for by in BOTH:
            if by == "people" and (material.people is None or material.rated(view, player, by).is_empty()):
                continue
            for score in material.scores(view, player, by).filter(dimension=GOAL).iter_rows(named=True):
                yield {**shared, "player": player, "origin": "here", **_measured(score, "player")}
        yield from ({**shared, **row} for row in _gap(material, view, player))
        for by in BOTH:
            printed = material.beside.means(player, view.tasks, by)
            yield from ({**row, **shared} for row in printed if row["measure"] == GOAL)
        yield from ({**row, **shared} for row in material.beside.gap(player, view.tasks))


def _gap(material: Material, view: View, player: str) -> Iterator[Row]:
    """The judge's GOAL minus people's over the seats that both rated, clustered by task."""
    if material.people is None:
        return
    judge = material.rated(view, player, "judge").filter(pl.col("failure").is_null())
    both = judge.join(material.rated(view, player, "people"), on=_SEAT, suffix="_people").sort(_SEAT)
    if both.height:
        found = vars(paired_difference(both[GOAL].to_list(), both[f"{GOAL}_people"].to_list(), both["task"].to_list()))
        numbers = {name: found[name] for name in ("se", "low", "high", "t", "p", "n", "clusters")}
        df = found["clusters"] - 1 if found["clusters"] > 1 else None
        yield {"player": player, "measure": "gap", "origin": "here", "value": found["mean"], "df": df, **numbers}
