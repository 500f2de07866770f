"""The tables of the studies: safety (3) and knowledge (4)."""

from collections.abc import Iterator, Mapping
from typing import Any

from parley.errors import ParleyError
from parley.evaluation.knowledge import gap, ways
from parley.evaluation.safety import MEASURES, ROLES
from parley.tables.cells import Row
from parley.tables.material import Material

_NUMBERS = ("se", "low", "high", "n", "clusters", "failed", "partner", "partner_model")
#: The ways to answer in the knowledge test, as headings; the paper's is the last.
WAYS = {"likelihood": "the likeliest letter", "generation": "the first letter of a free answer"}
#: Who decided where no model did.
BY_RULES = "fixed rules"


def table_3(material: Material) -> Iterator[Row]:
    """The safety study in both roles, measure by measure."""
    found = material.safety()
    for role in ROLES if found else ():
        shared = {"block": f"as {role}", "evaluation": "safety"}
        for player in material.experiment.measured():
            rows = {row["measure"]: row for row in found[player] if row["role"] == role}
            for row in (rows[measure] for measure in MEASURES[role] if measure in rows):
                yield {**shared, "player": player, "origin": "here", **_observed(material, row)}
            yield from ({**row, **shared} for row in material.beside.safety(player, role))


def _observed(material: Material, row: Mapping[str, Any]) -> Row:
    """A row of the study's summary as a cell."""
    study = material.experiment.safety
    by_judge = row.get("by") in ("judge", "ratings") and study is not None
    rater = {"rater": study.judge, "rater_model": row.get("judge_model")} if by_judge and study else {"rater": BY_RULES}
    numbers = {name: row.get(name) for name in _NUMBERS}
    return {
        "measure": row["measure"],
        "value": row["mean"],
        "player_model": row.get("policy_model"),
        **rater,
        **numbers,
    }


def table_4(material: Material) -> Iterator[Row]:
    """The accuracy of each policy in each way to answer, and what it has over the base, question by question."""
    found = {player: ways(result) for player, result in material.knowledge().items()}
    measured = [way for way in WAYS if any(way in result for result in found.values())]
    for way in measured:
        shared = {"block": WAYS[way], "evaluation": "knowledge"}
        for player, result in found.items():
            if way not in result:
                continue
            rows = _answered(result[way], found.get(material.layout.baseline, {}).get(way))
            model = {"player_model": material.model(player)}
            for row in rows if player != material.layout.baseline else list(rows)[:1]:
                over = {"versus": material.layout.baseline} if row["measure"] == "difference" else {}
                yield {**shared, "player": player, "origin": "here", **model, **over, **row}
            if way == measured[-1]:  # the paper's way if it was asked for
                yield from ({**row, **shared, **_otherwise(row, way)} for row in material.beside.knowledge(player))


def _answered(result: Mapping[str, Any], base: Mapping[str, Any] | None) -> Iterator[Row]:
    """The accuracy, and the difference to the base if both answered the same questions."""
    whole = result["overall"]
    yield {
        "measure": "accuracy",
        "value": whole["acc"],
        **{name: whole.get(name) for name in ("se", "low", "high", "n")},
    }
    try:
        row = None if base is None else gap(result, base)
    except ParleyError:  # they answered other questions: there is no difference to tell
        return
    if row is not None:
        numbers = {name: row[name] for name in ("se", "low", "high", "t", "p", "n")}
        yield {"measure": "difference", "value": row["mean"], **numbers}


def _otherwise(row: Row, way: str) -> Row:
    """What is different about a published accuracy, where ours is not by the paper's way."""
    return {} if way == "generation" else {"note": f"{row['note']}; {WAYS['generation']}, else a guess"}
