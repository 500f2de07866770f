"""The config's reference: its JSON schema and its table in the docs, generated from the same classes that check it.

`python -m parley.reference` writes `docs/config.schema.json` and `docs/configuration.md`; a test keeps them equal.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parley.config import Experiment
from parley.records.jsonl import write_text

SCHEMA = Path("docs/config.schema.json")
TABLE = Path("docs/configuration.md")

_INTRODUCTION = """\
# Configuration

An experiment is one YAML file: `config.yaml` is the embedded default, `--configfile configs/….yaml` takes another
*instead*. It is checked before any job starts; a fault is one line with the path in the file and the remedy. An editor
that knows JSON schemas completes it: put `# yaml-language-server: $schema=docs/config.schema.json` on the first line.

This page is generated from `parley/config/` by `make reference`.
"""


def schema() -> dict[str, Any]:
    """The JSON schema of a config file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Experiment.model_json_schema()}


def _type(node: dict[str, Any]) -> str:
    """A field's type as a reader says it."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in node or "const" in node:
        return " \\| ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    if "anyOf" in node:
        return " \\| ".join(_type(option) for option in node["anyOf"] if option.get("type") != "null")
    if node.get("type") == "array":
        if "prefixItems" in node:
            return f"[{', '.join(_type(item) for item in node['prefixItems'])}]"
        return f"list of {_type(node.get('items', {}))}"
    if node.get("type") == "object":
        values: Any = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), {})
        return f"name → {_type(values)}" if isinstance(values, dict) and values else "mapping"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes/no"}
    return names.get(node.get("type", ""), "any")


def _limits(node: dict[str, Any]) -> str:
    """The range of a number, in words."""
    for option in [node, *node.get("anyOf", [])]:
        words = [
            f"{word} {option[key]:g}"
            for key, word in (
                ("minimum", "at least"),
                ("exclusiveMinimum", "above"),
                ("maximum", "at most"),
                ("exclusiveMaximum", "below"),
            )
            if key in option
        ]
        if words:
            return ", ".join(words)
    return ""


def _rows(section: dict[str, Any]) -> Iterator[str]:
    required = set(section.get("required", []))
    for key, node in section.get("properties", {}).items():
        default = "required" if key in required else ""
        if not default:
            value = node.get("default")
            default = "" if value is None or isinstance(value, dict) else f"`{json.dumps(value, ensure_ascii=False)}`"
        notes = "; ".join(part for part in (node.get("description", ""), _limits(node)) if part)
        yield f"| `{key}` | {_type(node)} | {default} | {notes} |"


def _section(name: str, node: dict[str, Any]) -> str:
    about = " ".join(node.get("description", "").split())
    head = "| key | type | default | meaning |\n|---|---|---|---|"
    return "\n".join([f"## {name}", "", about, "", head, *_rows(node)])


def table() -> str:
    """The configuration page."""
    whole = schema()
    sections = [_section("Experiment", whole), *(_section(name, node) for name, node in whole["$defs"].items())]
    return _INTRODUCTION + "\n" + "\n\n".join(sections) + "\n"


def main() -> None:
    """Write both files."""
    write_text(SCHEMA, json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")
    write_text(TABLE, table())


if __name__ == "__main__":
    main()
