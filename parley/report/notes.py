"""Notes: what a reader has to know of the numbers in one of the paper's tables, and why there are none."""

import json
from collections.abc import Iterator

import polars as pl

from parley.config import Experiment
from parley.evaluation.people import RATERS, SIMULATED
from parley.report.words import listed
from parley.tables.published import path_of, read_facts
from parley.tables.rated import subject
from parley.tables.studied import BY_RULES

#: Behind a published row that was not measured as the others were; a note says how.
APART = "†"
#: Tables that the paper has from people.
BY_PEOPLE = ("table_1", "table_5", "table_6", "table_9", "figure_4")
#: How the numbers of a table are to be read.
READING = {
    "table_1": "Differences of the tasks' means with 95 % intervals; * below 0.05 in the test of Table 6.",
    "table_2": "Means ± half the width of the 95 % interval, clustered by task.",
    "table_3": "Shares and means per episode with 95 % intervals; who says nothing does no harm: read them beside engaged.",
    "table_4": "Accuracy ± its standard error; the difference in points is paired by question.",
    "table_5": "Means ± half the width of the 95 % interval, clustered by task.",
    "table_6": "t and two-sided p of paired tests, one pair of means a task, tasks - 1 degrees of freedom; not corrected "
    "for their number (the CSV file has p_holm, over the seven dimensions of a row, and the effect size).",
    "table_7": "Correlation of the judge's GOAL with the mean of people's, over the seats that both rated.",
    "table_8": "Raters of a seat, after rounding: up to 5 or above; below, about or above 0 for REL and FIN.",
    "table_9": "Scores of the partner when it talks to each policy: means ± half the width of the 95 % interval.",
    "figure_4": "GOAL by the judge and by people on the same seats; the gap is the judge's minus people's.",
}


def notes(name: str, cells: pl.DataFrame, experiment: Experiment) -> Iterator[str]:
    """What a reader has to know of a table's numbers, or why there are none."""
    here = cells.filter(pl.col("origin") == "here")
    if here.is_empty():
        yield _missing(name, experiment)
        return
    yield READING[name]
    raters = set(here["rater"].to_list())
    if name in BY_PEOPLE and not raters & set(RATERS):
        yield (
            "Nobody has rated these episodes yet: where the paper has people's ratings, these are the judge's "
            f"({_names(here, 'rater')}). human_ratings in the config brings people's in."
        )
    if SIMULATED in raters:
        by = experiment.human.simulated_by if experiment.human is not None else None
        yield f"Simulated: no person has rated; {f'{by}, a model, plays' if by else 'models play'} the human raters."
    if name == "table_3":
        yield _decided(here)
    if models := _models(here):
        yield models
    if scripted := _simulated(here):
        yield f"Simulated: {scripted}. These numbers show that the method runs, not how language models behave."
    yield from _published(cells, here, experiment)


def _missing(name: str, experiment: Experiment) -> str:
    """In one line, why there is nothing to show."""
    if name == "table_3":
        return "This experiment has no safety study (safety: in the config)."
    if name == "table_4":
        return "This experiment has no knowledge test (knowledge: in the config)."
    if not experiment.evaluations:
        return "This experiment has no evaluation (evaluations: in the config)."
    if name in ("table_1", "table_6") and subject(experiment) is None:
        return "This experiment has no trained policy, so there is nothing to compare."
    if name in ("table_7", "table_8"):
        return "People have rated none of these episodes yet (human_ratings: in the config)."
    return "Nothing that this table compares was rated."


def _names(cells: pl.DataFrame, column: str) -> str:
    return listed(sorted(cells[column].drop_nulls().unique().to_list()))


def _decided(here: pl.DataFrame) -> str:
    """What rules counted, and what a judge decided."""
    judged = here.filter(pl.col("rater") != BY_RULES)
    counted = here.join(judged, on="measure", how="anti")
    parts = [
        f"By {by}: {listed([measure.replace('_', ' ') for measure in rows['measure'].unique(maintain_order=True)])}"
        for by, rows in (("the judge", judged), (BY_RULES, counted))
        if rows.height
    ]
    return f"{'. '.join(parts)}."


def _models(here: pl.DataFrame) -> str:
    """Who was the partner and who judged, by name and model."""
    told = []
    for part, name, model in (("Partner", "partner", "partner_model"), ("Judge", "rater", "rater_model")):
        pairs = here.select(name, model).drop_nulls().unique(maintain_order=True).rows()
        if pairs:
            told.append(f"{part}: {listed([_named(who, identity) for who, identity in pairs])}")
    return f"{'. '.join(told)}." if told else ""


def _named(who: str, identity: str) -> str:
    """A speaker with its model; where the row is of people the model is the judge's that they are compared with."""
    return _model(identity).strip(" ()") if who in RATERS else f"{who}{_model(identity)}"


def _model(identity: str) -> str:
    """The model of an identity in brackets; nothing if it does not say."""
    found = json.loads(identity)
    told = ": ".join(str(found[key]) for key in ("engine", "name") if found.get(key))
    return f" ({told})" if told else ""


def _simulated(here: pl.DataFrame) -> str:
    """Which parts scripted speakers played."""
    scripted = {
        column: here.filter(pl.col(column).str.contains('"engine":"playhouse"', literal=True))
        for column in ("rater_model", "partner_model", "player_model")
    }
    found = ["the judge"] if scripted["rater_model"].height else []
    found += ["the partner"] if scripted["partner_model"].height else []
    partners = here["partner"].unique().to_list()
    found += [name for name in scripted["player_model"]["player"].unique(maintain_order=True) if name not in partners]
    verb = "is a scripted speaker" if len(found) == 1 else "are scripted speakers"
    return f"{listed(found)} {verb}" if found else ""


def _published(cells: pl.DataFrame, here: pl.DataFrame, experiment: Experiment) -> Iterator[str]:
    """Whose the published numbers are, and in what they are not alike."""
    if experiment.published is None:
        return
    facts = read_facts(path_of(experiment.published))
    yield f"Published: {facts.paper}, {facts.source}; partner {facts.partner}, judge {facts.judge}."
    if others := [
        f"the {part} is {listed(names)}"
        for part, column, theirs in (("partner", "partner_model", facts.partner), ("judge", "rater_model", facts.judge))
        if (names := [name for name in _model_names(here, column) if name != theirs])
    ]:
        yield f"Not like for like: here {' and '.join(others)}."
    beside = cells.filter(pl.col("origin") != "here")
    if "like_for_like" in beside["origin"].to_list():
        yield f"Like for like: {facts.like_for_like}, where the row's agent talks to {facts.partner} alone."
    if alone := [
        name
        for name in here["player"].unique(maintain_order=True)
        if name not in (*beside["player"].to_list(), *RATERS)
    ]:
        yield f"Without a published number: {listed(alone)}."
    yield from _apart(beside)


def _apart(beside: pl.DataFrame) -> Iterator[str]:
    """Which published rows were not measured as the others of their table, and how."""
    noted = beside.filter(pl.col("note").str.contains("; ", literal=True))
    for (block, note), rows in noted.group_by("block", "note", maintain_order=True):
        where, _, apart = str(note).partition("; ")
        players = listed(rows["player"].unique(maintain_order=True).to_list())
        yield f"{APART} {players} ({block}), {where}: {apart}."


def _model_names(here: pl.DataFrame, column: str) -> list[str]:
    identities = here[column].drop_nulls().unique(maintain_order=True).to_list()
    return [name for identity in identities if (name := json.loads(identity).get("name"))]
