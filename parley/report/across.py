"""Across: bars that lie, for a phone, where those that stand would be too narrow for their numbers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from parley.report.drawing import SIZE, Draw, canvas
from parley.report.marks import Mark
from parley.report.palette import Colours
from parley.report.words import fixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points: at 390 pixels of a phone a figure is shown half as large again, so the smallest letters have over 12 pixels.
WIDTH = 250.0
SMALL = SIZE - 1


@dataclass(frozen=True)
class Bar:
    """A bar of a player's GOAL: where its middle is, how thick it is, and how it looks (`hollow pale` is possible)."""

    player: str
    place: float
    thick: float
    value: float
    low: float | None
    high: float | None
    look: str
    hatched: bool = False


def lying(bars: list[Bar], names: Mapping[str, str], note: str = "") -> Draw:
    """The bars from left to right, the players (with the words for each) below each other."""

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(WIDTH, 40 + 15 * len(bars) + 8 * len(names), colours) as (figure, axes):
            for bar in bars:
                _bar(axes, bar, colours)
            axes.set_yticks(range(len(names)), list(names.values()))
            for label, player in zip(axes.get_yticklabels(), names, strict=True):
                label.set_color(colours.players[player])
                label.set_fontweight("bold")
            axes.set_ylim(max(1, len(names)) - 0.45, -0.55)
            axes.set_xlim(0, 11.6)  # the number of a full bar stands behind it
            axes.set_xticks(range(0, 11, 2))
            axes.grid(axis="x", color=colours.roles["rule"], linewidth=0.6)
            axes.spines["left"].set_visible(False)
            axes.set_xlabel("\n".join(["GOAL, 0 to 10", *wrap(note, 32)]))
            use(figure)

    return draw


def turned(marks: Iterable[Mark]) -> list[Mark]:
    """The marks of bars that stand, for the same bars lying."""
    return [Mark(mark.y, mark.x, mark.told, mark.href) for mark in marks]


def _bar(axes: "Axes", bar: Bar, colours: Colours) -> None:
    colour, alpha = colours.players[bar.player], 0.42 if "pale" in bar.look else 1.0
    if bar.hatched:
        axes.barh(bar.place, bar.value, bar.thick, facecolor="none", edgecolor=colour, hatch="////", linewidth=1.1)
    elif "hollow" in bar.look:
        axes.barh(bar.place, bar.value, bar.thick, facecolor="none", edgecolor=colour, linewidth=1.3, alpha=alpha)
    else:
        axes.barh(bar.place, bar.value, bar.thick, color=colour, linewidth=0, alpha=alpha)
    end = bar.value
    if bar.low is not None and bar.high is not None:
        end = max(end, bar.high)
        for tint, width in ((colours.roles["paper"], 3.0), (colours.roles["ink"], 1.1)):
            axes.plot([bar.low, bar.high], [bar.place, bar.place], color=tint, linewidth=width, solid_capstyle="butt")
    axes.annotate(fixed(bar.value, 1), (end, bar.place), xytext=(4, 0), textcoords="offset points", va="center",
                  fontsize=SMALL)  # fmt: skip
