"""Dots: means with their intervals, dimension by dimension, and differences to the base around zero."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.report.answer import Score
from parley.report.bars import Behind, Scores
from parley.report.drawing import SIZE, Draw, canvas
from parley.report.marks import Mark
from parley.report.palette import Colours
from parley.report.words import interval, signed, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: How far the evaluations of a player are apart, in rows.
STEP = 0.3
#: Rows of air between the players' differences.
AIR = 0.45


def dots_with(scores: Scores, evaluations: list[str]) -> Draw:
    """A row a player, a dot an evaluation."""

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(190, 26 + 21 * len(scores), colours) as (figure, axes):
            _dots(axes, scores, evaluations, colours)
            use(figure)

    return draw


def marks_of_dots(scores: Scores, evaluations: list[str], behind: Behind, by: str = "on") -> Iterator[Mark]:
    """A mark a dot, as wide as its interval; `by` stands between player and evaluation."""
    for player, name, y, score in _spots(scores, evaluations):
        mean = float(score.mean or 0)
        ends = (mean if score.low is None else score.low, mean if score.high is None else score.high)
        words = f"{player} {by} {name}: {told(score.mean, score.low, score.high)}"
        yield Mark(ends, (y - STEP / 2, y + STEP / 2), words, behind(player, name))


def _spots(scores: Scores, evaluations: list[str]) -> Iterator[tuple[str, str, float, Score]]:
    """Player, evaluation, height and score of every dot."""
    for place, (player, found) in enumerate(scores.items()):
        for turn, name in enumerate(evaluations):
            if name in found:
                yield player, name, place + (turn - (len(evaluations) - 1) / 2) * STEP, found[name]


def _dots(axes: "Axes", scores: Scores, evaluations: list[str], colours: Colours) -> None:
    """A row a player: the first evaluation as a full dot, the others hollow below it, each with its interval."""
    for player, name, y, score in _spots(scores, evaluations):
        colour = colours.players[player]
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [y, y], color=colour, linewidth=1.0, solid_capstyle="butt")
        inside = colour if name == evaluations[0] else colours.roles["paper"]
        axes.plot(float(score.mean or 0), y, "o", markersize=4.6, markerfacecolor=inside, markeredgecolor=colour)
    axes.set_yticks(range(len(scores)), list(scores))
    for label, player in zip(axes.get_yticklabels(), scores, strict=True):
        label.set_color(colours.players[player])
    axes.set_ylim(len(scores) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=4, steps=[1, 2, 5, 10])
    axes.grid(axis="x", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)


@dataclass(frozen=True)
class Line:
    """A difference to the base: by whom, and whether it is drawn full, pale or hollow."""

    player: str
    by: str
    difference: float
    low: float | None
    high: float | None
    look: str
    href: str = ""


def forest_with(groups: Mapping[str, list[Line]], base: str) -> Draw:
    """Differences with intervals, a group a player, zero as a line."""
    rows = sum(len(lines) for lines in groups.values())

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(420, 44 + 19 * rows + 9 * len(groups), colours) as (figure, axes):
            _forest(axes, groups, base, colours)
            use(figure)

    return draw


def marks_of_forest(groups: Mapping[str, list[Line]], base: str) -> Iterator[Mark]:
    """A mark a line, as wide as its interval."""
    for y, line in _rows(groups):
        ends = (line.difference if line.low is None else line.low, line.difference if line.high is None else line.high)
        around = "" if line.low is None else f" {interval(line.low, line.high)}"
        words = f"{line.player} over {base}, {line.by}: {signed(line.difference)}{around}"
        yield Mark(ends, (y - 0.45, y + 0.45), words, line.href)


def _rows(groups: Mapping[str, list[Line]]) -> Iterator[tuple[float, Line]]:
    """Every line with its height: some air between the groups."""
    y = 0.0
    for lines in groups.values():
        for line in lines:
            yield y, line
            y += 1
        y += AIR


def _forest(axes: "Axes", groups: Mapping[str, list[Line]], base: str, colours: Colours) -> None:
    rows = list(_rows(groups))
    axes.axvline(0, color=colours.roles["ink"], linewidth=0.9, zorder=1)
    for y, line in rows:
        colour = colours.players[line.player]
        pale = 0.5 if line.look == "pale" else 1.0
        if line.low is not None and line.high is not None:
            axes.plot([line.low, line.high], [y, y], color=colour, linewidth=1.5, alpha=pale, solid_capstyle="butt")
        inside = colours.roles["paper"] if line.look == "hollow" else colour
        axes.plot(line.difference, y, "o", markersize=5.5, markerfacecolor=inside, markeredgecolor=colour, alpha=pale)
        axes.annotate(
            signed(line.difference),
            (line.difference, y),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=SIZE - 1,
            zorder=1.5,  # over the line of zero and below the points of other rows
            bbox={"facecolor": colours.roles["paper"], "edgecolor": "none", "pad": 0.4},
        )
    axes.set_yticks([y for y, _ in rows], [f"{line.player}  {line.by}" for _, line in rows])
    for label, (_, line) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(colours.players[line.player])
    axes.set_ylim(rows[-1][0] + 1 + AIR - 0.7, -0.8)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=7)
    axes.grid(axis="x", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"GOAL over {base}, with 95 % intervals")
