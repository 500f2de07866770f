"""A line of SOTOPIA's files: one JSON object under the published key names, read into a record and written from one.

A record and a published line seldom hold exactly the same. Both ways what the other cannot hold is kept: what a record
has no place for goes into a `Leftover`, what a line has no place for goes under the line's key `parley`, which the
sotopia package does not look at.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, ValidationError

from parley.errors import ParleyError
from parley.records.jsonl import Record, fault, iterate_jsonl

#: The key of a line under which the fields of ours stand that the published keys would not bring back.
OURS = "parley"

Kind = TypeVar("Kind", bound=Record)
#: How each field of a record is read from the values of a line.
Readers = Mapping[str, Callable[[dict[str, Any]], Any]]


class _Raw(Record):
    """Any JSON object."""

    model_config = ConfigDict(frozen=True, extra="allow")


@dataclass(frozen=True)
class Line:
    """The values of one line by their published keys, and where it stands (`file:number`)."""

    place: str
    values: dict[str, Any] = field(default_factory=dict)

    def wrong(self, what: str) -> ParleyError:
        """An error about this line; `what` says what is wrong and the remedy."""
        return ParleyError(f"{self.place}: {what}")

    def key(self, name: str) -> str:
        """The line's own id under the key `name`. Raises `ParleyError` if there is none."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"has no `{name}` (or `pk`); add it or delete the line")
        return value.strip()

    def ours(self) -> dict[str, Any]:
        """The fields of ours that stand beside the published ones."""
        value = self.values.get(OURS, {})
        if not isinstance(value, dict):
            raise self.wrong(f"`{OURS}` holds fields by their names; mend or delete it")
        return value

    def read(self, kind: type[Kind], readers: Readers) -> Kind:
        """The record of the line. Raises `ParleyError` with the place for a value that cannot be read."""
        ours = self.ours()
        fields = {}
        try:
            for name, reader in readers.items():
                fields[name] = ours[name] if name in ours else reader(self.values)
            return kind.model_validate(fields)
        except ValidationError as error:
            raise self.wrong(f"cannot be read as a {kind.__name__.lower()} ({fault(error)}); mend the line") from None
        except ValueError as error:
            raise self.wrong(f"{error}; mend the line") from None


def read_lines(path: Path, aliases: Mapping[str, str]) -> list[Line]:
    """The lines of a file, their keys renamed by `aliases` (other spelling → published spelling).

    Raises `ParleyError` as `iterate_jsonl`, and for a line that gives both spellings of a key different values.
    """
    return [Line(f"{path}:{number}", _renamed(raw, aliases, f"{path}:{number}")) for number, raw in _raw(path)]


def _raw(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in iterate_jsonl(path, _Raw):
        yield number, dict(line.model_extra or {})


def _renamed(raw: dict[str, Any], aliases: Mapping[str, str], place: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, written in raw.items():
        name = aliases.get(key, key)
        # NaN, which pandas writes and JSON does not know.
        value = None if isinstance(written, float) and math.isnan(written) else written
        if name in values and values[name] != value:
            raise ParleyError(f"{place}: `{name}` is given twice, and differently; delete one of the two")
        values[name] = value
    return values


# -- values --------------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A text without the spaces around it; null and the `nan` of pandas are no text."""
    if value is None or value == "nan":
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value.strip()


def words(value: Any) -> tuple[str, ...]:
    """A list of texts without the spaces around each; null is an empty one."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list of texts")
    return tuple(text(one) for one in value)


def nothing(value: Any) -> bool:
    """True for what the files write where a constraint would stand but there is none."""
    return value is None or (isinstance(value, str) and value.strip().casefold() in ("", "nan", "none", "null"))


# -- what the other side cannot hold -------------------------------------------------------------------------------


def supplement(record: Record, published: dict[str, Any], kind: type[Kind], readers: Readers) -> dict[str, Any]:
    """The fields of `record` that a line of the `published` values would not bring back."""
    wanted = {name: value for name, value in record.model_dump(mode="json").items() if name in readers}
    try:
        back = Line("", published).read(kind, readers).model_dump(mode="json")
    except ParleyError:
        return wanted
    return {name: value for name, value in wanted.items() if back[name] != value}
