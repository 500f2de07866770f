"""Cards: the README.md that tells a person, and the Hugging Face hub, what a dataset or an adapter is."""

from collections.abc import Mapping
from typing import Any

import yaml


def card(header: Mapping[str, Any], title: str, paragraphs: list[str], facts: Mapping[str, Any]) -> str:
    """A card: the YAML header that Hugging Face tools read, a title, paragraphs, then the facts as a table."""
    front = yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True)
    rows = "\n".join(f"| {_cell(name)} | {_cell(value)} |" for name, value in facts.items())
    return "\n\n".join([f"---\n{front}---", f"# {title}", *paragraphs, f"| | |\n|---|---|\n{rows}"]) + "\n"


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
