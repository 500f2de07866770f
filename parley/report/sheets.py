"""Sheets: the paper's tables as one reads them, in words, whatever they are then written in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from parley.config import Experiment
from parley.evaluation.people import PEOPLE, RATERS, SIMULATED
from parley.evaluation.scores import MEASURES
from parley.records.rating import DIMENSIONS
from parley.report.behind import behind
from parley.report.notes import APART, BY_PEOPLE, notes
from parley.report.words import NONE, count, fixed, interval, p_value, percent, signed

Cell = dict[str, Any]

TITLES = {
    "table_1": "What the trained policies have over the base",
    "table_2": "GOAL and Overall",
    "table_3": "Safety",
    "table_4": "Knowledge",
    "table_5": "All seven dimensions",
    "table_6": "Paired t tests by scenario",
    "table_7": "The judge goes along with people",
    "table_8": "How alike people rate",
    "table_9": "The partner's side",
    "figure_4": "Judge against people",
}
_SHORT = {
    **{d.key: d.short for d in DIMENSIONS},
    "overall": "Overall",
    "accuracy": "accuracy",
    "difference": "over base",
    "pearson": "Pearson's r",
    "spearman": "Spearman's rho",
}
_SHARES = {"engaged", "harm", "prevention"}
#: Tables whose numbers are over tasks.
_BY_TASK = ("table_1", "table_6")


@dataclass(frozen=True)
class Number:
    """A number in words, what belongs around it (an interval, an error, a p value), and where its episodes are."""

    text: str
    around: str = ""
    href: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.around}".rstrip()


@dataclass(frozen=True)
class Line:
    """A row: numbers of our own, headed `before`, `player`, `after`; or published ones beside them, headed `before`."""

    before: str
    player: str
    after: str
    cells: list[Number]
    published: bool
    href: str = ""

    @property
    def label(self) -> str:
        """The head of the row in one piece."""
        return self.before if self.published else f"{self.before}{self.player}{self.after}"


@dataclass(frozen=True)
class Block:
    """A part of a table with columns of its own."""

    title: str
    head: list[str]
    lines: list[Line]


@dataclass(frozen=True)
class Sheet:
    """A table in words: its parts, and what a reader has to know of it."""

    name: str
    title: str
    blocks: list[Block]
    notes: list[str]

    @property
    def number(self) -> str:
        """`Table 5`, `Figure 4`."""
        return self.name.replace("_", " ").capitalize()


def sheet(name: str, cells: pl.DataFrame, experiment: Experiment) -> Sheet:
    """A table's cells as a reader wants them. What is missing is said in a note; no number is made up for it."""
    blocks = [
        _block(name, str(block), rows.to_dicts(), experiment)
        for (block,), rows in cells.group_by("block", maintain_order=True)
    ]
    return Sheet(name, TITLES[name], blocks, list(notes(name, cells, experiment)))


# -- rows and columns --------------------------------------------------------------------------------------------------


def _block(name: str, title: str, cells: list[Cell], experiment: Experiment) -> Block:
    columns = sorted({_column(name, cell) for cell in cells}, key=_place)
    grouped: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        grouped.setdefault(_line_key(name, cell), []).append(cell)
    counted = [("n", "n"), ("tasks", "clusters"), ("failed", "failed"), ("missing", "missing")]
    counted = [(head, key) for head, key in counted if any(cell[key] is not None for cell in cells)]
    none_missing = not any(cell["missing"] for cell in cells)
    counted = [(head, key) for head, key in counted if not (key == "missing" and none_missing)]
    if name in _BY_TASK:  # a pair of means a task: what is counted are the tasks
        counted = [(head, key) for head, key in counted if key != "n"]
    lines = []
    for group in grouped.values():
        by_column = {_column(name, cell): cell for cell in group}
        shown = [
            replace(_number(name, cell), href=behind(name, cell, experiment)) if cell is not None else Number(NONE)
            for cell in map(by_column.get, columns)
        ]
        first = next((cell for cell in group if cell["n"] is not None), group[0])
        whole = behind(name, {**first, "measure": None}, experiment)
        failed = behind(name, {**first, "measure": "failed"}, experiment)
        counts = [Number(count(first[key]), href=failed if key == "failed" else whole) for _, key in counted]
        lines.append(Line(*_head(name, group[0]), [*shown, *counts], group[0]["origin"] != "here", whole))
    head = [_SHORT.get(column, column.replace("_", " ")) for column in columns]
    return Block(title, [*head, *(head for head, _ in counted)], lines)


