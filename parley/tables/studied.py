"""The tables that rest on studies without a judge: safety (3) and knowledge (4)."""

from collections.abc import Iterator

from parley.errors import ParleyError
from parley.evaluation.knowledge import gap
from parley.evaluation.safety import MEASURES, ROLES
from parley.tables.cells import Row
from parley.tables.material import Material

_NUMBERS = ("se", "low", "high", "n", "clusters", "failed", "partner", "partner_model")


def table_3(material: Material) -> Iterator[Row]:
    """The safety study in both roles, measure by measure."""
    found = material.safety()
    for role in ROLES if found else ():
        shared = {"block": f"as {role}", "evaluation": "safety"}
        for player in material.experiment.measured():
            rows = {row["measure"]: row for row in found[player] if row["role"] == role}
            for measure in MEASURES[role]:
                if (row := rows.get(measure)) is not None:
                    numbers = {name: row.get(name) for name in _NUMBERS}
                    models = {"player_model": row.get("policy_model")}
                    yield {**shared, "player": player, "measure": measure, "origin": "here", "value": row["mean"],
                           **models, **numbers}  # fmt: skip
            yield from ({**row, **shared} for row in material.beside.safety(player, role))


def table_4(material: Material) -> Iterator[Row]:
    """The accuracy of each policy, and what it has over the base, question by question."""
    found = material.knowledge()
    base = found.get(material.layout.baseline)
    shared = {"block": "multiple choice", "evaluation": "knowledge"}
    for player, result in found.items():
        whole = result["overall"]
        numbers = {name: whole.get(name) for name in ("se", "low", "high", "n")}
        model = {"player_model": material.model(player)}
        yield {**shared, "player": player, "measure": "accuracy", "origin": "here", "value": whole["acc"], **numbers,
               **model}  # fmt: skip
        if base is not None and player != material.layout.baseline:
            try:
                row = gap(result, base)
            except ParleyError:  # they answered other questions: there is no difference to tell
                continue
            over = {"versus": material.layout.baseline, "measure": "difference", "origin": "here", "value": row["mean"]}
            numbers = {name: row[name] for name in ("se", "low", "high", "t", "p", "n")}
            yield {**shared, "player": player, **over, **numbers, **model}
        yield from ({**row, **shared} for row in material.beside.knowledge(player))
