"""The tables of people as raters: the judge against them (7), and how alike they are (8), on single casts."""

from collections.abc import Iterator

import polars as pl

from parley.evaluation.concordance import rating_table
from parley.evaluation.correlation import pearson, spearman
from parley.evaluation.people import PEOPLE
from parley.evaluation.reliability import categories_of, coarse, pairwise, randolph
from parley.evaluation.scores import seats_among
from parley.records.rating import DIMENSIONS
from parley.tables.cells import Row
from parley.tables.material import Material
from parley.tables.views import once

GOAL = "goal"
_PLACE = ["task", "cast", "seat", "replicate"]
#: The two parts of Table 8.
SHARE, KAPPA = "how often two raters agree", "Randolph's kappa"


def table_7(material: Material) -> Iterator[Row]:
    """How the judge's GOAL goes together with people's, policy by policy, over the seats that both rated."""
    view = once(material.experiment)
    if view is None or material.people is None:
        return
    shared = {"block": view.name, "evaluation": view.evaluation, "side": "player"}
    for player in material.experiment.measured():
        judge = material.rated(view, player, "judge").filter(pl.col("failure").is_null())
        both = judge.join(material.rated(view, player, "people"), on=_PLACE, suffix="_people").sort(_PLACE)
        if both.is_empty():
            continue  # a published number stands beside one of ours, or not at all
        first, second = both[GOAL].to_list(), both[f"{GOAL}_people"].to_list()
        counts = {"n": both.height, "clusters": both["task"].n_unique(), "partner": view.settings.partner}
        models = {"player_model": material.model(player), "rater_model": material.model(view.settings.judge)}
        for measure, value in (("pearson", pearson(first, second)), ("spearman", spearman(first, second))):
            own = {"player": player, "rater": material.raters, "measure": measure, "value": value}
            yield {**shared, **own, "origin": "here", **counts, **models}
        yield from ({**row, **shared, "rater": PEOPLE} for row in material.beside.correlation(player, view.tasks))


def table_8(material: Material) -> Iterator[Row]:
    """How often two raters of a seat agree after coarse rounding, and what is left of it beyond chance, by dimension."""
    view = once(material.experiment)
    if view is None or material.marks is None:
        return
    marks = seats_among(material.marks, material.places(view))
    if marks.is_empty():
        return
    shared = {"evaluation": view.evaluation}
    here, printed = ({"player": raters, "rater": raters} for raters in (material.raters, PEOPLE))
    seats = {"n": marks.select(*_PLACE, "player", "partner").n_unique(), "clusters": marks["task"].n_unique()}
    for block, part in ((SHARE, 0), (KAPPA, 1)):
        for dimension in DIMENSIONS:
            rough = coarse(rating_table(marks, dimension.key), dimension.low, dimension.high)
            value = (pairwise(rough), randolph(rough, categories_of(dimension.low, dimension.high)))[part]
            own = {"block": block, "measure": dimension.key, "value": value}
            yield {**shared, **here, **own, "origin": "here", **seats, "partner": view.settings.partner}
        yield from ({**row, **shared, **printed, "block": block} for row in material.beside.agreement(part, view.tasks))
