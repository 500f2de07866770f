"""A leftover: what a published line says and our record of it does not hold, kept so that an export can say it again."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from parley.errors import ParleyError
from parley.exchange.sotopia.line import OURS, Kind, Line, Readers
from parley.records.jsonl import Record

Noun = Literal["agent", "relationship", "environment", "combo"]


class Leftover(Record):
    """Of one published line: its id, and the values that differ from what an export of our record would write.

    `of` names our record: a character's id, `first+second kind` of a relationship, a task's name, `task first+second`
    of a cast.
    """

    noun: Noun
    of: str
    id: str
    values: dict[str, Any] = Field(default_factory=dict)


def left_over(noun: Noun, of: str, own_id: str, line: Line, published: Mapping[str, Any]) -> Leftover:
    """What of `line` an export of the record, `published`, would not write by itself."""
    values = {
        key: value
        for key, value in line.values.items()
        if key != OURS and (key not in published or published[key] != value)
    }
    return Leftover(noun=noun, of=of, id=own_id, values=values)


def restored(
    published: dict[str, Any], leftover: Leftover | None, kind: type[Kind], readers: Readers
) -> dict[str, Any]:
    """`published` with each value as the source spelled it, as far as it still means what our record says.

    So an edit of a record wins over what its source said.
    """
    line = published
    for key, value in (leftover.values if leftover else {}).items():
        spelled = {**line, key: value}
        try:
            if Line("", spelled).read(kind, readers) == Line("", line).read(kind, readers):
                line = spelled
        except ParleyError:
            continue
    return line


def kept_aside(leftovers: Iterable[Leftover], known: Mapping[Noun, Iterable[str]]) -> tuple[Counter[str], Counter[str]]:
    """How many lines said a thing that our records have no place for, and how many only spelled one otherwise.

    By `noun.key`; `known` are the keys of each noun that our records hold. Ids are always kept and not counted.
    """
    homeless: Counter[str] = Counter()
    spelled: Counter[str] = Counter()
    for leftover in leftovers:
        for key in leftover.values:
            (spelled if key in known[leftover.noun] else homeless)[f"{leftover.noun}.{key}"] += 1
    return homeless, spelled
