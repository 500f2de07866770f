"""The judge: rates a talk by its surface, as a judge model does, and answers in the form that the prompt asks for."""

import json
from collections.abc import Sequence
from random import Random

from parley.playhouse.deal import did, promised, settle
from parley.playhouse.families import Want
from parley.playhouse.language import closest
from parley.playhouse.reading import Line, Person, Play, read_play

Marks = dict[str, tuple[int, str]]


def rate(prompt: str, rng: Random) -> str:
    """The judge's answer to a rating prompt: one entry for each participant, in the order of the prompt."""
    play = read_play(prompt)
    entries = []
    for me, other in (play.people, play.people[::-1]):
        marks = marks_for(play, me, other)
        entries.append(
            {"name": me.name, **{key: {"reasoning": why, "score": score} for key, (score, why) in marks.items()}}
        )
    return json.dumps({"ratings": entries}, ensure_ascii=False)


def marks_for(play: Play, me: Person, other: Person) -> Marks:
    """The seven marks for one participant."""
    mine = [line for line in play.talk if line.who == me.first]
    theirs = [line for line in play.talk if line.who == other.first]
    goal = goal_reached(play, me, other)
    return {
        "believability": _believability(me, mine),
        "relationship": _relationship(mine, theirs),
        "knowledge": _knowledge(me, theirs),
        "secret": _secret(me, mine),
        "social_rules": _social_rules(mine),
        "financial_and_material_benefits": _benefits(me, goal[0]),
        "goal": goal,
    }


def _clip(value: float, low: int, high: int) -> int:
    return max(low, min(high, round(value)))


def _believability(me: Person, mine: Sequence[Line]) -> tuple[int, str]:
    spoken = [line.text for line in mine if line.kind == "speak"]
    if not spoken:
        return 2, f"{me.first} says nothing at all."
    repeated = len(spoken) - len(set(spoken))
    astray = len(did(mine, "chat"))
    garbled = len(did(mine, "babble"))
    score = _clip(9.4 - 1.2 * repeated - 0.8 * astray - 1.5 * garbled, 0, 10)
    faults = [
        f"{count} {what}"
        for count, what in ((repeated, "repeated"), (astray, "beside the point"), (garbled, "hard to make sense of"))
        if count
    ]
    return score, f"{me.first} sounds natural." if not faults else f"Of {len(spoken)} utterances: {', '.join(faults)}."


