"""Lines: differences to the base for a phone, each with its words above it, so that the interval has the whole width."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from parley.report.across import SMALL, WIDTH
from parley.report.dots import Line
from parley.report.drawing import Draw, canvas
from parley.report.marks import Mark
from parley.report.palette import Colours
from parley.report.words import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Rows above a group of lines: room for the player's name.
HEAD = 0.75


def lines_with(groups: Mapping[str, list[Line]], base: str) -> Draw:
    """Differences to the base, a group a player under its name; what a line is stands above it."""
    rows = sum(len(lines) for lines in groups.values())

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(WIDTH, 44 + 27 * (rows + HEAD * len(groups)), colours) as (figure, axes):
            axes.axvline(0, color=colours.roles["ink"], linewidth=0.9, zorder=1)
            for player, y in _heads(groups):
                _left(axes, player, y, colours.players[player], colours, weight="bold")
            for y, line in _rows(groups):
                _line(axes, y, line, colours)
            axes.set_yticks([])
            axes.set_ylim(rows + HEAD * len(groups) - 0.4, -0.5)
            axes.margins(x=0.1)
            axes.locator_params(axis="x", nbins=5)
            axes.grid(axis="x", color=colours.roles["rule"], linewidth=0.6)
            axes.spines["left"].set_visible(False)
            axes.set_xlabel(f"GOAL over {base}, with 95 % intervals")
            use(figure)

    return draw


def marks_of_lines(groups: Mapping[str, list[Line]], marks: Iterable[Mark]) -> list[Mark]:
    """The marks of the wide drawing, each moved to where its line is in the narrow one."""
    places = [y for y, _ in _rows(groups)]
    return [Mark(mark.x, (y - 0.6, y + 0.3), mark.told, mark.href) for y, mark in zip(places, marks, strict=True)]


def _heads(groups: Mapping[str, list[Line]]) -> Iterator[tuple[str, float]]:
    y = 0.0
    for player, lines in groups.items():
        yield player, y
        y += HEAD + len(lines)


def _rows(groups: Mapping[str, list[Line]]) -> Iterator[tuple[float, Line]]:
    """Every line with its height: below the name of its player."""
    for player, head in _heads(groups):
        for turn, line in enumerate(groups[player], start=1):
            yield head + turn, line


def _line(axes: "Axes", y: float, line: Line, colours: Colours) -> None:
    colour, pale = colours.players[line.player], 0.5 if line.look == "pale" else 1.0
    if line.low is not None and line.high is not None:
        axes.plot([line.low, line.high], [y, y], color=colour, linewidth=1.5, alpha=pale, solid_capstyle="butt")
    inside = colours.roles["paper"] if line.look == "hollow" else colour
    axes.plot(line.difference, y, "o", markersize=5.5, markerfacecolor=inside, markeredgecolor=colour, alpha=pale)
    _left(axes, f"{signed(line.difference)}  {line.by}", y - 0.4, colours.roles["ink"], colours)


def _left(axes: "Axes", text: str, y: float, colour: str, colours: Colours, weight: str = "normal") -> None:
    """Words from the left edge on, on paper: the lines of the grid stop at them."""
    paper = {"facecolor": colours.roles["paper"], "edgecolor": "none", "pad": 0.6}
    axes.text(0.0, y, text, transform=axes.get_yaxis_transform(), color=colour, fontsize=SMALL, fontweight=weight,
              va="center", bbox=paper, zorder=1.5)  # fmt: skip
