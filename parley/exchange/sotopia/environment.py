"""An environment profile: SOTOPIA's line for a task, without its casts."""

import ast
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml

from parley.exchange.sotopia.goal import read_goal, written_goal
from parley.exchange.sotopia.line import Line, Readers, nothing, text
from parley.exchange.sotopia.relationship import number, relationship
from parley.records.task import Task

ALIASES = {"pk": "env_id", "code_name": "codename"}
KEYS = [
    "codename",
    "scenario",
    "agent_goals",
    "relationship",
    "age_constraint",
    "occupation_constraint",
]
ANY_AGE = ((18, 70), (18, 70))
#: So many characters of an environment's id tell it from another of the same codename.
SUFFIX = 6


# -- constraints ---------------------------------------------------------------------------------------------------


def ages(value: Any) -> Any:
    """The age range of each seat, from a Python literal such as `[(18, 70), (18, 70)]`; all grown-ups if there is none."""
    found = ANY_AGE if nothing(value) else _literal(value, "age_constraint")
    if len(found) != 2 or not all(isinstance(one, list | tuple) and len(one) == 2 for one in found):
        raise ValueError(f"age_constraint {value!r} is not two ranges, such as '[(18, 70), (18, 70)]'")
    return tuple(tuple(one) for one in found)


def occupations(value: Any) -> tuple[tuple[str, ...], ...]:
    """The occupations that each seat asks for: a Python literal of two lists or texts; the texts may lack their quotes."""
    found = ((), ()) if nothing(value) else _literal(value, "occupation_constraint")
    if len(found) != 2:
        raise ValueError(f"occupation_constraint {value!r} is not two lists, one a seat")
    return tuple(_asked(seat) for seat in found)


def _asked(seat: Any) -> tuple[str, ...]:
    if nothing(seat):
        return ()
    return tuple(text(one) for one in ([seat] if isinstance(seat, str) else seat))


def _literal(value: Any, key: str) -> list[Any] | tuple[Any, ...]:
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            try:
                value = yaml.load(value, yaml.BaseLoader)
            except yaml.YAMLError:
                raise ValueError(f"{key} {value!r} is not a Python literal") from None
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} {value!r} is not a list")
    return value


# -- the line ------------------------------------------------------------------------------------------------------


def _goals(values: dict[str, Any]) -> list[dict[str, str | None]]:
    goals = values.get("agent_goals")
    if not isinstance(goals, list) or len(goals) != 2:
        raise ValueError("`agent_goals` is not a list of two goals, one a seat")
    return [read_goal(goal) for goal in goals]


#: What stands in the line itself. The name may need a suffix; tags and casts come from elsewhere.
READERS: Readers = {
    "name": lambda values: plain(values),  # noqa: PLW0108 - defined below
    "scenario": lambda values: text(values.get("scenario")),
    "goals": _goals,
    "relationship": lambda values: relationship(values.get("relationship")),
    "ages": lambda values: ages(values.get("age_constraint")),
    "occupations": lambda values: occupations(values.get("occupation_constraint")),
    "tags": lambda _: (),
    "roles": lambda _: None,
    "keyword": lambda _: None,
}


def published(task: Task, own_id: str | None = None) -> dict[str, Any]:
    """The line of a task, under the id that its source gave it or its name."""
    asked = [list(seat) for seat in task.occupations]
    return {
        "env_id": own_id or task.name,
        "codename": task.name,
        "source": "",
        "scenario": task.scenario,
        "agent_goals": [written_goal(goal) for goal in task.goals],
        "relationship": number(task.relationship),
        "age_constraint": str([tuple(seat) for seat in task.ages]),
        "occupation_constraint": str(asked) if any(asked) else "nan",
        "agent_constraint": "none",
    }


# -- names ---------------------------------------------------------------------------------------------------------


def plain(values: dict[str, Any]) -> str:
    """The codename as far as a task may be called so; the id where there is no codename."""
    return _plain(text(values.get("codename"))) or _plain(str(values.get("env_id")))


def _plain(written: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", written).lstrip("_.-").rstrip("_")


def names(lines: Sequence[Line]) -> list[str]:
    """A name for each environment: its codename; the end of its id is added to codenames that several share.

    So a name depends neither on the order of the lines nor on what else is in the file, short of another environment
    of the same codename. Raises `ParleyError` where ids that differ make the same name.
    """
    given = [str(line.ours().get("name") or "") for line in lines]
    found = [given[at] or plain(line.values) for at, line in enumerate(lines)]
    for suffix in (SUFFIX, None):
        shared = {name for name, count in Counter(found).items() if count > 1}
        for at, line in enumerate(lines):
            if found[at] in shared and not given[at]:
                own_id = _plain(line.key("env_id"))
                found[at] = f"{plain(line.values)}-{own_id[-suffix:] if suffix else own_id}"
    for at, line in enumerate(lines):
        if found[at] in found[:at]:
            raise line.wrong(f"the task name {found[at]!r} is used twice; give the environment another codename")
    return found
