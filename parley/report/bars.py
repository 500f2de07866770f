"""Bars: GOAL by player in the manner of the paper's Figure 4, a bar each for evaluations or for who rated."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from parley.report.across import Bar, lying
from parley.report.answer import Score
from parley.report.drawing import SIZE, Draw, canvas
from parley.report.marks import Mark
from parley.report.palette import Colours
from parley.report.words import fixed, signed, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Scores by player and kind of bar.
Scores = Mapping[str, Mapping[str, Score]]
#: The episodes behind a number of a player (and kind).
Behind = Callable[[str, str], str]
#: How the kinds of bars look, in their order: the first as it is, the second paler, the third an outline.
LOOKS = ("full", "pale", "hollow")


def bars_with(
    scores: Scores, kinds: list[str], hatched: set[str], gaps: Mapping[str, float] | None = None, note: str = ""
) -> Draw:
    """A group a player, a bar a kind; `hatched` are references, `gaps` stand under the players' names, `note` below all."""

    def draw(colours: Colours, use: Callable[["Figure"], None]) -> None:
        with canvas(max(380, 26 * len(scores) * max(2, len(kinds)) + 34), 240, colours) as (figure, axes):
            _bars(axes, scores, kinds, hatched, colours)
            _names(axes, list(scores), gaps or {}, colours)
            axes.set_xlabel(note)
            use(figure)

    return draw


def bars_lying(
    scores: Scores, kinds: list[str], hatched: set[str], gaps: Mapping[str, float] | None = None, note: str = ""
) -> Draw:
    """The same for a phone: the groups below each other."""
    bars = [
        Bar(player, place, 0.9 * _width(kinds), float(score.mean or 0), score.low, score.high,
            LOOKS[min(kinds.index(name), 2)], player in hatched)
        for player, name, place, score in _spots(scores, kinds)
    ]  # fmt: skip
    return lying(bars, named(list(scores), gaps or {}), note)


def _width(kinds: list[str]) -> float:
    """From the middle of a bar to that of the next one of its group."""
    return 0.8 / len(kinds)


def marks_of_bars(scores: Scores, kinds: list[str], behind: Behind, by: str = "on") -> Iterator[Mark]:
    """A mark a bar, from the axis to the end of its interval; `by` stands between player and kind."""
    width = _width(kinds)
    for player, name, x, score in _spots(scores, kinds):
        top = max(float(score.mean or 0), score.high or 0)
        words = f"{player} {by} {name}: {told(score.mean, score.low, score.high)}"
        yield Mark((x - width * 0.45, x + width * 0.45), (0, top), words, behind(player, name))


def _spots(scores: Scores, kinds: list[str]) -> Iterator[tuple[str, str, float, Score]]:
    """Player, kind, the middle and the score of every bar."""
    for place, (player, found) in enumerate(scores.items()):
        for turn, name in enumerate(kinds):
            if name in found:
                yield player, name, place + (turn - (len(kinds) - 1) / 2) * _width(kinds), found[name]


def named(players: list[str], gaps: Mapping[str, float]) -> dict[str, str]:
    """What stands at the bars of each player: its name, and the judge's gap to people where it is known."""
    return {name: f"{name}\ngap {signed(gaps[name])}" if name in gaps else name for name in players}


def _bars(axes: "Axes", scores: Scores, kinds: list[str], hatched: set[str], colours: Colours) -> None:
    width = _width(kinds)
    for player, name, x, score in _spots(scores, kinds):
        look = LOOKS[min(kinds.index(name), 2)]
        _bar(axes, x, float(score.mean or 0), width * 0.9, colours.players[player], look, player in hatched)
        _whisker(axes, x, score, colours, dense=len(kinds) > 2)


def _names(axes: "Axes", players: list[str], gaps: Mapping[str, float], colours: Colours) -> None:
    axes.set_xticks(range(len(players)), list(named(players, gaps).values()))
    for label, player in zip(axes.get_xticklabels(), players, strict=True):
        label.set_color(colours.players[player])
        label.set_fontweight("bold")
    axes.set_ylim(0, 10.4)
    axes.set_xlim(-0.55, len(players) - 0.45)
    axes.set_yticks(range(0, 11, 2))
    axes.grid(axis="y", color=colours.roles["rule"], linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("GOAL, 0 to 10")


def _bar(axes: "Axes", x: float, mean: float, width: float, colour: str, look: str, hatch: bool) -> None:
    alpha = 0.42 if look == "pale" else 1.0
    if hatch:
        axes.bar(x, mean, width, facecolor="none", edgecolor=colour, hatch="////", linewidth=1.1, alpha=alpha)
    elif look == "hollow":
        axes.bar(x, mean, width, facecolor="none", edgecolor=colour, linewidth=1.4)
    else:
        axes.bar(x, mean, width, color=colour, linewidth=0, alpha=alpha)


def _whisker(axes: "Axes", x: float, score: Score, colours: Colours, dense: bool) -> None:
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
        fontsize=SIZE - (1.5 if dense else 0.5),
    )
