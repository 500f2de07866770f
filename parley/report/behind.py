"""Behind: the episodes or the file that a number of one of the paper's tables stands on."""

from typing import Any

from parley.config import Experiment
from parley.evaluation.people import RATERS
from parley.records.rating import DIMENSIONS
from parley.report import links

_COLUMNS = {**{d.key: d.short for d in DIMENSIONS}, "overall": "overall"}
#: What the safety study looks for in an episode.
_FOUND = ("harm", "prevention")


def behind(table: str, cell: dict[str, Any], experiment: Experiment) -> str:
    """Where a cell leads; nothing for what others have published.

    A `measure` of None asks for all that the row stands on, `failed` for what failed of it.
    """
    if cell["origin"] != "here":
        return ""
    player, measure = cell["player"], cell["measure"]
    if table == "table_4":
        return links.file(f"knowledge/{player}.json")
    failed = {"state": "failed"} if measure == "failed" else {}
    policy = player if player in experiment.measured() else None
    if table == "table_3" and experiment.safety is not None:
        role = str(cell["block"]).removeprefix("as ")
        found = measure if measure in _FOUND and cell["value"] else None
        return links.episodes(set=experiment.safety.tasks, policy=policy, role=role, found=found, **failed)
    by_people = table in ("table_7", "table_8") or measure == "gap" or cell["rater"] in RATERS
    return links.episodes(
        evaluation=cell["evaluation"] if cell["evaluation"] in experiment.evaluations else None,
        policy=policy,
        dimension=_COLUMNS.get(measure),
        people="yes" if by_people else None,
        **failed,
    )