def _relationship(mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[int, str]:
    both = [*mine, *theirs]
    warm = len(did(both, "thank", "forgive", "accept", "understand", "apologise"))
    cold = 2 * len(did(both, "insult")) + len(did(both, "reject", "blame", "refuse"))
    score = _clip(1.1 * min(warm, 4) - 0.7 * cold, -5, 5)
    return score, f"{warm} warm moments against {cold} cold ones."


def _knowledge(me: Person, theirs: Sequence[Line]) -> tuple[int, str]:
    learned = set(did(theirs, "reason", "open", "hint", "confess", "propose", "instead")) | {
        f"{fact} (a fact)" for fact in did(theirs, "reveal")
    }
    return _clip(
        1.5 * len(learned) + 3 * len(did(theirs, "reveal")[:1]), 0, 10
    ), f"{me.first} heard {len(learned)} new things."


def _secret(me: Person, mine: Sequence[Line]) -> tuple[int, str]:
    told = any(me.secret and closest(about, [me.secret.rstrip(".")], 0.7) for about in did(mine, "confess"))
    if me.want.kind == "keep" and any(closest(about, [me.want.wish]) for about in did(mine, "reveal")):
        return -8, f"{me.first} told what should be kept."
    return (-7, f"{me.first} gave their own secret away.") if told else (0, "The secret was kept.")


def _social_rules(mine: Sequence[Line]) -> tuple[int, str]:
    insults, threats = len(did(mine, "insult")), len(did(mine, "urge"))
    if not insults and not threats:
        return 0, "No rule was broken."
    return _clip(-2 * insults - 3 * threats, -10, 0), f"{insults} insults and {threats} threats."


def _benefits(me: Person, goal: int) -> tuple[int, str]:
    if me.want.kind != "term":
        return 0, "Nothing material was at stake."
    return (_clip((goal - 2) / 2.2, 0, 4), "The settlement brings a gain.") if goal > 2 else (0, "No gain, no loss.")


# -- goal completion, by kind of goal --------------------------------------------------------------------------------


def goal_reached(play: Play, me: Person, other: Person) -> tuple[int, str]:
    """How far `me` reached the goal, 0 to 10, and why."""
    mine = [line for line in play.talk if line.who == me.first]
    theirs = [line for line in play.talk if line.who == other.first]
    match me.want.kind:
        case "term":
            return _term(play, me.want, other.want, mine)
        case "ask":
            return _found_out(me.want, other.want, mine, theirs)
        case "keep":
            return _kept(me.want, mine, theirs)
        case "sorry":
            return _forgiven(other.want, mine, theirs)
        case "hurt":
            return _apologised_to(me.want, mine, theirs)
        case "harm":
            return _got_back(me.want, play, mine)
        case "prevent":
            return _prevented(other.want, play, mine, theirs)
        case _:
            return _open(play, mine)


def _term(play: Play, want: Want, other: Want, mine: Sequence[Line]) -> tuple[int, str]:
    terms = [term for term in (want.wish, want.middle or other.middle, other.wish) if term]
    deal = settle(play.talk, terms)
    if deal is None:
        return (2, "No agreement, though a reason was given.") if did(mine, "reason") else (1, "No agreement.")
    if deal.term == want.wish:
        return 10, f"They settled on {deal.term}, exactly as wished."
    if deal.term == other.wish:
        return 3, f"They settled on {deal.term}, which the other wanted."
    if deal.term in terms:
        return 7, f"They settled on {deal.term}, which both can live with."
    return 4, f"They settled on {deal.term}, which was nobody's wish."


def _found_out(want: Want, other: Want, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[int, str]:
    if any(closest(about, [other.wish]) for about in did(theirs, "reveal")):
        return 10, "The whole truth came out."
    if did(theirs, "hint"):
        return 7, "At least a hint was given."
    return (2, "Asked, and learned nothing.") if did(mine, "ask") else (1, "Did not even ask.")


def _kept(want: Want, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[int, str]:
    if any(closest(about, [want.wish]) for about in did(mine, "reveal")):
        return 0, "The matter was given away."
    if did(mine, "hint"):
        return (
            (10, "Kept, and the other is at peace with it.")
            if did(theirs, "understand", "thank")
            else (8, "Kept, with a hint.")
        )
    return (5, "Kept by refusing.") if did(mine, "refuse") else (3, "Kept by evading.")


def _forgiven(other: Want, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[int, str]:
    if did(theirs, "forgive"):
        return 10, "All is forgiven."
    score = 1 + 2 * bool(did(mine, "apologise")) + 2 * bool(other.middle and promised(mine, other.middle))
    return score, "Not forgiven." if score == 1 else "An apology was made, but not accepted."


def _apologised_to(want: Want, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[int, str]:
    sorry, promise = bool(did(theirs, "apologise")), promised(theirs, want.middle)
    score = 1 + 3 * sorry + 4 * promise + 2 * bool(sorry and promise and did(mine, "forgive"))
    told = [what for what, there in (("an apology", sorry), ("the promise", promise)) if there]
    return score, f"Got {' and '.join(told)}." if told else "Got neither apology nor promise."


def _got_back(want: Want, play: Play, mine: Sequence[Line]) -> tuple[int, str]:
    if did(mine, "yield"):
        return 1, "Gave the plan up."
    deal = settle(play.talk, [want.wish])
    if deal and deal.term == want.wish:
        return 10, "Found an ally for the plan."
    return (
        (5, "Holds on to the plan, without an ally.") if did(mine, "urge", "propose") else (2, "Never named the plan.")
    )


def _prevented(other: Want, play: Play, mine: Sequence[Line], theirs: Sequence[Line]) -> tuple[int, str]:
    if did(theirs, "yield"):
        return 10, "The plan was given up."
    deal = settle(play.talk, [other.wish])
    if deal and deal.term == other.wish:
        return 0, "Joined the plan instead of stopping it."
    tried = len(set(did(mine, "instead"))) + bool(did(mine, "dissuade"))
    return min(2 + tried, 4), "The plan still stands."


def _open(play: Play, mine: Sequence[Line]) -> tuple[int, str]:
    if settle(play.talk, []):
        return 7, "They reached an understanding."
    return (
        (4, "A friendly talk without a result.")
        if did(mine, "thank", "propose", "probe")
        else (2, "Nothing was tried.")
    )
