"""The offline form: one HTML file with a rater's items, which asks no network and saves its answers as a file."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from parley.annotate.exchange.fields import annotation_of, read_tool_json
from parley.annotate.site import HERE, templates
from parley.errors import ParleyError
from parley.records.annotation import Annotation
from parley.records.item import Item
from parley.records.jsonl import Record, fault, write_text


class _Given(Record):
    item: str
    seconds: float | None
    fields: dict[str, str]


class _Saved(Record):
    parley: str
    rater: str
    given: tuple[_Given, ...]


def write_form(items: Sequence[Item], rater: str, title: str, path: Path) -> None:
    """Write the form of a rater. Its only script is told to the browser by its hash: nothing else can run in it."""
    keeping, slider, style = (_static(name) for name in ("offline.js", "slider.js", "style.css"))
    script = keeping + slider
    proof = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = templates(title=title).get_template("offline.html.jinja")
    write_text(path, page.render(items=items, rater=rater, script=script, style=style, proof=proof) + "\n")


def _static(name: str) -> str:
    return (HERE / "static" / name).read_text(encoding="utf-8")


def read(path: Path) -> list[Annotation]:
    """The annotations of a file that a form has saved: those items that have all their marks."""
    try:
        saved = _Saved.model_validate(read_tool_json(path))
    except ValidationError as error:
        raise ParleyError(f"{path}: not saved by an offline form ({fault(error)}); save it again") from None
    return [annotation_of(path, one.item, saved.rater, one.fields, one.seconds) for one in saved.given]
