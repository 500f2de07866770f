"""Label Studio: a labeling interface and tasks to import, and its JSON export (labelstud.io/guide/task_format)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from parley.annotate.exchange.fields import annotation_of, lines, profile, questions, rater_of, read_tool_json
from parley.errors import ParleyError
from parley.records.annotation import Annotation
from parley.records.item import Item
from parley.records.jsonl import write_text

INTERFACE, TASKS = "label_studio.xml", "label_studio.json"


def interface() -> str:
    """The labeling interface: the item, and for each score a number with a text area for the reason."""
    parts = [
        "<View>",
        '  <Header value="The situation"/>',
        '  <Text name="scenario" value="$scenario"/>',
        *(
            f'  <Header value="{title}" size="5"/>\n  <Text name="{who}" value="${who}"/>'
            for who, title in (("first", "First participant"), ("second", "Second participant"))
        ),
        '  <Header value="The talk"/>',
        '  <Paragraphs name="talk" value="$talk" layout="dialogue" nameKey="speaker" textKey="text"/>',
    ]
    for question in questions():
        number = f'min="{question.low}" max="{question.high}" step="1" required="true"'
        parts += [
            f'  <Header value={quoteattr(question.title)} size="5"/>',
            f'  <Header value={quoteattr(question.asks)} size="6"/>',
            f'  <Number name="{question.name}" toName="talk" {number}/>',
            f'  <TextArea name="{question.name}-why" toName="talk" rows="2" maxSubmissions="1" editable="true" '
            'placeholder="Why?"/>',
        ]
    return "\n".join([*parts, "</View>"]) + "\n"


def write(items: Sequence[Item], folder: Path) -> list[Path]:
    """Write the interface and the tasks."""
    tasks = [
        {
            "data": {
                "item": item.id,
                "scenario": f"{item.scenario} Relationship: {item.relationship}.",
                "first": profile(item.people[0]),
                "second": profile(item.people[1]),
                "talk": [{"speaker": who, "text": what} for who, what in lines(item)],
            }
        }
        for item in items
    ]
    write_text(folder / INTERFACE, interface())
    write_text(folder / TASKS, json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    return [folder / INTERFACE, folder / TASKS]


def read(path: Path) -> list[Annotation]:
    """The finished annotations of a JSON export; skipped and cancelled ones are left out."""
    tasks = read_tool_json(path)
    found = []
    try:
        for task in tasks:
            for given in task["annotations"]:
                if given.get("was_cancelled"):
                    continue
                user = given.get("completed_by")
                name = user.get("id", user.get("email")) if isinstance(user, dict) else user
                sent = {one["from_name"]: _value(one["value"]) for one in given["result"]}
                rater = rater_of("label_studio", name)
                found.append(annotation_of(path, task["data"]["item"], rater, sent, given.get("lead_time")))
    except (KeyError, TypeError, AttributeError):
        raise ParleyError(f"{path}: no JSON export of Label Studio; export as JSON, not JSON-MIN") from None
    return found


def _value(value: dict[str, Any]) -> object:
    text = value.get("text")
    return value.get("number") if text is None else " ".join(text) if isinstance(text, list) else text
