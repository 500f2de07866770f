"""Argilla 2: settings and records for `rg.Settings.from_json` and `records.from_json`, and exported records.

Its ratings cannot be negative, so scores are labels. Of its exports only `to_list(flatten=True)` says which answers were
submitted, and which are drafts or were discarded; `to_list()` and `to_json` give all of them alike.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from parley.annotate.exchange.fields import finished_of, lines, profile, questions, rater_of, read_tool_json
from parley.errors import ParleyError
from parley.records.annotation import Annotation
from parley.records.item import Item
from parley.records.jsonl import write_text

SETTINGS, RECORDS = "argilla_settings.json", "argilla_records.json"
_ANSWERS = ".responses"
_FIELDS = {
    "scenario": "The situation",
    "first": "First participant",
    "second": "Second participant",
    "talk": "The talk",
}


def settings() -> dict[str, Any]:
    """The dataset's fields and questions."""
    asked: list[dict[str, Any]] = []
    for question in questions():
        options = [{"value": score, "text": score, "description": None} for score in question.scores]
        score = {"type": "label_selection", "options": options, "visible_options": len(options)}
        about = {"title": question.title, "description": question.asks, "required": True}
        asked.append({"name": question.name, **about, "settings": score})
        why = {"title": f"Why? {question.title}", "description": None, "required": False}
        asked.append({"name": f"{question.name}-why", **why, "settings": {"type": "text", "use_markdown": False}})
    fields = [
        {"name": name, "title": title, "required": True, "settings": {"type": "text", "use_markdown": False}}
        for name, title in _FIELDS.items()
    ]
    guidelines = "Rate both participants on seven dimensions; go by what was really reached."
    rest = {"vectors": [], "metadata": [], "allow_extra_metadata": False}
    return {"guidelines": guidelines, "fields": fields, "questions": asked, **rest}


def write(items: Sequence[Item], folder: Path) -> list[Path]:
    """Write the settings and the records."""
    records = [
        {
            "id": item.id,
            "fields": {
                "scenario": f"{item.scenario} Relationship: {item.relationship}.",
                "first": profile(item.people[0]),
                "second": profile(item.people[1]),
                "talk": "\n".join(f"{who}: {what}" for who, what in lines(item)) or "(nothing is said)",
            },
            **{"metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}},
        }
        for item in items
    ]
    write_text(folder / SETTINGS, json.dumps(settings(), ensure_ascii=False, indent=1) + "\n")
    write_text(folder / RECORDS, json.dumps(records, ensure_ascii=False, indent=1) + "\n")
    return [folder / SETTINGS, folder / RECORDS]


def read(path: Path) -> list[Annotation]:
    """The finished annotations of exported records, one for each user who has answered about a record."""
    found: list[tuple[object, str, dict[str, object]]] = []
    try:
        for record in read_tool_json(path):
            of_user: dict[str, dict[str, object]] = {}
            for name, user, value in _nested(record) if "responses" in record else _flat(record):
                of_user.setdefault(user, {})[name] = value
            found += [(record["id"], rater_of("argilla", user), sent) for user, sent in of_user.items()]
    except (KeyError, TypeError, AttributeError, ValueError):
        told = "write `dataset.records(with_responses=True).to_list(flatten=True)` as JSON"
        raise ParleyError(f"{path}: no records of Argilla; {told}") from None
    return finished_of(path, found)


def _nested(record: Any) -> Iterator[tuple[str, str, object]]:
    for name, answers in record["responses"].items():
        for answer in answers:
            yield name, str(answer["user_id"]), answer["value"]


def _flat(record: Any) -> Iterator[tuple[str, str, object]]:
    """The submitted answers of a flattened record. A question that nobody answered there may be null."""
    if not set(_FIELDS) <= set(record):
        raise KeyError("responses")
    for key in record:
        if key.endswith(_ANSWERS) and record[key] is not None:
            rows = zip(record[key], record[f"{key}.users"], record[f"{key}.status"], strict=True)
            yield from (
                (key.removesuffix(_ANSWERS), str(user), value) for value, user, status in rows if status == "submitted"
            )
