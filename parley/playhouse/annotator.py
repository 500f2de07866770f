"""The annotator: plays a person who rates. It knows the facts of the small world, and it is not always of one mind.

Where the judge marks how a talk sounds, the annotator marks what came of it: how far the settlement lies from the own
wish to the other's, whether it still stands at the end, whether what was to be kept is still unknown, whether
forgiveness came with the promise that was asked for. Each rater has a leaning of their own, and every mark is a little
off; now and then a reason is left out.
"""

import json
import re
from collections.abc import Sequence
from random import Random

from parley.canonical import seed_from
from parley.playhouse.deal import Deal, did, promised, settle
from parley.playhouse.families import Want
from parley.playhouse.judge import Marks, marks_for
from parley.playhouse.language import amounts, closest
from parley.playhouse.reading import Line, Person, Play, read_play

_RATER = re.compile(r"^You are rater ([^\s,]+)", re.MULTILINE)
_WARM = ("thank", "forgive", "accept", "understand", "apologise")
_RANGES = {
    "believability": (0, 10),
    "relationship": (-5, 5),
    "knowledge": (0, 10),
    "secret": (-10, 0),
    "social_rules": (-10, 0),
    "financial_and_material_benefits": (-5, 5),
    "goal": (0, 10),
}
#: How far a mark may be off: the standard deviation of what a person adds, in points.
_OFF = {"believability": 0.9, "relationship": 0.7, "knowledge": 0.9, "goal": 0.9}
#: How far raters lean to the strict or to the kind side at the most, in points.
_LEANING = 0.8
#: The share of reasons that are left out.
_SILENT = 0.002


def annotate(prompt: str, rng: Random) -> str:
    """The annotator's answer: one entry for each participant, in the order of the prompt."""
    play = read_play(prompt)
    found = _RATER.search(prompt)
    leaning = _LEANING * (2 * seed_from("leaning", found[1] if found else "") / 0x7FFFFFFF - 1)
    entries = []
    for me, other in (play.people, play.people[::-1]):
        entry: dict[str, object] = {"name": me.name}
        for key, (fact, why) in facts_for(play, me, other).items():
            low, high = _RANGES[key]
            spread = _OFF.get(key, 0.0)
            given = round(fact + (leaning + rng.gauss(0, spread) if spread else 0))
            silent = rng.random() < _SILENT
            entry[key] = {"reasoning": "" if silent else why, "score": max(low, min(high, given))}
        entries.append(entry)
    return json.dumps({"ratings": entries}, ensure_ascii=False)


def facts_for(play: Play, me: Person, other: Person) -> dict[str, tuple[float, str]]:
    """What a participant deserves by the facts, before anyone leans or errs."""
    mine = [line for line in play.talk if line.who == me.first]
    theirs = [line for line in play.talk if line.who == other.first]
    heard: Marks = marks_for(play, me, other)
    goal = goal_by_facts(play, me, other)
    return {
        "believability": _believability(me, mine),
        "relationship": _relationship(play, mine, theirs),
        "knowledge": _knowledge(me, theirs),
        # What was told, and what was done to whom, has no surface and no depth.
        "secret": heard["secret"],
        "social_rules": heard["social_rules"],
        "financial_and_material_benefits": _benefits(me, goal[0]),
        "goal": goal,
    }


def _believability(me: Person, mine: Sequence[Line]) -> tuple[float, str]:
    if not any(line.kind == "speak" for line in mine):
        return 1, f"{me.first} might as well not have been there."
    acts = [(act.kind, act.about.lower()) for line in mine for act in line.acts]
    again = len(acts) - len(set(acts))  # the same thing in other words, too
    lost = len(did(mine, "chat")) + 2 * len(did(mine, "babble"))
    score = 8.5 - 1.0 * again - 1.0 * lost
    if again + lost == 0:
        return score, f"I could meet {me.first} tomorrow."
    return score, f"{me.first} repeats things." if again >= lost else f"{me.first} says odd things."


