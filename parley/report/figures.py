"""Figures: what the page draws and papers take as files, with each figure told in words for those who cannot see it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from parley.report import links, risks
from parley.report.across import WIDTH, turned
from parley.report.answer import GOAL, Score, gain_of, score_of
from parley.report.bars import Scores, bars_lying, bars_with, marks_of_bars
from parley.report.curves import curves_with, marks_of_rounds, rounds_with
from parley.report.dots import Line, dots_with, forest_with, marks_of_dots, marks_of_forest
from parley.report.drawing import Draw, bytes_of, placeholders
from parley.report.findings import Findings
from parley.report.lines import lines_with, marks_of_lines
from parley.report.marks import Mark, shown
from parley.report.palette import printed
from parley.report.people import METHODS, Human, Voice, human
from parley.report.tables import COLUMNS
from parley.report.words import fixed, interval, signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What people's ratings tell: the method, its name beside a line, how the line looks.
_BY_PEOPLE = (("calibrated", "calibrated", "hollow"), ("people", "people alone", "pale"))


class Drawing(NamedTuple):
    """A figure before it is drawn: its title, the whole in words, and what leads to episodes on the page.

    `narrow` is the same for a phone, where the one for wide screens could not be read.
    """

    title: str
    told: str
    draw: Draw
    marks: Sequence[Mark] = ()
    narrow: Draw | None = None
    narrow_marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Drawn:
    """A figure for the page: its SVG, and the title that stands above it where it is one of several.

    `narrow` is its SVG for a phone; empty where the one serves both.
    """

    name: str
    title: str
    svg: str
    narrow: str = ""


def figures(findings: Findings) -> dict[str, Drawn]:
    """Every figure that there are data for, by name: `goal`, one for each dimension, `training`."""
    colours = placeholders(findings.experiment.measured())
    drawn = {}
    for name, drawing in _drawings(findings).items():
        svg = shown(name, drawing.told, drawing.draw, drawing.marks, colours)
        narrow = ""
        if drawing.narrow is not None:
            narrow = shown(f"{name}-narrow", drawing.told, drawing.narrow, drawing.narrow_marks, colours)
        drawn[name] = Drawn(name, drawing.title, svg, narrow)
    return drawn


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
        marks = list(marks_of_dots(scores, evaluations, partial(_seats, dimension=column, sort="score-up")))
        drawings[f"dimension-{key}"] = Drawing(short, label, dots_with(scores, evaluations), marks)
        if key == GOAL:
            bars, marks = bars_with(scores, evaluations, hatched), list(marks_of_bars(scores, evaluations, _seats))
            narrow = bars_lying(scores, evaluations, hatched)
            drawings["goal"] = Drawing("GOAL by policy", f"Bars of {label}", bars, marks, narrow, turned(marks))
    if losses := {name: log for name, log in findings.training.items() if log}:
        ends = [f"{name} from {fixed(log[0][1])} to {fixed(log[-1][1])}" for name, log in losses.items()]
        told = f"Training loss over steps: {'; '.join(ends)}"
        drawings["training"] = Drawing("Loss", told, curves_with(losses), (), curves_with(losses, WIDTH))
    drawings |= dict(_by_family(findings))
    if findings.main is not None:
        drawings |= dict(_of_main(findings, findings.main, hatched))
    return drawings


def _by_family(findings: Findings) -> Iterator[tuple[str, Drawing]]:
    """Harm and prevention in every family of risks that the safety study has."""
    kinds = list(risks.SHOWN)
    for number, (family, scores) in enumerate(risks.shares(findings).items(), start=1):
        title = family.replace("_", " ")
        marks = marks_of_dots(scores, kinds, partial(risks.behind, findings.experiment, family), by="in % of seats,")
        told = f"{title}, in %: {_told(scores)}"
        yield f"risks-{number}", Drawing(title, told, dots_with(scores, kinds), list(marks))


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
        forest, marks = forest_with(groups, findings.baseline), list(marks_of_forest(groups, findings.baseline))
        narrow, moved = lines_with(groups, findings.baseline), marks_of_lines(groups, marks)
        yield "differences", Drawing("Differences", label, forest, marks, narrow, moved)
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
    marks = list(marks_of_bars(scores, kinds, partial(_voiced, found.evaluation), by="by"))
    label = f"GOAL: {_told(scores, by='by')}"
    note = "the people are simulated" if found.simulated else ""
    wide, narrow = (way(scores, kinds, hatched, gaps, note) for way in (bars_with, bars_lying))
    return Drawing("GOAL by who rates", label, wide, marks, narrow, turned(marks))


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
    label = f"GOAL on {main} by round of learning: {'; '.join(told)}"
    wide, narrow = rounds_with(scores, rounds, parents), rounds_with(scores, rounds, parents, WIDTH)
    marks = list(marks_of_rounds(scores, rounds, main, _seats))
    return Drawing("GOAL over rounds", label, wide, marks, narrow, marks)


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
