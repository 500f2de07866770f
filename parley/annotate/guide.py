"""The guide: what raters are told before they rate, the rated example, and the item that they qualify with."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from parley.annotate.work import Entries
from parley.errors import ParleyError
from parley.records.annotation import Marks
from parley.records.item import Item
from parley.records.jsonl import Record, fault
from parley.records.rating import DIMENSIONS, KEYS, Dimension

TEXTS = Path(__file__).parent / "texts"
#: Points by which a mark may differ from ours and still agree with it (paper, appendix C).
TOLERANCE = 2
#: How many of the fourteen marks of the qualification item must agree.
ENOUGH = 12

AnyText = TypeVar("AnyText", bound=Record)


class Case(Record):
    """A made-up case and the score that it deserves."""

    score: int
    text: str


class Explained(Record):
    """What raters are told of a dimension."""

    title: str
    asks: str
    low: str = Field(description="what the lowest mark means")
    high: str = Field(description="what the highest mark means")
    hints: tuple[str, ...]
    good: Case
    bad: Case


class Guide(Record):
    """All seven dimensions, explained."""

    dimensions: dict[str, Explained]

    @model_validator(mode="after")
    def _all(self) -> "Guide":
        if list(self.dimensions) != list(KEYS):
            raise ValueError(f"the dimensions must be {', '.join(KEYS)}, in this order")
        return self

    def listed(self) -> list[tuple[Dimension, Explained]]:
        """The dimensions in their order, each with its explanation."""
        return [(dimension, self.dimensions[dimension.key]) for dimension in DIMENSIONS]


class Rated(Record):
    """An item with the marks that we give it ourselves, in seat order."""

    item: Item
    marks: tuple[Marks, Marks]

    def off(self, entries: Entries) -> list[tuple[int, str]]:
        """The seats and dimensions in which a rater's score lies too far from ours."""
        ours = {(seat, key): self.marks[seat][key].score for seat in (0, 1) for key in KEYS}
        return [at for at, score in ours.items() if abs((entries[at][0] or 0) - score) > TOLERANCE]

    def passed(self, entries: Entries) -> bool:
        """Whether a rater has understood the guide."""
        return len(KEYS) * 2 - len(self.off(entries)) >= ENOUGH


def _read(path: Path, kind: type[AnyText], inside: str | None = None) -> AnyText:
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return kind.model_validate({inside: data} if inside else data)
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ParleyError(f"{path}{f':{mark.line + 1}' if mark else ''}: not YAML; mend the line") from None
    except ValidationError as error:
        raise ParleyError(f"{path}: {fault(error)}") from None


@cache
def guide() -> Guide:
    """What raters are told of the dimensions."""
    return _read(TEXTS / "guide.yaml", Guide, "dimensions")


def rated(path: Path) -> Rated:
    """A rated item from a YAML file with `item` and `marks`. Raises `ParleyError` if it is none."""
    return _read(path, Rated)
