"""Dots: means with their intervals, dimension by dimension, and differences to the base around zero."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.report.bars import Draw, Scores
from parley.report.drawing import SIZE, canvas
from parley.report.palette import Colours
from parley.report.words import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def dots_with(scores: Scores, evaluations: list[str]) -> Draw:
    """A row a player, a dot an evaluation."""

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(190, 26 + 21 * len(scores), colours) as (figure, axes):
            _dots(axes, scores, evaluations, colours)
            use(figure)

    return draw


def _dots(axes: "Axes", scores: Scores, evaluations: list[str], colours: Colours) -> None:
    """A row a player: the first evaluation as a full dot, the others hollow below it, each with its interval."""
    step = 0.3
    for place, (player, found) in enumerate(scores.items()):
        colour = colours.players[player]
        for turn, name in enumerate(evaluations):
            if (score := found.get(name)) is None:
                continue
            y = place + (turn - (len(evaluations) - 1) / 2) * step
            if score.low is not None and score.high is not None:
                axes.plot([score.low, score.high], [y, y], color=colour, linewidth=1.0, solid_capstyle="butt")
            inside = colour if turn == 0 else colours.roles["paper"]
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


def forest_with(groups: Mapping[str, list[Line]], base: str) -> Draw:
    """Differences with intervals, a group a player, zero as a line."""
    rows = sum(len(lines) for lines in groups.values())

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(440, 44 + 19 * rows + 9 * len(groups), colours) as (figure, axes):
            _forest(axes, groups, base, colours)
            use(figure)

    return draw


def _forest(axes: "Axes", groups: Mapping[str, list[Line]], base: str, colours: Colours) -> None:
    y, ticks, names = 0.0, [], []
    axes.axvline(0, color=colours.roles["ink"], linewidth=0.9)
    for player, lines in groups.items():
        for line in lines:
            colour = colours.players[player]
            pale = 0.5 if line.look == "pale" else 1.0
            if line.low is not None and line.high is not None:
                axes.plot([line.low, line.high], [y, y], color=colour, linewidth=1.5, alpha=pale, solid_capstyle="butt")
            inside = colours.roles["paper"] if line.look == "hollow" else colour
            axes.plot(
                line.difference, y, "o", markersize=5.5, markerfacecolor=inside, markeredgecolor=colour, alpha=pale
            )
            axes.annotate(
                signed(line.difference),
                (line.difference, y),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=SIZE - 2,
            )
            ticks.append(y)
            names.append((player, f"{player}  {line.by}"))
            y += 1
        y += 0.45
    axes.set_yticks(ticks, [name for _, name in names])
    for label, (player, _) in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(colours.players[player])
    axes.set_ylim(y - 0.7, -0.8)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=7)
    axes.grid(axis="x", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"GOAL over {base}, with 95 % intervals")
