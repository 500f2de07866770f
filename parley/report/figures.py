"""Figures: GOAL in the manner of the paper's Figure 4, every dimension by itself, and the losses of training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from parley.report.answer import GOAL, Score, score_of
from parley.report.drawing import SIZE, bytes_of, canvas, on_page, placeholders
from parley.report.findings import Findings
from parley.report.palette import Colours, printed
from parley.report.tables import COLUMNS
from parley.report.words import fixed, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Scores by player and evaluation.
Scores = Mapping[str, Mapping[str, Score]]
#: Draws itself in given colours and hands the figure to the function that wants it.
Draw = Callable[[Colours, Callable[["Figure"], None]], None]


@dataclass(frozen=True)
class Drawn:
    """A figure for the page: its SVG, and the title that stands above it where it is one of several."""

    name: str
    title: str
    svg: str


def figures(findings: Findings) -> dict[str, Drawn]:
    """Every figure that there are data for, by name: `goal`, one for each dimension, `training`."""
    colours = placeholders(findings.experiment.measured())
    drawn = {}
    for name, (title, label, draw) in _drawings(findings).items():
        files: list[bytes] = []
        draw(colours, partial(_collect, files))
        drawn[name] = Drawn(name, title, on_page(files[0].decode(), name, label, colours))
    return drawn


def _collect(files: list[bytes], figure: "Figure") -> None:
    files.append(bytes_of(figure, "svg"))


def save_figures(findings: Findings, folder: Path) -> list[Path]:
    """Write every figure as `{name}.svg` and `{name}.pdf` for papers and return the paths; the same data, same bytes."""
    colours = printed(findings.experiment.measured())
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []

    def keep(name: str, figure: "Figure") -> None:
        for kind in ("svg", "pdf"):
            paths.append(folder / f"{name}.{kind}")
            paths[-1].write_bytes(bytes_of(figure, kind))

    for name, (_, _, draw) in _drawings(findings).items():
        draw(colours, partial(keep, name))
    return paths


def _drawings(findings: Findings) -> dict[str, tuple[str, str, Draw]]:
    """(title, description in words, drawing) by name."""
    evaluations = _in_order(findings)
    hatched = set(findings.experiment.references)
    drawings: dict[str, tuple[str, str, Draw]] = {}
    for key, short, _ in COLUMNS:
        scores = _scores(findings, evaluations, key)
        if not scores:
            continue
        label = f"{short}: {_told(scores)}"
        drawings[f"dimension-{key}"] = (short, label, _dots_with(scores, evaluations))
        if key == GOAL:
            drawings["goal"] = ("GOAL", f"Bars of {label}", _bars_with(scores, evaluations, hatched))
    if losses := {name: log for name, log in findings.training.items() if log}:
        ends = [f"{name} from {fixed(log[0][1])} to {fixed(log[-1][1])}" for name, log in losses.items()]
        drawings["training"] = ("Loss", f"Training loss over steps: {'; '.join(ends)}", _curves_with(losses))
    return drawings


def _in_order(findings: Findings) -> list[str]:
    """The main evaluation, then the others."""
    others = [name for name in findings.experiment.evaluations if name != findings.main]
    return [*([findings.main] if findings.main else []), *others]


def _scores(findings: Findings, evaluations: list[str], key: str) -> Scores:
    """Scores that have a mean, players in the order of the experiment (references last)."""
    table: dict[str, dict[str, Score]] = {}
    for player in findings.experiment.measured():
        for name in evaluations:
            score = score_of(findings, name, player, key)
            if score is not None and score.mean is not None:
                table.setdefault(player, {})[name] = score
    return table


def _told(scores: Scores) -> str:
    return "; ".join(
        f"{player} {', '.join(f'{fixed(s.mean)} {_range(s)}on {name}' for name, s in found.items())}"
        for player, found in scores.items()
    )


def _range(score: Score) -> str:
    return "" if score.low is None else f"{interval(score.low, score.high)} "


# -- GOAL as bars ----------------------------------------------------------------------------------------------


def _bars_with(scores: Scores, evaluations: list[str], hatched: set[str]) -> Draw:
    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(max(380, 64 * len(scores)), 240, colours) as (figure, axes):
            _bars(axes, scores, evaluations, hatched, colours)
            use(figure)

    return draw


def _bars(axes: "Axes", scores: Scores, evaluations: list[str], hatched: set[str], colours: Colours) -> None:
    """A group a player: the first evaluation in full colour, the others paler; references are hatched."""
    width = 0.8 / len(evaluations)
    for place, (player, found) in enumerate(scores.items()):
        colour = colours.players[player]
        for turn, name in enumerate(evaluations):
            if name not in found:
                continue
            x, mean = place + (turn - (len(evaluations) - 1) / 2) * width, float(found[name].mean or 0)
            _bar(axes, x, mean, width * 0.9, colour, turn == 0, player in hatched)
            _whisker(axes, x, found[name], colours)
    axes.set_xticks(range(len(scores)), list(scores))
    for label, player in zip(axes.get_xticklabels(), scores, strict=True):
        label.set_color(colours.players[player])
        label.set_fontweight("bold")
    axes.set_ylim(0, 10.4)
    axes.set_xlim(-0.55, len(scores) - 0.45)
    axes.set_yticks(range(0, 11, 2))
    axes.grid(axis="y", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("GOAL, 0 to 10")


def _bar(axes: "Axes", x: float, mean: float, width: float, colour: str, strong: bool, hatch: bool) -> None:
    alpha = 1.0 if strong else 0.42
    if hatch:
        axes.bar(x, mean, width, facecolor="none", edgecolor=colour, hatch="////", linewidth=1.1, alpha=alpha)
    else:
        axes.bar(x, mean, width, color=colour, linewidth=0, alpha=alpha)


def _whisker(axes: "Axes", x: float, score: Score, colours: Colours) -> None:
    """The interval with the mean in figures above it; a pale edge keeps the line visible on its bar."""
    mean = float(score.mean or 0)
    top = mean if score.high is None else score.high
    if score.low is not None and score.high is not None:
        for colour, width in ((colours.roles["paper"], 3.0), (colours.roles["ink"], 1.1)):
            axes.plot([x, x], [score.low, score.high], color=colour, linewidth=width, solid_capstyle="butt")
            for end in (score.low, score.high):
                axes.plot([x - 0.06, x + 0.06], [end, end], color=colour, linewidth=width, solid_capstyle="butt")
    axes.annotate(
        fixed(mean, 1),
        (x, top),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=SIZE - 0.5,
    )


# -- each dimension as dots ------------------------------------------------------------------------------------


def _dots_with(scores: Scores, evaluations: list[str]) -> Draw:
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


# -- training --------------------------------------------------------------------------------------------------


def _curves_with(logs: Mapping[str, list[tuple[float, float]]]) -> Draw:
    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(400, 210, colours) as (figure, axes):
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
