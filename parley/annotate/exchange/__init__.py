"""Other ways to raters: annotation tools that a lab runs already, and a form for who has no server."""

from collections.abc import Callable, Sequence
from pathlib import Path

from parley.annotate.exchange import argilla, label_studio, offline, potato
from parley.records.annotation import Annotation
from parley.records.item import Item

#: Writes items in a tool's format below a folder; the files that it wrote.
Give = Callable[[Sequence[Item], Path], list[Path]]
#: Reads the annotations that a tool has given out. Raises `ParleyError` for what is none.
Take = Callable[[Path], list[Annotation]]

GIVE: dict[str, Give] = {"label-studio": label_studio.write, "argilla": argilla.write, "potato": potato.write}
TAKE: dict[str, Take] = {
    "label-studio": label_studio.read,
    "argilla": argilla.read,
    "potato": potato.read,
    "form": offline.read,
}
