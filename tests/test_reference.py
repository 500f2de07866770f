"""The config's schema and its page in the docs say what the classes check, no more and no less."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from parley.config import check
from parley.errors import ParleyError
from parley.reference import SCHEMA, TABLE, main, schema, table
from tests.builders import ROOT, changed

Validator = jsonschema.Draft202012Validator
CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "configs").glob("*.yaml"))]
REMEDY = "is not what parley/config/ says: run `make reference`"


def faults(config: Any) -> list[str]:
    """What the JSON schema finds wrong with a config, down to the options of a choice."""

    def told(errors: Iterable[jsonschema.ValidationError]) -> Iterator[str]:
        for error in errors:
            yield error.message
            yield from told(error.context or ())

    return list(told(Validator(schema()).iter_errors(config)))


def rows() -> Iterator[tuple[str, list[str]]]:
    """Section and cells of every row of the page."""
    section = ""
    for line in table().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| `"):
            yield section, [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def row(section: str, key: str) -> list[str]:
    """The cells of a key's row behind its name: type, default, meaning."""
    (cells,) = [cells[1:] for name, cells in rows() if (name, cells[0]) == (section, f"`{key}`")]
    return cells


# -- the files that are shipped ----------------------------------------------------------------------------------------


def test_the_shipped_files_are_what_is_generated() -> None:
    assert json.loads((ROOT / SCHEMA).read_text(encoding="utf-8")) == schema(), f"{SCHEMA} {REMEDY}"
    assert (ROOT / TABLE).read_text(encoding="utf-8") == table(), f"{TABLE} {REMEDY}"


def test_writing_them_again_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main()
    for path in (SCHEMA, TABLE):
        assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes(), f"{path} {REMEDY}"
    assert sorted(path.name for path in (tmp_path / "docs").iterdir()) == [SCHEMA.name, TABLE.name]


# -- the schema --------------------------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Validator.check_schema(schema())
    assert schema()["$schema"] == Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_fits_the_schema(path: Path) -> None:
    assert faults(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("selection", ["bc", {"rule": "bc"}, {"rule": "sr", "share": 0.5}])
def test_what_the_classes_take_the_schema_takes(selection: Any) -> None:
    config = changed({"policies.bc.learns_from.selection": selection, "models.expert.price": "free"})
    check(config)
    assert faults(config) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paly": {}}, "'paly' was unexpected"),
        ({"play.max_turn": 3}, "'max_turn' was unexpected"),
        ({"models": None}, "'models' is a required property"),
        ({"policies.bc.learns_from.judge": None}, "'judge' is a required property"),
        ({"models.agent.engine": "ollama"}, "'ollama' is not one of"),
        ({"play.max_turns": 1}, "1 is less than the minimum of 2"),
        ({"play.max_turns": "twenty"}, "'twenty' is not of type 'integer'"),
        ({"models.judge.temperature": 2.5}, "2.5 is greater than the maximum of 2"),
        ({"task_sets.round1.shards": 513}, "513 is greater than the maximum of 512"),
        ({"policies.bc.learns_from.players": ["expert"]}, "['expert'] is too short"),
        ({"policies.bc.learns_from.selection": "best"}, "'best' is not one of ['bc', 'sr', 'top', 'threshold']"),
        ({"policies.bc.learns_from.selection": {"top": 1}}, "'rule' is a required property"),
    ],
)
def test_what_the_classes_refuse_the_schema_refuses(changes: dict[str, Any], message: str) -> None:
    config = changed(changes)
    assert any(message in fault for fault in faults(config)), faults(config)
    with pytest.raises(ParleyError):
        check(config)


# -- the page ----------------------------------------------------------------------------------------------------------


def test_every_key_of_every_section_has_one_row() -> None:
    whole = schema()
    sections = {"Experiment": whole, **whole["$defs"]}
    wanted = [(name, f"`{key}`") for name, node in sections.items() for key in node["properties"]]
    assert [(name, cells[0]) for name, cells in rows()] == wanted


def test_every_row_has_four_cells_and_a_type_that_says_something() -> None:
    for name, cells in rows():
        assert len(cells) == 4, (name, cells)
        assert cells[1] not in ("", "any", "mapping"), (name, cells)


def test_every_link_leads_to_a_section_of_the_page() -> None:
    anchors = {line[3:].lower() for line in table().splitlines() if line.startswith("## ")}
    links = set(re.findall(r"\]\(#([^)]*)\)", table()))
    assert links and links <= anchors


@pytest.mark.parametrize(
    ("section", "key", "cells"),
    [
        ("Experiment", "experiment", ["text", "required", "names the folder below results/"]),
        ("Experiment", "seed", ["whole number", "`1`", "at least 0"]),
        ("Experiment", "models", ["name → [Model](#model)", "required", ""]),
        ("Experiment", "references", ["list of text", "`[]`", "models that are measured beside the policies"]),
        ("Budget", "amount", ["number", "", "by all models together; above 0"]),
        ("LearnsFrom", "players", ["[text, text]", "required", ""]),
        ("Model", "top_p", ["number", "`1.0`", "above 0, at most 1"]),
        ("Model", "price", [r"[Price](#price) \| `free`", "", "else it is looked up; `free` costs nothing"]),
        (
            "LearnsFrom",
            "selection",
            [
                r"[Selection](#selection) \| `bc` \| `sr` \| `top` \| `threshold`",
                "required",
                "the rule alone, if the rest stays as it is",
            ],
        ),
        ("Play", "history", ["whole number", "", "newest turns that a prompt shows; all by default; at least 1"]),
        ("Training", "schedule", [r"`cosine` \| `linear` \| `constant`", '`"cosine"`', ""]),
        ("TaskSet", "casts_by_tag", ["name → whole number", "", "other numbers of pairs for tagged tasks"]),
    ],
)
def test_a_row_says_type_default_and_range_in_words(section: str, key: str, cells: list[str]) -> None:
    assert row(section, key) == cells


def test_no_line_of_the_page_is_broken_by_a_docstring() -> None:
    for line in table().splitlines():
        assert line == line.rstrip()
        assert line.startswith("|") == line.endswith("|")