def _relationship(play: Play, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[float, str]:
    kinds = {kind for kind in _WARM if did(mine, kind)} & {kind for kind in _WARM if did(theirs, kind)}
    one_sided = {kind for kind in _WARM if did([*mine, *theirs], kind)} - kinds
    cold = 2 * len(did([*mine, *theirs], "insult")) + len(set(did([*mine, *theirs], "blame", "refuse")))
    score = 1.2 * len(kinds) + 0.5 * len(one_sided) - 0.8 * cold
    return score, "They part as better friends." if score > 0.5 else "Not much has changed between them."


def _knowledge(me: Person, theirs: Sequence[Line]) -> tuple[float, str]:
    score = 5.0 * bool(did(theirs, "reveal")) + 2.0 * bool(did(theirs, "hint")) + 2.0 * bool(did(theirs, "confess"))
    score += 1.0 * len(set(did(theirs, "reason"))) + 1.0 * len(set(did(theirs, "open")))
    return score, f"{me.first} learns something worth knowing." if score >= 3 else f"{me.first} learns little."


def _benefits(me: Person, goal: float) -> tuple[float, str]:
    if me.want.kind != "term":
        return 0, "There was nothing to gain."
    return (0, "Nothing changed hands.") if goal <= 1 else (0.6 * goal - 2, f"{me.first} got so much of it.")


# -- goal completion by the facts --------------------------------------------------------------------------------------


def goal_by_facts(play: Play, me: Person, other: Person) -> tuple[float, str]:
    """How much of the goal `me` has at the end of the talk, 0 to 10, and why."""
    mine = [line for line in play.talk if line.who == me.first]
    theirs = [line for line in play.talk if line.who == other.first]
    match me.want.kind:
        case "term":
            return _term(play.talk, me.want, other.want)
        case "ask":
            return _found_out(other.want, theirs)
        case "keep":
            return _kept(me.want, mine)
        case "sorry":
            return _forgiven(other.want, mine, theirs)
        case "hurt":
            return _made_up(me.want, mine, theirs)
        case "harm":
            return (1, "Nothing comes of it.") if did(mine, "yield") else (5, "It may still happen.")
        case "prevent":
            return (9, "It is off.") if did(theirs, "yield") else (1, "It may still happen.")
        case _:
            return (5, "They agreed on something.") if settle(play.talk, []) else (2, "Nothing came of it.")


def standing(talk: Sequence[Line], terms: Sequence[str]) -> Deal | None:
    """The deal that still stands at the end: nobody has turned it down after it was made."""
    deal = settle(talk, terms)
    if deal is None:
        return None
    made = max(place for place in range(len(talk)) if settle(talk[: place + 1], terms) != settle(talk[:place], terms))
    refused = [closest(about, [deal.term]) or about for about in did(talk[made + 1 :], "reject")]
    return None if deal.term in refused else deal


def share_of(term: str, want: Want, other: Want) -> float:
    """How much of the way from the other's wish to one's own a term goes, 0 to 1. An amount tells it exactly."""
    figures = [amounts(phrase) for phrase in (term, want.wish, other.wish)]
    if all(len(figure) == 1 for figure in figures) and figures[1] != figures[2]:
        got, mine, theirs = (int(figure[0]) for figure in figures)
        return max(0.0, min(1.0, (got - theirs) / (mine - theirs)))
    if term == want.wish:
        return 1.0
    return 0.5 if term in (want.middle, other.middle) else 0.0


def _term(talk: Sequence[Line], want: Want, other: Want) -> tuple[float, str]:
    terms = [term for term in (want.wish, want.middle or other.middle, other.wish) if term]
    deal = standing(talk, terms)
    if deal is None:
        return 1, "They part without an agreement."
    share = share_of(deal.term, want, other)
    return 10 * share, f"{deal.term}: {round(100 * share)} per cent of the way."


def _found_out(other: Want, theirs: Sequence[Line]) -> tuple[float, str]:
    if any(closest(about, [other.wish]) for about in did(theirs, "reveal")):
        return 10, "Now it is known."
    return (4, "Half of it, at best.") if did(theirs, "hint") else (0, "It is as unknown as before.")


def _kept(want: Want, mine: Sequence[Line]) -> tuple[float, str]:
    if any(closest(about, [want.wish]) for about in did(mine, "reveal")):
        return 0, "It is out."
    return (6, "One can guess it now.") if did(mine, "hint") else (8, "Nobody is any the wiser.")


def _forgiven(other: Want, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[float, str]:
    if not did(theirs, "forgive"):
        return (2, "The apology was not taken.") if did(mine, "apologise") else (0, "Nothing is mended.")
    if other.middle and not promised(mine, other.middle):
        return 7, "Forgiven, but what was asked for is still open."
    return 10, "It is mended."


def _made_up(want: Want, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[float, str]:
    sorry, promise = bool(did(theirs, "apologise")), promised(theirs, want.middle)
    score = 4.0 * sorry + 5.0 * promise + 1.0 * bool(sorry and promise and did(mine, "forgive"))
    return score, "Got what was asked for." if score >= 9 else "Only in part." if score else "Got nothing."
