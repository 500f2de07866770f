"""Potato: a configuration and data to serve, and what it gives out, as Parquet or as JSON lines.

The Parquet export (`python -m potato.export -f parquet`) has a row an instance and user and a column a scheme; the JSON
lines hold each scheme's answers in `labels`, and those of older versions in `label_annotations`. Potato keeps every click,
so its exports hold items that a rater has begun and not finished; they are left out, and told.
"""

import html
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from parley.annotate.exchange.fields import finished_of, lines, profile, questions, rater_of
from parley.errors import ParleyError
from parley.records.annotation import Annotation
from parley.records.frames import read_parquet
from parley.records.item import Item
from parley.records.jsonl import write_text

CONFIG, DATA = "potato.yaml", "potato_items.jsonl"


def configuration() -> dict[str, Any]:
    """The task: where its items are, and a scheme for each score and each reason."""
    schemes: list[dict[str, Any]] = []
    for question in questions():
        about = f"{question.title}. {question.asks}"
        required = {"label_requirement": {"required": True}}
        # Without a text of its own a label is shown as words, and -5 as 5.
        stops = [{"name": score, "displayed_label": score.replace("-", "\u2212")} for score in question.scores]
        labels = {"labels": stops, "horizontal": True}
        schemes.append({"annotation_type": "radio", "name": question.name, "description": about, **labels, **required})
        why = {"description": f"Why? {question.title}", "multiline": True, "rows": 2}
        schemes.append({"annotation_type": "text", "name": f"{question.name}-why", **why})
    return {
        "annotation_task_name": "Rating conversations",
        "task_dir": ".",
        "data_files": [DATA],
        "item_properties": {"id_key": "id", "text_key": "text"},
        "output_annotation_dir": "annotation_output/",
        "export_annotation_format": ["jsonl", "parquet"],
        "user_config": {"allow_all_users": True, "users": []},
        "site_dir": "default",
        "annotation_schemes": schemes,
    }


def write(items: Sequence[Item], folder: Path) -> list[Path]:
    """Write the configuration and the items, whose text is HTML there."""
    rows = [{"id": item.id, "text": _page(item)} for item in items]
    write_text(folder / CONFIG, yaml.safe_dump(configuration(), sort_keys=False, allow_unicode=True))
    write_text(folder / DATA, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return [folder / CONFIG, folder / DATA]


def _page(item: Item) -> str:
    blocks = [f"{item.scenario} Relationship: {item.relationship}.", *map(profile, item.people)]
    blocks.append("\n".join(f"{who}: {what}" for who, what in lines(item)))
    return "<br><br>".join(html.escape(block).replace("\n", "<br>") for block in blocks)


def read(path: Path) -> list[Annotation]:
    """The finished annotations of an export."""
    rows = _parquet(path) if path.suffix == ".parquet" else _json_lines(path)
    return finished_of(path, ((item, rater_of("potato", user), sent) for item, user, sent in rows))


def _parquet(path: Path) -> Iterator[tuple[object, object, dict[str, object]]]:
    table = read_parquet(path)
    if not {"instance_id", "user_id"} <= set(table.columns):
        raise ParleyError(f"{path}: no annotations of Potato; export them with `python -m potato.export -f parquet`")
    for row in table.iter_rows(named=True):
        yield row.pop("instance_id"), row.pop("user_id"), row


def _json_lines(path: Path) -> Iterator[tuple[object, object, dict[str, object]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ParleyError(f"{path}: cannot be read; give Potato's annotations.jsonl") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
                item = row["instance_id"] if "instance_id" in row else row["id"]
                # Older versions keep each user's file in a folder of the user's name.
                user = row.get("user_id", path.parent.name)
                answers = row["labels"] if "labels" in row else row["label_annotations"]
                yield item, user, {name: _answer(given) for name, given in answers.items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ParleyError(f"{path}:{number}: no annotation of Potato; mend or delete the line") from None


def _answer(given: Any) -> object:
    """The label that was chosen, or the text that was written."""
    for label, value in given.items():
        if label.lstrip("-").isdigit() and value not in (False, None, "false", ""):
            return label
        if not label.lstrip("-").isdigit():
            return value
    return None
