"""Faults of a config in one line: the YAML path, what is wrong, the remedy."""

import difflib
from typing import Any

from pydantic import ValidationError


def first_fault(error: ValidationError, schema: dict[str, Any]) -> str:
    """The first fault of a config, with its YAML path and the remedy. `schema` is the JSON schema of the config."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"] if part not in ("Price", "literal['free']", "[key]")]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        *parents, key = path
        near = difflib.get_close_matches(key, _keys_at(parents, schema), n=1)
        message = "unknown key; " + (f"did you mean `{near[0]}`?" if near else "delete it")
    elif first["type"] == "missing":
        message = "is missing; add it"
    return f"{'.'.join(path)}: {message}" if path else message


def _keys_at(path: list[str], schema: dict[str, Any]) -> list[str]:
    """The keys that the section at a YAML path knows."""
    node = schema
    definitions = node["$defs"]

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        for option in [node, *node.get("anyOf", []), *node.get("allOf", [])]:
            if "$ref" in option:
                return dict(definitions[option["$ref"].rsplit("/", 1)[1]])
        return node

    for part in path:
        node = resolve(node)
        properties = node.get("properties", {})
        patterns = list(node.get("patternProperties", {}).values())
        node = properties.get(part) or node.get("additionalProperties") or (patterns[0] if patterns else {})
        if not isinstance(node, dict):
            return []
    return list(resolve(node).get("properties", {}))