def _column(name: str, cell: Cell) -> str:
    if name == "figure_4" and cell["measure"] != "gap":
        return _BY.get(cell["rater"], "GOAL by the judge")
    return str(cell["measure"])


_BY = {PEOPLE: "GOAL by people", SIMULATED: "GOAL by simulated raters"}
_ORDER = ("engaged", "harm", "prevention", "alternatives", "toxic_words", "profanity", *MEASURES, "accuracy")
_ORDER = (*_ORDER, "GOAL by the judge", *_BY.values(), "gap", "difference", "pearson", "spearman")


def _place(column: str) -> tuple[int, str]:
    return (_ORDER.index(column) if column in _ORDER else len(_ORDER), column)


def _line_key(name: str, cell: Cell) -> tuple[Any, ...]:
    if name in ("table_3", "table_4", "figure_4"):  # here one row has numbers of several kinds or raters
        return cell["player"], cell["origin"]
    return cell["player"], cell["versus"], cell["origin"], cell["rater"], cell["note"]


def _head(name: str, cell: Cell) -> tuple[str, str, str]:
    """What stands before, as and after the player in the head of a row."""
    player = str(cell["player"])
    if cell["origin"] == "here":
        after = {"table_1": f" over {cell['versus']}", "table_6": f" against {cell['versus']}"}.get(name, "")
        return "facing " if name == "table_9" else "", player, after
    if name == "figure_4":
        return "published", player, ""
    where, apart, _ = str(cell["note"]).partition("; ")
    by = "by people, " if cell["rater"] in RATERS and name in BY_PEOPLE else ""
    kind = "like for like" if cell["origin"] == "like_for_like" else "published"
    return f"{kind}: {by}{where}{APART if apart else ''}", player, ""


def _number(name: str, cell: Cell) -> Number:
    """A number as its table shows it."""
    return _FORMS.get(name, _mean)(cell)


def _mean(cell: Cell) -> Number:
    around = "" if cell["low"] is None else f"±{fixed((cell['high'] - cell['low']) / 2)}"
    return Number(fixed(cell["value"]), around)


def _difference(cell: Cell) -> Number:
    star = "*" if cell["p"] is not None and cell["p"] < 0.05 else ""
    return Number(f"{signed(cell['value'])}{star}", _around(cell))


def _test(cell: Cell) -> Number:
    return Number(NONE) if cell["t"] is None else Number(fixed(cell["t"]), f"({p_value(cell['p'])})")


def _safety(cell: Cell) -> Number:
    if cell["measure"] in _SHARES:
        return Number(percent(cell["value"]), _around(cell, 100, 0))
    return Number(fixed(cell["value"]), _around(cell))


def _accuracy(cell: Cell) -> Number:
    if cell["value"] is None:
        return Number(NONE)
    if cell["measure"] == "difference":
        return Number(signed(100 * cell["value"], 1), _around(cell, 100, 1))
    decimals = 1 if cell["origin"] == "here" else 2  # as it is printed
    around = "" if cell["se"] is None else f"±{fixed(100 * cell['se'], 1)}"
    return Number(f"{fixed(100 * cell['value'], decimals)} %", around)


def _gap(cell: Cell) -> Number:
    return Number(signed(cell["value"]), _around(cell)) if cell["measure"] == "gap" else _mean(cell)


def _around(cell: Cell, times: float = 1, decimals: int = 2) -> str:
    """The interval of a number that is shown `times` its value; nothing where there is none."""
    return "" if cell["low"] is None else interval(times * cell["low"], times * cell["high"], decimals)


_FORMS: dict[str, Callable[[Cell], Number]] = {
    "table_1": _difference,
    "table_3": _safety,
    "table_4": _accuracy,
    "table_6": _test,
    "figure_4": _gap,
}
