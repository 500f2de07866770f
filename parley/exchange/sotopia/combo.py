"""A combo: SOTOPIA's line for one cast of an environment."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from parley.canonical import digest
from parley.exchange.sotopia.line import Line
from parley.records.task import Cast

ALIASES = {"pk": "combo_id"}
KEYS = ["env_id", "agent_ids"]


def casts(combos: Sequence[Line], agents: Collection[str], environments: Collection[str]) -> dict[str, list[Cast]]:
    """The casts of each environment, in the order of the lines.

    Raises `ParleyError` with the line for ids that nobody has, one agent in both seats, and a cast that is there twice.
    """
    found: dict[str, list[Cast]] = {environment: [] for environment in environments}
    for line in combos:
        environment, cast = str(line.values.get("env_id")), cast_of(line)
        if environment not in found:
            raise line.wrong(f"no environment has the id {environment!r}; add it or delete the line")
        for agent in cast:
            if agent not in agents:
                raise line.wrong(f"no agent has the id {agent!r}; add it or delete the line")
        if cast[0] == cast[1]:
            raise line.wrong("one agent cannot sit in both seats; correct or delete the line")
        if cast in found[environment]:
            raise line.wrong("a line above gives the same environment the same agents; delete one of them")
        found[environment].append(cast)
    return found


def cast_of(line: Line) -> Cast:
    """The two agents of a combo, in seat order."""
    agents = line.values.get("agent_ids")
    if not isinstance(agents, list) or len(agents) != 2 or not all(isinstance(one, str) for one in agents):
        raise line.wrong("`agent_ids` is not a list of two ids, one a seat; correct or delete the line")
    return agents[0], agents[1]


def name_of(task: str, cast: Cast) -> str:
    """What a leftover calls a cast."""
    return f"{task} {'+'.join(cast)}"


def published(environment: str, cast: Cast, own_id: str | None = None) -> dict[str, Any]:
    """The line of a cast, under the id that its source gave it or one made of its content."""
    return {
        "combo_id": own_id or digest([environment, *cast], 26).upper(),
        "env_id": environment,
        "agent_ids": list(cast),
    }


def in_order(wanted: Mapping[str, Sequence[Cast]], source: Sequence[tuple[str, Cast]]) -> list[tuple[str, Cast]]:
    """All casts, in the order of their source as far as that keeps the order of each task's own casts."""
    listed = [(task, cast) for task, casts in wanted.items() for cast in casts]
    known = set(listed)
    ordered = list(dict.fromkeys([*(one for one in source if one in known), *listed]))
    kept = {task: [cast for name, cast in ordered if name == task] for task in wanted}
    return ordered if all(kept[task] == list(casts) for task, casts in wanted.items()) else listed
