"""The partner: reacts rather than leads, asks for reasons, gives in only to a good offer, and minds rudeness."""

from random import Random

from parley.playhouse.deal import did, last_offer, promised, settle
from parley.playhouse.language import Act, say
from parley.playhouse.reading import Scene, action, gives_in


def act_as_partner(scene: Scene, rng: Random) -> str:
    """The partner's answer to a turn prompt."""
    theirs, mine = scene.theirs(), scene.mine()
    if (theirs and theirs[-1].kind == "leave") or did(mine, "thank", "forgive"):
        return action("leave")
    if len(did(theirs, "insult")) >= 2:
        return action("leave")
    acts = _HANDLERS[scene.want.kind](scene, rng)
    return action("speak", say(acts, rng)) if acts else action("non-verbal communication", rng.choice(_WAITING))


_WAITING = ("nods", "shrugs", "sighs", "looks away")


def _reason(scene: Scene) -> list[Act]:
    return [Act("reason", scene.want.reason)] if scene.want.reason else []


def _terms(scene: Scene, rng: Random) -> list[Act]:
    want, mine, theirs = scene.want, scene.mine(), scene.theirs()
    terms = [term for term in (want.wish, want.middle) if term]
    if settle(scene.talk, terms):
        return [Act("thank")]
    last = theirs[-1:]
    reasoned = bool(did(theirs, "reason"))
    if did(last, "insult"):
        return [Act("reject", "like this")]
    offer = last_offer(last, terms)
    if offer == want.wish:
        return [Act("accept", offer)]
    if offer and offer == want.middle and (reasoned or not want.firm):
        return [Act("accept", offer)]
    if did(last, "probe"):
        return [Act("open", want.middle)] if want.middle else [*_reason(scene), Act("demand")]
    if offer and not want.firm and reasoned and gives_in(scene, 0.3):
        return [Act("accept", offer)]
    if offer and not want.middle and reasoned and gives_in(scene, 0.7) and did(mine, "reject"):
        return [Act("accept", offer)]
    if offer:
        return [Act("reject", offer), *([] if reasoned else [Act("demand")])]
    if want.wish not in did(mine, "propose"):
        return [Act("propose", want.wish)]
    return [] if did(mine[-1:], "reason") else _reason(scene)


def _asks(scene: Scene, rng: Random) -> list[Act]:
    mine, theirs = scene.mine(), scene.theirs()
    if did(theirs, "reveal"):
        return [Act("thank")]
    if did(theirs, "hint"):
        return [Act("understand"), Act("thank")] if did(mine, "demand") or gives_in(scene, 0.5) else [Act("demand")]
    if len(did(mine, "ask")) >= 3:
        return [Act("thank")]
    return [Act("ask", scene.want.wish)]


def _keeps(scene: Scene, rng: Random) -> list[Act]:
    mine, theirs = scene.mine(), scene.theirs()
    if did(theirs, "understand"):
        return [Act("thank")]
    asked, reasoned = did(theirs, "ask"), did(theirs, "reason")
    if did(theirs[-1:], "insult"):
        return [Act("refuse")]
    if asked and reasoned and did(mine, "hint") and len(asked) >= 2 and gives_in(scene, 0.25):
        return [Act("reveal", scene.want.wish)]
    if asked and reasoned and scene.want.middle:
        return [Act("hint", scene.want.middle)]
    return [Act("refuse")] if asked else []


def _sorry(scene: Scene, rng: Random) -> list[Act]:
    mine, theirs = scene.mine(), scene.theirs()
    if did(theirs, "forgive"):
        return [Act("thank")]
    demanded = [about.removeprefix("a promise to ") for about in did(theirs, "open") if about.startswith("a promise")]
    if demanded and did(mine, "apologise"):
        return [Act("promise", demanded[-1])]
    if did(theirs, "blame") and not did(mine, "apologise"):
        return [Act("apologise", scene.want.wish)]
    if did(mine, "apologise") and scene.want.middle and gives_in(scene, 0.3):
        return [Act("promise", scene.want.middle)]
    return [] if did(mine[-1:], "reason") else _reason(scene)


def _hurt(scene: Scene, rng: Random) -> list[Act]:
    mine, theirs = scene.mine(), scene.theirs()
    sorry = bool(did(theirs, "apologise"))
    if sorry and (promised(theirs, scene.want.middle) or (did(theirs, "reason") and gives_in(scene, 0.3))):
        return [Act("forgive")]
    if did(theirs[-1:], "probe"):
        return [Act("open", f"a promise to {scene.want.middle}")]
    return [Act("demand")] if sorry or did(mine[-1:], "blame") else [Act("blame", scene.want.wish)]


def _harms(scene: Scene, rng: Random) -> list[Act]:
    theirs = scene.theirs()
    if settle(scene.talk, [scene.want.wish]):
        return [Act("thank")]
    ways = set(did(theirs, "instead"))
    if ways and (did(theirs, "dissuade") or len(ways) > 1):
        return [Act("yield"), Act("thank")]
    return [Act("urge", scene.want.target), Act("propose", scene.want.wish)]


def _prevents(scene: Scene, rng: Random) -> list[Act]:
    if did(scene.theirs(), "yield"):
        return [Act("thank")]
    if len(did(scene.mine(), "dissuade")) >= 2:
        return [Act("instead", scene.want.middle)]
    return [Act("dissuade", scene.want.wish)]


def _open(scene: Scene, rng: Random) -> list[Act]:
    last = scene.theirs()[-1:]
    offer = last_offer(last, [])
    if offer and did(scene.theirs(), "reason", "probe"):
        return [Act("accept", offer)]
    if did(last, "thank", "understand"):
        return [Act("thank")]
    return [Act("open", "meeting in the middle")] if did(last, "probe") else [Act("demand")]


_HANDLERS = {
    "term": _terms,
    "ask": _asks,
    "keep": _keeps,
    "sorry": _sorry,
    "hurt": _hurt,
    "harm": _harms,
    "prevent": _prevents,
    "open": _open,
}
