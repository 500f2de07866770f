"""The files of SOTOPIA's profiles: their names, their lines, reading and writing a folder of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.errors import ParleyError
from parley.exchange.sotopia import agent, combo, environment, relationship
from parley.exchange.sotopia.line import Line, read_lines
from parley.exchange.sotopia.sets import Sets
from parley.records.jsonl import write_text

AGENTS = "agent_profiles.jsonl"
RELATIONSHIPS = "relationship_profiles.jsonl"
ENVIRONMENTS = "environment_profiles.jsonl"
COMBOS = "env_agent_combo_storages.jsonl"
#: Needed in this order, since each names things of those before it.
NAMES = (AGENTS, RELATIONSHIPS, ENVIRONMENTS, COMBOS)
#: May be there: `{list: [env_id, …]}`.
SETS = "task_sets.json"


@dataclass(frozen=True)
class Files:
    """The lines of the four files, and the named lists of environments if there are any."""

    agents: list[Line]
    relationships: list[Line]
    environments: list[Line]
    combos: list[Line]
    sets: Sets | None = None
    sets_place: str = SETS


def read_files(folder: Path, uncast: bool = False) -> Files:
    """Read a folder of profiles; with `uncast` it may lack the file of casts.

    Raises `ParleyError` with file and line for what is missing or cannot be read.
    """
    if not folder.is_dir():
        raise ParleyError(f"{folder}: no such folder; give the one that holds {', '.join(NAMES)}")
    for name in NAMES:
        if not (folder / name).exists() and not (uncast and name == COMBOS):
            raise ParleyError(f"{folder / name}: no such file; a folder of SOTOPIA's profiles holds {', '.join(NAMES)}")
    return Files(
        agents=read_lines(folder / AGENTS, agent.ALIASES),
        relationships=read_lines(folder / RELATIONSHIPS, relationship.ALIASES),
        environments=read_lines(folder / ENVIRONMENTS, environment.ALIASES),
        combos=read_lines(folder / COMBOS, combo.ALIASES) if (folder / COMBOS).exists() else [],
        sets=_read_sets(folder / SETS),
        sets_place=str(folder / SETS),
    )


def _read_sets(path: Path) -> Sets | None:
    if not path.exists():
        return None
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ParleyError(f"{path}: not JSON ({error}); mend or delete it") from None
    if not isinstance(sets, dict) or not all(
        isinstance(ids, list) and all(isinstance(one, str) for one in ids) for ids in sets.values()
    ):
        raise ParleyError(f"{path}: not lists of environment ids by name; mend or delete it")
    return sets


def write_files(folder: Path, lines: Mapping[str, list[dict[str, Any]]], sets: Sets) -> None:
    """Write a folder of profiles as the published files are written: one line a record, ASCII."""
    for name in NAMES:
        write_text(folder / name, "".join(json.dumps(line) + "\n" for line in lines[name]) or "\n")
    write_text(folder / SETS, json.dumps(sets, indent=1) + "\n")
