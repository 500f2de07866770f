"""Figure 4: GOAL as the judge and as people see it, player by player, with the published numbers beside where alike."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from parley.config import Experiment
from parley.evaluation.people import RATERS, SIMULATED
from parley.records.published import published
from parley.report import links
from parley.report.across import Bar, lying, turned
from parley.report.bars import named
from parley.report.drawing import SIZE, Draw, bytes_of, canvas, placeholders
from parley.report.marks import Mark, shown
from parley.report.palette import Colours, printed
from parley.report.words import fixed, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOAL = "goal"
#: The bars of a player from left to right: (measured here, by people).
BARS = ((True, False), (True, True), (False, False), (False, True))
Cell = dict[str, Any]


def save_gap(cells: pl.DataFrame, experiment: Experiment, path: Path) -> None:
    """Write the figure as `path` (SVG) and beside it as PDF; the same cells give the same bytes."""

    def save(figure: "Figure") -> None:
        for kind in ("svg", "pdf"):
            with published(path.with_suffix(f".{kind}")) as part:
                part.write_bytes(bytes_of(figure, kind))

    _draw(cells, printed(experiment.measured()), save)


def gap_on_page(cells: pl.DataFrame, experiment: Experiment) -> tuple[str, str] | None:
    """The figure as an element of the page, and the same for a phone; None where nothing was rated."""
    if _rows(cells).is_empty():
        return None
    colours, marks, words = placeholders(experiment.measured()), list(_marks(cells, experiment)), _told(cells)
    wide = shown("gap", words, partial(_draw, cells), marks, colours)
    return wide, shown("gap-narrow", words, _lying(cells), turned(marks), colours)


def _lying(cells: pl.DataFrame) -> Draw:
    rows = _rows(cells).to_dicts()
    bars = [
        Bar(player, place, thick, cell["value"], cell["low"], cell["high"], _LOOKS[_kind(cell)])
        for player, place, thick, cell in _spots(rows)
    ]
    return lying(bars, named(list(dict.fromkeys(cell["player"] for cell in rows)), _gaps(cells)), _note(cells))


#: How the kinds of bars look.
_LOOKS = dict(zip(BARS, ("full", "pale", "hollow", "hollow pale"), strict=True))


def _gaps(cells: pl.DataFrame) -> dict[str, float]:
    """The judge's gap to people by player, where it is known."""
    return {row["player"]: row["value"] for row in cells.filter(measure="gap", origin="here").to_dicts()}


def _note(cells: pl.DataFrame) -> str:
    return "the people who rate here are simulated" if SIMULATED in cells["rater"].to_list() else ""


def _marks(cells: pl.DataFrame, experiment: Experiment) -> Iterator[Mark]:
    """A mark a bar that was measured here: published ones have no episodes."""
    rows = _rows(cells).to_dicts()
    for player, x, width, cell in _spots(rows):
        here, people = _kind(cell)
        name = str(cell["evaluation"])
        if here and name in experiment.evaluations:
            words = f"{player} by {_people(cells) if people else 'the judge'}, {cell['block']}: "
            href = links.episodes(evaluation=name, policy=player, people="yes" if people else None)
            top = max(cell["value"], cell["high"] or 0)
            mark = told(cell["value"], cell["low"], cell["high"])
            yield Mark((x - width / 2, x + width / 2), (0, top), words + mark, href)


def _spots(rows: list[Cell]) -> Iterator[tuple[str, float, float, Cell]]:
    """Player, middle, width and cell of every bar."""
    players = list(dict.fromkeys(cell["player"] for cell in rows))
    kinds = [kind for kind in BARS if kind in {_kind(cell) for cell in rows}]
    for place, player in enumerate(players):
        mine = {_kind(cell): cell for cell in rows if cell["player"] == player}
        for turn, kind in enumerate(kinds):
            if kind in mine:
                x = place + (turn - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
                yield player, x, 0.72 / len(kinds), mine[kind]


def legend(cells: pl.DataFrame) -> list[tuple[str, str]]:
    """What the kinds of bars are that the figure has: (class of the key, words)."""
    words = {
        (True, False): ("", "the judge here"),
        (True, True): ("pale", f"{_people(cells)} here"),
        (False, False): ("hollow", "the judge as published"),
        (False, True): ("hollow pale", "people as published"),
    }
    there = {_kind(cell) for cell in _rows(cells).to_dicts()}
    return [words[kind] for kind in BARS if kind in there]


def _rows(cells: pl.DataFrame) -> pl.DataFrame:
    return cells.filter((pl.col("measure") == GOAL) & pl.col("value").is_not_null())


def _kind(cell: Cell) -> tuple[bool, bool]:
    return cell["origin"] == "here", cell["rater"] in RATERS


def _people(cells: pl.DataFrame) -> str:
    return "simulated raters" if SIMULATED in cells["rater"].to_list() else "people"


def _told(cells: pl.DataFrame) -> str:
    """The figure in words."""
    words = dict(zip(BARS, ("judge", _people(cells), "published judge", "published people"), strict=True))
    told = [f"{cell['player']}, {words[_kind(cell)]} {fixed(cell['value'])}" for cell in _rows(cells).to_dicts()]
    return f"GOAL: {'; '.join(told)}"


def _draw(cells: pl.DataFrame, colours: Colours, use: Callable[["Figure"], None]) -> None:
    rows = _rows(cells).to_dicts()
    players = list(dict.fromkeys(cell["player"] for cell in rows))
    kinds = [kind for kind in BARS if kind in {_kind(cell) for cell in rows}]
    with canvas(max(380, 34 + 26 * len(players) * max(2, len(kinds))), 240, colours) as (figure, axes):
        if not rows:
            axes.text(0.5, 0.5, "nothing was rated", ha="center", va="center", transform=axes.transAxes)
        for _, x, width, cell in _spots(rows):
            _bar(axes, x, width, cell, colours)
        _axes(axes, players, cells, colours)
        use(figure)


def _bar(axes: "Axes", x: float, width: float, cell: Cell, colours: Colours) -> None:
    """Full for the judge, pale for people; published bars are hollow and have no interval."""
    here, people = _kind(cell)
    colour, alpha = colours.players[cell["player"]], 0.42 if people else 1.0
    if here:
        axes.bar(x, cell["value"], width, color=colour, linewidth=0, alpha=alpha)
    else:
        axes.bar(x, cell["value"], width, facecolor="none", edgecolor=colour, linewidth=1.2, alpha=alpha)
    top = cell["value"]
    if cell["low"] is not None:
        top = max(top, cell["high"])
        for tint, line in ((colours.roles["paper"], 3.0), (colours.roles["ink"], 1.1)):
            axes.plot([x, x], [cell["low"], cell["high"]], color=tint, linewidth=line, solid_capstyle="butt")
    axes.annotate(fixed(cell["value"], 1), (x, top), xytext=(0, 3), textcoords="offset points", ha="center",
                  va="bottom", fontsize=SIZE - 1.5)  # fmt: skip


def _axes(axes: "Axes", players: list[str], cells: pl.DataFrame, colours: Colours) -> None:
    """Players below, each with the judge's gap to people where it is known."""
    axes.set_xticks(range(len(players)), list(named(players, _gaps(cells)).values()))
    for label, player in zip(axes.get_xticklabels(), players, strict=True):
        label.set_color(colours.players[player])
        label.set_fontweight("bold")
    axes.set_ylim(0, 10.4)
    axes.set_xlim(-0.55, max(1, len(players)) - 0.45)
    axes.set_yticks(range(0, 11, 2))
    axes.grid(axis="y", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("GOAL, 0 to 10")
    axes.set_xlabel(_note(cells))
