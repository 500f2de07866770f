"""Profiles: SOTOPIA's characters, relationships and tasks as our records, taken from its files and given back.

`give(take(files))` says what the files said; `take(give(profiles))` has the records of `profiles`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from parley.errors import ParleyError
from parley.exchange.sotopia import agent, combo, environment, relationship
from parley.exchange.sotopia.files import AGENTS, COMBOS, ENVIRONMENTS, RELATIONSHIPS, Files
from parley.exchange.sotopia.leftover import Leftover, Noun, left_over, restored
from parley.exchange.sotopia.line import OURS, Line, supplement
from parley.exchange.sotopia.sets import Sets, sets_of, tags
from parley.records.character import Acquaintance, Character
from parley.records.task import Task

#: The published keys of each noun that our records hold.
KNOWN: dict[Noun, list[str]] = {
    "agent": agent.KEYS,
    "relationship": relationship.KEYS,
    "environment": environment.KEYS,
    "combo": combo.KEYS,
}


@dataclass(frozen=True)
class Profiles:
    """Who lives in a social world and what is played there, and what our records of it do not hold."""

    characters: list[Character]
    acquaintances: list[Acquaintance]
    tasks: list[Task]
    leftovers: list[Leftover]


# -- in ------------------------------------------------------------------------------------------------------------


def take(files: Files, uncast: bool = False) -> Profiles:
    """The records of the files; with `uncast` an environment may have no casts, which the workflow then draws.

    Raises `ParleyError` with file and line for ids that are given twice or to nobody, and values that cannot be read.
    """
    leftovers: list[Leftover] = []
    characters = _characters(files.agents, leftovers)
    acquaintances = _acquaintances(files.relationships, {one.id for one in characters}, leftovers)
    tasks = _tasks(files, {one.id for one in characters}, uncast, leftovers)
    return Profiles(characters, acquaintances, tasks, leftovers)


def _characters(lines: Sequence[Line], leftovers: list[Leftover]) -> list[Character]:
    _distinct(lines, "agent_id")
    characters: list[Character] = []
    called: dict[str, str] = {}
    for line in lines:
        character = line.read(Character, agent.READERS)
        if not character.name:
            raise line.wrong("has no name; add `first_name` and `last_name`, or delete the line")
        if character.name in called:
            raise line.wrong(f"{called[character.name]} has the name {character.name!r} too; give each agent their own")
        called[character.name] = character.id
        left = left_over("agent", character.id, character.id, line, agent.published(character))
        leftovers += [left] if left.values else []
        characters.append(character)
    return characters


def _acquaintances(lines: Sequence[Line], agents: set[str], leftovers: list[Leftover]) -> list[Acquaintance]:
    _distinct(lines, "relationship_id")
    seen = set()
    pairs = []
    for line in lines:
        pair = line.read(Acquaintance, relationship.READERS)
        for end in pair.characters:
            if end not in agents:
                raise line.wrong(f"no agent has the id {end!r}; add it or delete the line")
        mark = (frozenset(pair.characters), pair.relationship)
        if len(mark[0]) == 1:
            raise line.wrong("nobody knows themselves; delete the line")
        if mark in seen:
            raise line.wrong("a line above says the same of the same two; delete one of them")
        seen.add(mark)
        own_id = line.key("relationship_id")
        published = relationship.published(pair, own_id)
        leftovers.append(left_over("relationship", relationship.name_of(pair), own_id, line, published))
        pairs.append(pair)
    return pairs


def _tasks(files: Files, agents: set[str], uncast: bool, leftovers: list[Leftover]) -> list[Task]:
    _distinct(files.environments, "env_id")
    _distinct(files.combos, "combo_id", optional=True)
    ids = [line.key("env_id") for line in files.environments]
    names = dict(zip(ids, environment.names(files.environments), strict=True))
    casts = combo.casts(files.combos, agents, ids)
    tagged = tags(files.sets, files.environments, files.sets_place)
    tasks = []
    for line, own_id, tag in zip(files.environments, ids, tagged, strict=True):
        if not casts[own_id] and not uncast:
            raise line.wrong(
                f"no line of {COMBOS} casts {own_id!r}; add some, or import with --uncast: then casts are drawn"
            )
        task = line.read(Task, environment.READERS)
        known = {"name": names[own_id], "tags": task.tags if "tags" in line.ours() else tag}
        task = task.model_copy(update=known | {"casts": tuple(casts[own_id])})
        leftovers.append(left_over("environment", task.name, own_id, line, environment.published(task, own_id)))
        tasks.append(task)
    for line in files.combos:
        own_id, cast = line.values["env_id"], combo.cast_of(line)
        combo_id = str(line.values.get("combo_id") or "")
        published = combo.published(own_id, cast, combo_id)
        leftovers.append(left_over("combo", combo.name_of(names[own_id], cast), combo_id, line, published))
    return tasks


def _distinct(lines: Iterable[Line], key: str, optional: bool = False) -> None:
    """Raise `ParleyError` if two lines have the same id, or one has none."""
    seen: dict[str, str] = {}
    for line in lines:
        if optional and not line.values.get(key):
            continue
        own_id = line.key(key)
        if own_id in seen:
            raise line.wrong(f"the {key} {own_id!r} is that of {seen[own_id]} too; give each line its own")
        seen[own_id] = line.place


# -- out -----------------------------------------------------------------------------------------------------------


def give(profiles: Profiles) -> tuple[dict[str, list[dict[str, Any]]], Sets]:
    """The lines of each file by its name, and the lists that tags come from."""
    kept = {(one.noun, one.of): one for one in profiles.leftovers}
    ids = [_own_id(kept.get(("environment", task.name))) or task.name for task in profiles.tasks]
    sets = sets_of(profiles.tasks, ids)
    return {
        AGENTS: [_agent(one, kept.get(("agent", one.id))) for one in profiles.characters],
        RELATIONSHIPS: [
            _relationship(one, kept.get(("relationship", relationship.name_of(one)))) for one in profiles.acquaintances
        ],
        ENVIRONMENTS: _environments(profiles.tasks, ids, kept, sets),
        COMBOS: _combos(profiles, ids, kept),
    }, sets


def _own_id(leftover: Leftover | None) -> str | None:
    return leftover.id if leftover else None


def _agent(one: Character, left: Leftover | None) -> dict[str, Any]:
    line = restored(agent.published(one), left, Character, agent.READERS)
    return _with_ours(line, supplement(one, line, Character, agent.READERS))


def _relationship(one: Acquaintance, left: Leftover | None) -> dict[str, Any]:
    line = restored(relationship.published(one, _own_id(left)), left, Acquaintance, relationship.READERS)
    return _with_ours(line, supplement(one, line, Acquaintance, relationship.READERS))


def _environments(
    tasks: Sequence[Task], ids: Sequence[str], kept: dict[tuple[Noun, str], Leftover], sets: Sets
) -> list[dict[str, Any]]:
    lines = []
    for task, own_id in zip(tasks, ids, strict=True):
        left = kept.get(("environment", task.name))
        line = restored(environment.published(task, own_id), left, Task, environment.READERS)
        if left and "codename" in left.values:  # a name that several shared, or that no task may have
            line |= {"codename": left.values["codename"]}
        ours = supplement(task, line, Task, environment.READERS)
        lines.append(_with_ours(line, {key: value for key, value in ours.items() if key not in ("name", "tags")}))
    found = tags(sets, _as_lines(lines), "")
    for line, task, tag in zip(lines, tasks, found, strict=True):
        if tag != task.tags:  # the order of a task's tags is not that of the lists
            line |= {OURS: line.get(OURS, {}) | {"tags": list(task.tags)}}
    _name(lines, tasks)
    return lines


def _name(lines: list[dict[str, Any]], tasks: Sequence[Task]) -> None:
    """Give the tasks that would come back under another name their own; those may take a name from others."""
    while True:
        try:
            found = environment.names(_as_lines(lines))
        except ParleyError:
            found = ["" for _ in lines]
        wrong = [at for at, task in enumerate(tasks) if found[at] != task.name]
        if not wrong:
            return
        for at in wrong:
            lines[at] |= {OURS: lines[at].get(OURS, {}) | {"name": tasks[at].name}}


def _as_lines(values: Iterable[dict[str, Any]]) -> list[Line]:
    return [Line("", one) for one in values]


def _combos(profiles: Profiles, ids: Sequence[str], kept: dict[tuple[Noun, str], Leftover]) -> list[dict[str, Any]]:
    environments = {task.name: own_id for task, own_id in zip(profiles.tasks, ids, strict=True)}
    wanted = {task.name: task.casts for task in profiles.tasks}
    names = {combo.name_of(name, cast): (name, cast) for name, casts in wanted.items() for cast in casts}
    source = [names[one.of] for one in profiles.leftovers if one.noun == "combo" and one.of in names]
    lines = []
    for name, cast in combo.in_order(wanted, source):
        left = kept.get(("combo", combo.name_of(name, cast)))
        published = combo.published(environments[name], cast, _own_id(left))
        extra = {key: value for key, value in (left.values if left else {}).items() if key not in KNOWN["combo"]}
        lines.append(published | extra)
    return lines


def _with_ours(line: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    return line | ({OURS: ours} if ours else {})


def counted(profiles: Profiles) -> dict[str, int]:
    """How much there is of everything."""
    return {
        "characters": len(profiles.characters),
        "relationships": len(profiles.acquaintances),
        "tasks": len(profiles.tasks),
        "casts": sum(len(task.casts) for task in profiles.tasks),
    }
