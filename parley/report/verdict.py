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


NOBODY = links.said(
    "No person has rated these conversations. In the study that this follows, a model judge rated trained policies further "
    "above people's ratings than the base ({}): read the judge's numbers with that in mind.",
    links.FIGURE_4,
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
    places = {"evaluation": found.evaluation, "policy": voice.player}
    note = links.said(
        "{} rated by {} correct {} rated by {}",
        links.number(things(voice.rated, "seat"), links.episodes(**places, people="yes")),
        "simulated people" if voice.simulated else "people",
        links.number(count(voice.judged), links.episodes(**places)),
        found.judge,
    )
    if voice.halving:
        more = links.number(f"{count(voice.halving)} more", links.episodes(**places, people="no"))
        note += links.said("; {} would halve the interval", more)
    return Cell(
        f"{voice.player} over {_base(found)}, as people would rate it",
        signed(voice.mean),
        interval(voice.low, voice.high),
        note,
        links.episodes(**places, people="yes"),
        voice.simulated,
    )


def _judged(found: Answer) -> Cell | None:
    gain = found.gain
    if gain is None:
        return None
    href = links.episodes(evaluation=found.evaluation, policy=gain.player)
    # A number stays with its sign at the end of a line.
    told = [p_value(gain.p).replace(" ", "\N{NO-BREAK SPACE}")]
    told += [f"{p_value(gain.p_holm)} corrected for seven dimensions"] if gain.p_holm is not None else []
    told += [f"effect size {fixed(gain.effect)}"] if gain.effect is not None else []
    pairs = links.number(f"{count(gain.n)} pairs of seats in {things(gain.clusters, 'task')}", href)
    return Cell(
        f"{gain.player} over {gain.other}, by {found.judge} alone",
        signed(gain.difference),
        interval(gain.low, gain.high),
        links.said('{}<span class="around">, {}</span>', pairs, ", ".join(told)),
        href,
    )


def _gap(found: Answer, best: str, base: str) -> Cell | None:
    """How far the judge is above people, for the best and for the base: the paper's warning, measured."""
    if found.human is None or (gap := found.human.gap(best)) is None:
        return None
    other = found.human.gap(base)
    sorting = {"evaluation": found.evaluation, "people": "yes", "sort": "gap-down"}
    compared = f"not known for {base}"
    if other is not None:
        compared = links.number(f"{signed(other)} for {base}", links.episodes(policy=base, **sorting))
    return Cell(
        f"{found.judge} above people, for {best}",
        signed(gap),
        compared,
        "points of GOAL; more for the trained than for the base means that the judge overrates what was trained",
        links.episodes(policy=best, **sorting),
        found.human.simulated,
    )


def _level(found: Answer, best: str) -> Cell | None:
    score = found.best
    if score is None or score.mean is None:
        return None
    voice = found.human.means.get(best, {}).get("calibrated") if found.human is not None else None
    mean, low, high = (voice.mean, voice.low, voice.high) if voice is not None else (score.mean, score.low, score.high)
    who = "as people would rate it" if voice is not None else f"by {found.judge}"
    places = {"evaluation": found.evaluation, "policy": best}
    note = links.said(
        '<span data-plain="scale">of 10</span>, on {}: {}',
        found.evaluation,
        links.number(things(score.n, "seat"), links.episodes(**places)),
    )
    if score.failed:
        failed = links.number(count(score.failed), links.episodes(**places, state="failed"))
        note += links.said(", {} without a rating", failed)
    return Cell(
        f"GOAL of {best}, {who}",
        fixed(mean),
        interval(low, high),
        note,
        links.episodes(**places),
        voice is not None and voice.simulated,
    )


def _who(found: Answer) -> str:
    if found.human is None:
        return NOBODY
    rated = max((voice.rated for told in found.human.means.values() for voice in told.values()), default=0)
    return links.said(
        "{} have rated up to {} of a policy; where they have not, {}'s ratings stand in, corrected by how far it was"
        " from people where both have rated (prediction-powered inference).",
        "Simulated raters" if found.human.simulated else "People",
        links.number(things(rated, "seat"), links.episodes(evaluation=found.evaluation, people="yes")),
        found.judge,
    )


def _base(found: Answer) -> str:
    return found.gain.other if found.gain is not None else "the base"
