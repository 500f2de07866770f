"""Figures: what the page draws and papers take as files, with each figure told in words for those who cannot see it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from parley.report import links, risks
from parley.report.answer import GOAL, Score, gain_of, score_of
from parley.report.bars import Draw, Scores, bars_with, marks_of_bars
from parley.report.curves import curves_with, marks_of_rounds, rounds_with
from parley.report.dots import Line, dots_with, forest_with, marks_of_dots, marks_of_forest
from parley.report.drawing import bytes_of, on_page, placeholders
from parley.report.findings import Findings
from parley.report.marks import Mark, over
from parley.report.palette import printed
from parley.report.people import METHODS, Human, Voice, human
from parley.report.tables import COLUMNS
from parley.report.words import fixed, interval, signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What people's ratings tell: the method, its name beside a line, how the line looks.
_BY_PEOPLE = (("calibrated", "calibrated", "hollow"), ("people", "people alone", "pale"))


class Drawing(NamedTuple):
    """A figure before it is drawn: its title, the whole in words, and what leads to episodes on the page."""

    title: str
    told: str
    draw: Draw
    marks: Iterable[Mark] = ()


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
    for name, drawing in _drawings(findings).items():
        files: list[tuple[str, str]] = []
        drawing.draw(colours, partial(_collect, files, drawing.marks))
        (svg, over_it), *_ = files
        drawn[name] = Drawn(name, drawing.title, on_page(svg, name, drawing.told, colours, over_it))
    return drawn


def _collect(files: list[tuple[str, str]], marks: Iterable[Mark], figure: "Figure") -> None:
    files.append((bytes_of(figure, "svg").decode(), over(figure.axes[0], marks)))


def save_figures(findings: Findings, folder: Path) -> list[Path]:
    """Write every figure as `{name}.svg` and `{name}.pdf` for papers and return the paths; the same data, same bytes."""
    colours = printed(findings.experiment.measured())
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.svg"), *folder.glob("*.pdf")):
        old.unlink()
    paths: list[Path] = []

    def keep(name: str, figure: "Figure") -> None:
        for kind in ("svg", "pdf"):
            paths.append(folder / f"{name}.{kind}")
            paths[-1].write_bytes(bytes_of(figure, kind))

    for name, drawing in _drawings(findings).items():
        drawing.draw(colours, partial(keep, name))
    return paths


def _drawings(findings: Findings) -> dict[str, Drawing]:
    """Every figure that there are data for, by name."""
    evaluations = _in_order(findings)
    hatched = set(findings.experiment.references)
    drawings: dict[str, Drawing] = {}
    for key, short, _ in COLUMNS:
        scores = _scores(findings, evaluations, key)
        if not scores:
            continue
        label = f"{short}: {_told(scores)}"
        column = "overall" if key == "overall" else short
        marks = marks_of_dots(scores, evaluations, partial(_seats, dimension=column, sort="score-up"))
        drawings[f"dimension-{key}"] = Drawing(short, label, dots_with(scores, evaluations), marks)
        if key == GOAL:
            bars, marks = bars_with(scores, evaluations, hatched), marks_of_bars(scores, evaluations, _seats)
            drawings["goal"] = Drawing("GOAL by policy", f"Bars of {label}", bars, marks)
    if losses := {name: log for name, log in findings.training.items() if log}:
        ends = [f"{name} from {fixed(log[0][1])} to {fixed(log[-1][1])}" for name, log in losses.items()]
        drawings["training"] = Drawing("Loss", f"Training loss over steps: {'; '.join(ends)}", curves_with(losses))
    drawings |= dict(_by_family(findings))
    if findings.main is not None:
        drawings |= dict(_of_main(findings, findings.main, hatched))
    return drawings


def _by_family(findings: Findings) -> Iterator[tuple[str, Drawing]]:
    """Harm and prevention in every family of risks that the safety study has."""
    shown = list(risks.SHOWN)
    for number, (family, scores) in enumerate(risks.shares(findings).items(), start=1):
        title = family.replace("_", " ")
        marks = marks_of_dots(scores, shown, partial(risks.behind, findings.experiment, family), by="in % of seats,")
        yield f"risks-{number}", Drawing(title, f"{title}, in %: {_told(scores)}", dots_with(scores, shown), marks)


def _of_main(findings: Findings, main: str, hatched: set[str]) -> Iterator[tuple[str, Drawing]]:
    """What is drawn of the main evaluation alone: who rates how, differences, and rounds."""
    found = human(findings, main)
    if found is not None:
        yield "people", _by_whom(findings, found, hatched)
    groups = {
        player: lines
        for player in findings.experiment.measured()
        if (lines := list(_lines(findings, main, player, found)))
    }
    if groups:
        told = [f"{line.player} by {line.by} {signed(line.difference)}" for lines in groups.values() for line in lines]
        label = f"GOAL over {findings.baseline}: {'; '.join(told)}"
        forest, marks = forest_with(groups, findings.baseline), marks_of_forest(groups, findings.baseline)
        yield "differences", Drawing("Differences", label, forest, marks)
    if (drawn := _rounds(findings, main)) is not None:
        yield "rounds", drawn


def _by_whom(findings: Findings, found: Human, hatched: set[str]) -> Drawing:
    """Bars by judge, people and both, with the gap under each player."""
    players = [name for name in findings.experiment.measured() if name in found.means]
    words = dict(zip(METHODS, ("judge", found.people, "calibrated"), strict=True))
    kinds = [words[name] for name in METHODS if any(name in found.means[player] for player in players)]
    scores = {
        player: {words[name]: _as_score(voice) for name, voice in found.means[player].items()} for player in players
    }
    gaps = {player: gap for player in players if (gap := found.gap(player)) is not None}
    marks = marks_of_bars(scores, kinds, partial(_voiced, found.evaluation), by="by")
    label = f"GOAL: {_told(scores, by='by')}"
    note = "the people are simulated" if found.simulated else ""
    return Drawing("GOAL by who rates", label, bars_with(scores, kinds, hatched, gaps, note), marks)


def _seats(player: str, evaluation: str, **filters: str) -> str:
    """The episodes of a player's score in an evaluation."""
    return links.episodes(evaluation=evaluation, policy=player, **filters)


