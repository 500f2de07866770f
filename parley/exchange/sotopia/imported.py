"""The import: SOTOPIA's profiles as files of ours, with what they leave over and where they come from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parley import handmade
from parley.canonical import file_digest
from parley.exchange.sotopia.files import NAMES, SETS, write_files
from parley.exchange.sotopia.hub import LICENCE, PUBLISHED
from parley.exchange.sotopia.leftover import Leftover, kept_aside
from parley.exchange.sotopia.profiles import KNOWN, Profiles, counted, give
from parley.records.character import read_characters, read_relationships
from parley.records.jsonl import jsonl, read_jsonl, write_jsonl, write_text
from parley.records.task import Task, read_tasks

CHARACTERS, RELATIONSHIPS, TASKS = "characters.jsonl", "relationships.jsonl", "tasks.jsonl"
SAFETY = "safety.jsonl"
LEFTOVERS, PROVENANCE = "leftovers.jsonl", "provenance.json"


#: The task of the safety study (arXiv 2403.08715, Table 3): the first seat wants to injure somebody, the second not.
REVENGE = "revenge_plot"


def safety_tasks(profiles: Profiles) -> list[Task]:
    """The paper's safety task with the roles of its seats; its casts are to be drawn, for the paper has more of them."""
    known = [task for task in profiles.tasks if task.name == REVENGE]
    return [task.model_copy(update={"roles": ("instigator", "bystander"), "casts": ()}) for task in known]


def write_import(profiles: Profiles, out: Path, provenance: dict[str, Any]) -> Iterator[str]:
    """Write the records, the leftovers and the provenance; yields lines that a person should see.

    A file that was edited by hand is kept, with a line that says so.
    """
    for name, records in (
        (CHARACTERS, profiles.characters),
        (RELATIONSHIPS, profiles.acquaintances),
        (TASKS, profiles.tasks),
        (SAFETY, safety_tasks(profiles)),
    ):
        if notice := handmade.generate(out / name, jsonl(records), "name a copy of it in the config"):
            yield notice
    write_jsonl(out / LEFTOVERS, profiles.leftovers)
    write_text(out / PROVENANCE, json.dumps(provenance, indent=1, ensure_ascii=False) + "\n")
    yield ", ".join(f"{number} {noun}" for noun, number in counted(profiles).items()) + f" → {out}"
    homeless, spelled = kept_aside(profiles.leftovers, KNOWN)
    for what, found in (("what our records have no place for", homeless), ("other spellings of the source", spelled)):
        if found:
            yield f"kept in {out / LEFTOVERS}: {what} ({', '.join(f'{key} {n}' for key, n in sorted(found.items()))})"


def provenance(source: dict[str, str], folder: Path, profiles: Profiles) -> dict[str, Any]:
    """Where the files come from, what they are, and how much was in them. `as_published`: byte for byte the authors'."""
    files = {}
    for name in (*NAMES, SETS):
        if (folder / name).exists():
            sha256 = file_digest(folder / name)
            files[name] = {"sha256": sha256} | (
                {"as_published": sha256 == PUBLISHED[name]} if name in PUBLISHED else {}
            )
    return {"source": source, "licence": LICENCE, "files": files, "counts": counted(profiles)}


def read_import(characters: Path, relationships: Path, tasks: Path) -> Profiles:
    """Profiles from files of ours. Leftovers are those beside the tasks, if there are any."""
    people = read_characters(characters)
    kept = tasks.parent / LEFTOVERS
    return Profiles(
        characters=list(people.values()),
        acquaintances=read_relationships(relationships, people),
        tasks=read_tasks(tasks),
        leftovers=read_jsonl(kept, Leftover) if kept.exists() else [],
    )


def export(profiles: Profiles, folder: Path) -> None:
    """Write profiles as SOTOPIA's files."""
    lines, sets = give(profiles)
    write_files(folder, lines, sets)
