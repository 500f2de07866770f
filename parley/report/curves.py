"""Curves: the losses of training, and GOAL over the rounds of learning."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from parley.report.answer import Score
from parley.report.bars import Behind
from parley.report.drawing import SIZE, Draw, canvas
from parley.report.marks import Mark
from parley.report.palette import Colours
from parley.report.words import fixed, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Losses by step.
Log = list[tuple[float, float]]


def curves_with(logs: Mapping[str, Log], width: float = 400) -> Draw:
    """Loss by step, a line a policy, `width` points wide."""

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(width, 210, colours) as (figure, axes):
            for name, log in logs.items():
                steps, losses = zip(*_thinned(log), strict=True)
                axes.plot(steps, losses, color=colours.players[name], linewidth=1.6, solid_joinstyle="round")
            axes.set_xlabel("step")
            axes.set_ylabel("loss on the answers")
            axes.set_ylim(bottom=0)
            axes.margins(x=0.0)
            axes.locator_params(axis="x", integer=True)
            axes.grid(axis="y", color=colours.roles["rule"], linewidth=0.6)
            axes.spines["left"].set_visible(False)
            _label_ends(axes, logs, colours)
            use(figure)

    return draw


def _thinned(log: list[tuple[float, float]], most: int = 300) -> list[tuple[float, float]]:
    """At most so many steps of a log, evenly apart, the last one always among them."""
    stride = -(-len(log) // most)
    return [*log[:-1:stride], log[-1]]


def _label_ends(axes: "Axes", logs: Mapping[str, list[tuple[float, float]]], colours: Colours) -> None:
    """Each curve's name beside the right edge at the height of its end, moved up where two would touch."""
    line = 0.075 * axes.get_ylim()[1]
    right, floor = axes.get_xlim()[1], float("-inf")
    for name, log in sorted(logs.items(), key=lambda item: item[1][-1][1]):
        height = max(log[-1][1], floor + line)
        floor = height
        axes.annotate(
            name,
            (right, height),
            xytext=(5, 0),
            textcoords="offset points",
            color=colours.players[name],
            va="center",
            fontweight="bold",
            annotation_clip=False,
        )


def rounds_with(
    scores: Mapping[str, Score], rounds: Mapping[str, int], parents: Mapping[str, str], width: float = 400
) -> Draw:
    """GOAL by round: how often a policy and those that it comes from were trained. A line leads from parent to child."""

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(width, 210, colours) as (figure, axes):
            _rounds(axes, scores, rounds, parents, colours)
            use(figure)

    return draw


def marks_of_rounds(
    scores: Mapping[str, Score], rounds: Mapping[str, int], evaluation: str, behind: Behind
) -> Iterator[Mark]:
    """A mark a policy, as high as its interval."""
    for name, score in scores.items():
        x, mean = rounds[name] + _aside(name, rounds), float(score.mean or 0)
        ends = (mean if score.low is None else score.low, mean if score.high is None else score.high)
        words = f"{name} on {evaluation}, round {rounds[name]}: {told(score.mean, score.low, score.high)}"
        yield Mark((x - 0.04, x + 0.04), ends, words, behind(name, evaluation))


def _rounds(
    axes: "Axes",
    scores: Mapping[str, Score],
    rounds: Mapping[str, int],
    parents: Mapping[str, str],
    colours: Colours,
) -> None:
    at = {name: (rounds[name] + _aside(name, rounds), float(score.mean or 0)) for name, score in scores.items()}
    for child, parent in parents.items():
        if child in at and parent in at:
            ends = zip(at[parent], at[child], strict=True)
            axes.plot(*ends, color=colours.players[child], linewidth=1.3, alpha=0.6)
    for name, (x, y) in at.items():
        score, colour = scores[name], colours.players[name]
        if score.low is not None and score.high is not None:
            axes.plot([x, x], [score.low, score.high], color=colour, linewidth=1.3, solid_capstyle="butt")
        axes.plot(x, y, "o", markersize=6, color=colour)
        # Off the line to a child, which rises or falls from here.
        rise = sum(at[child][1] - y for child, parent in parents.items() if parent == name and child in at)
        axes.annotate(f"{name} {fixed(y, 1)}", (x, y), xytext=(7, -9 if rise > 0 else 9 if rise < 0 else 0),
                      textcoords="offset points", va="center",
                      color=colour, fontweight="bold", fontsize=SIZE)  # fmt: skip
    last = max(rounds.values())
    axes.set_xticks(range(last + 1), ["before training", *(f"round {number}" for number in range(1, last + 1))])
    axes.set_xlim(-0.3, last + 0.6)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.1)
    axes.set_ylabel("GOAL, 0 to 10")
    axes.grid(axis="y", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)


def _aside(name: str, rounds: Mapping[str, int]) -> float:
    """Policies of the same round stand a little beside each other."""
    alike = [other for other, number in rounds.items() if number == rounds[name]]
    return 0.07 * (alike.index(name) - (len(alike) - 1) / 2)
