"""The verdict: the answer as a headline and the three or four numbers under it, each with the episodes behind it."""

from dataclasses import dataclass, field

from parley.report import links
from parley.report.answer import Answer, Gain
from parley.report.findings import Findings
from parley.report.people import Voice
from parley.report.words import count, fixed, interval, p_value, signed, things


@dataclass(frozen=True)
class Cell:
    """A number with what it is, its interval, what it stands on and where its episodes are."""

    label: str
    value: str
    around: str
    note: str
    href: str
    simulated: bool = False


@dataclass(frozen=True)
class Verdict:
    """`title` is the answer in a sentence; `people` is the line on who has rated, or that nobody has."""

    title: str
    people: str
    cells: list[Cell] = field(default_factory=list)


NOBODY = (
    "No person has rated these conversations. In the study that this follows, a model judge rated trained policies further "
    "above people's ratings than the base (SOTOPIA-π, Figure 4): read the judge's numbers with that in mind."
)


def verdict(findings: Findings, found: Answer | None) -> Verdict:
    """The answer of the main evaluation, by people's calibrated numbers where there are such and else by the judge's."""
    if found is None or found.best is None:
        return Verdict(f"No trained policy of {findings.experiment.experiment} has scores yet", NOBODY)
    best, base = found.best.player, findings.baseline
    voice = found.human.gains.get(best, {}).get("calibrated") if found.human is not None else None
    cells = list(filter(None, [_people(found, voice), _judged(found), _gap(found, best, base), _level(found, best)]))
    return Verdict(_title(best, base, voice, found.gain), _who(found), cells)


def _title(best: str, base: str, voice: Voice | None, gain: Gain | None) -> str:
    told = voice if voice is not None else gain
    if told is None:
        return f"{best} reaches its goals best; how much better than {base} is not known"
    difference = told.mean if isinstance(told, Voice) else told.difference
    if difference is not None and told.clear and difference > 0:
        return f"{best} reaches its goals better than {base} does"
    if difference is not None and told.clear:
        return f"Training made it worse: {best}, the best of the trained, is below {base}"
    return f"{best} is ahead, but {base} may be as good"


def _people(found: Answer, voice: Voice | None) -> Cell | None:
    if voice is None:
        return None
    halved = f"; {count(voice.halving)} more would halve the interval" if voice.halving else ""
    return Cell(
        f"{voice.player} over {_base(found)}, as people would rate it",
        signed(voice.mean),
        interval(voice.low, voice.high),
        f"{things(voice.rated, 'seat')} rated by people correct {count(voice.judged)} rated by {found.judge}{halved}",
        links.episodes(evaluation=found.evaluation, policy=voice.player, people="yes"),
        voice.simulated,
    )


def _judged(found: Answer) -> Cell | None:
    gain = found.gain
    if gain is None:
        return None
    told = [f"{count(gain.n)} pairs of seats in {things(gain.clusters, 'task')}", p_value(gain.p)]
    told += [f"{p_value(gain.p_holm)} corrected for seven dimensions"] if gain.p_holm is not None else []
    told += [f"effect size {fixed(gain.effect)}"] if gain.effect is not None else []
    return Cell(
        f"{gain.player} over {gain.other}, by {found.judge} alone",
        signed(gain.difference),
        interval(gain.low, gain.high),
        ", ".join(told),
        links.episodes(evaluation=found.evaluation, policy=gain.player),
    )


def _gap(found: Answer, best: str, base: str) -> Cell | None:
    """How far the judge is above people, for the best and for the base: the paper's warning, measured."""
    if found.human is None or (gap := found.human.gap(best)) is None:
        return None
    other = found.human.gap(base)
    compared = f"{signed(other)} for {base}" if other is not None else f"not known for {base}"
    return Cell(
        f"{found.judge} above people, for {best}",
        signed(gap),
        f"{compared}",
        "points of GOAL; more for the trained than for the base means that the judge overrates what was trained",
        links.episodes(evaluation=found.evaluation, policy=best, people="yes", sort="gap-down"),
        found.human.simulated,
    )


def _level(found: Answer, best: str) -> Cell | None:
    score = found.best
    if score is None or score.mean is None:
        return None
    voice = found.human.means.get(best, {}).get("calibrated") if found.human is not None else None
    mean, low, high = (voice.mean, voice.low, voice.high) if voice is not None else (score.mean, score.low, score.high)
    who = "as people would rate it" if voice is not None else f"by {found.judge}"
    failed = f", {count(score.failed)} without a rating" if score.failed else ""
    return Cell(
        f"GOAL of {best}, {who}",
        fixed(mean),
        interval(low, high),
        f"of 10, on {found.evaluation}: {things(score.n, 'seat')}{failed}",
        links.episodes(evaluation=found.evaluation, policy=best),
        voice is not None and voice.simulated,
    )


def _who(found: Answer) -> str:
    if found.human is None:
        return NOBODY
    rated = max((voice.rated for told in found.human.means.values() for voice in told.values()), default=0)
    who = "Simulated raters" if found.human.simulated else "People"
    return (
        f"{who} have rated up to {things(rated, 'seat')} of a policy; where they have not, {found.judge}'s ratings stand in,"
        " corrected by how far it was from people where both have rated (prediction-powered inference)."
    )


def _base(found: Answer) -> str:
    return found.gain.other if found.gain is not None else "the base"