def _voiced(evaluation: str, player: str, method: str) -> str:
    """The episodes of a player's GOAL by a method: those that people rated, unless it is the judge's alone."""
    return links.episodes(evaluation=evaluation, policy=player, people=None if method == "judge" else "yes")


def _as_score(voice: Voice) -> Score:
    return Score(voice.player, voice.mean, voice.low, voice.high, voice.rated, 0, 0, 0)


def _lines(findings: Findings, main: str, player: str, found: Human | None) -> Iterator[Line]:
    """A player's differences to the base: as people would rate it, by people, by the judge, and in other evaluations."""
    voices = found.gains.get(player, {}) if found is not None else {}
    for method, name, look in _BY_PEOPLE:
        by = f"simulated {name}" if found is not None and found.simulated and method == "people" else name
        if (voice := voices.get(method)) is not None:
            yield Line(player, by, voice.mean, voice.low, voice.high, look, _voiced(main, player, method))
    for name in _in_order(findings):
        gain = gain_of(findings.differences, player, name)
        if gain is not None and gain.difference is not None:
            look = "full" if name == main else "pale"
            judge = findings.experiment.evaluations[name].judge
            href = _seats(player, name, dimension="GOAL")
            yield Line(player, f"{judge}, {name}", gain.difference, gain.low, gain.high, look, href)


def _rounds(findings: Findings, main: str) -> Drawing | None:
    """None where no policy was trained from another."""
    experiment = findings.experiment
    parents = {name: entry.parent for name, entry in experiment.policies.items() if entry.parent is not None}
    found = {name: score_of(findings, main, name) for name in experiment.policies}
    scores = {name: score for name, score in found.items() if score is not None and score.mean is not None}
    if not any(child in scores and parent in scores for child, parent in parents.items()):
        return None
    rounds = {name: _round(name, parents) for name in scores}
    told = [f"{name}, round {rounds[name]}, {fixed(score.mean)}" for name, score in scores.items()]
    return Drawing(
        "GOAL over rounds",
        f"GOAL on {main} by round of learning: {'; '.join(told)}",
        rounds_with(scores, rounds, parents),
        marks_of_rounds(scores, rounds, main, _seats),
    )


def _round(name: str, parents: dict[str, str]) -> int:
    return 0 if name not in parents else 1 + _round(parents[name], parents)


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


def _told(scores: Scores, by: str = "on") -> str:
    return "; ".join(
        f"{player} {', '.join(f'{fixed(s.mean)} {_range(s)}{by} {name}' for name, s in found.items())}"
        for player, found in scores.items()
    )


def _range(score: Score) -> str:
    return "" if score.low is None else f"{interval(score.low, score.high)} "
