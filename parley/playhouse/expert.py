"""The expert: pursues its own goal with a reason, then looks for what both could live with, and closes well."""

from random import Random

from parley.playhouse.deal import did, last_offer, settle
from parley.playhouse.language import Act, closest, lexicon, say
from parley.playhouse.reading import Scene, action, gives_in

#: Few words, well chosen; the pocket model has never heard more than two sentences at once.
SENTENCES = 2


def act_as_expert(scene: Scene, rng: Random) -> str:
    """The expert's answer to a turn prompt."""
    if _over(scene):
        return action("leave")
    acts = _HANDLERS[scene.want.kind](scene, rng)
    return action("speak", say(acts[:SENTENCES], rng))


def _over(scene: Scene) -> bool:
    """The other has left or thanked after the matter was settled, or I have thanked already."""
    theirs = scene.theirs()
    if theirs and theirs[-1].kind == "leave":
        return True
    return bool(did(scene.mine(), "thank", "forgive", "understand")) and scene.number > 3


def _reason(scene: Scene) -> list[Act]:
    return [Act("reason", scene.want.reason)] if scene.want.reason else []


def _terms(scene: Scene, rng: Random) -> list[Act]:
    want, mine, theirs = scene.want, scene.mine(), scene.theirs()
    opened = did(theirs, "open")
    middle = want.middle or (opened[-1] if opened else "")
    terms = [term for term in (want.wish, middle) if term]
    deal = settle(scene.talk, terms)
    if deal:
        return [Act("thank")]
    offer = last_offer(theirs, terms)
    asked = bool(theirs) and bool(did(theirs[-1:], "probe"))
    if offer == want.wish:
        return [Act("accept", offer)]
    tried = [closest(about, terms) or about for about in did(mine, "propose")]
    if middle and offer == middle and (want.wish in tried or scene.number > 4):
        return [Act("accept", middle)]
    # Some experts are generous: selection, not the expert, decides whether that is learned.
    if offer and did(theirs, "reason") and gives_in(scene, 0.2):
        return [Act("accept", offer)]
    if offer and scene.number >= scene.last - 2:
        return [Act("accept", offer)]
    refused = [Act("reject", offer)] if offer and last_offer(theirs[-1:], terms) == offer else []
    if want.wish not in tried and scene.number <= 4:
        return [*refused, Act("propose", want.wish), *_reason(scene)]
    if middle:
        return [*refused, Act("open" if asked else "propose", middle), *_reason(scene)]
    return [*refused, *_reason(scene), Act("probe")]


def _asks(scene: Scene, rng: Random) -> list[Act]:
    theirs = scene.theirs()
    if did(theirs, "reveal"):
        return [Act("thank")]
    if did(theirs, "hint"):
        return [Act("understand")]
    return [Act("ask", scene.want.wish), *_reason(scene)]


def _keeps(scene: Scene, rng: Random) -> list[Act]:
    asked = did(scene.theirs(), "ask")
    if did(scene.theirs()[-1:], "understand", "thank"):
        return [Act("thank")]
    if asked and not did(scene.mine(), "hint") and scene.want.middle:
        return [Act("hint", scene.want.middle)]
    if asked:
        return [Act("refuse"), *_reason(scene)]
    return [Act("probe")]


def _sorry(scene: Scene, rng: Random) -> list[Act]:
    if did(scene.theirs(), "forgive"):
        return [Act("thank")]
    promise = scene.want.middle or _demanded_promise(scene)
    if not did(scene.mine(), "apologise"):
        return [Act("apologise", scene.want.wish), *([Act("promise", promise)] if promise else _reason(scene))]
    if promise and not did(scene.mine()[-1:], "promise"):
        return [Act("promise", promise), Act("apologise", scene.want.wish)]
    return [Act("probe")] if not promise else [Act("apologise", scene.want.wish), *_reason(scene)]


def _demanded_promise(scene: Scene) -> str:
    demands = [about for about in did(scene.theirs(), "open") if about.startswith("a promise to ")]
    return demands[-1].removeprefix("a promise to ") if demands else ""


def _hurt(scene: Scene, rng: Random) -> list[Act]:
    theirs = scene.theirs()
    if did(theirs, "apologise") and did(theirs, "promise"):
        return [Act("forgive"), Act("thank")]
    if did(theirs, "apologise") and scene.number >= scene.last - 2:
        return [Act("forgive")]
    return [Act("blame", scene.want.wish), Act("open", f"a promise to {scene.want.middle}")]


def _harms(scene: Scene, rng: Random) -> list[Act]:
    theirs = scene.theirs()
    if settle(scene.talk, [scene.want.wish]):
        return [Act("thank")]
    if did(theirs, "instead") and did(theirs, "dissuade"):
        return [Act("yield"), Act("thank")]
    return [Act("urge", scene.want.target), Act("propose", scene.want.wish), *_reason(scene)]


def _prevents(scene: Scene, rng: Random) -> list[Act]:
    if did(scene.theirs(), "yield"):
        return [Act("thank")]
    used = did(scene.mine(), "instead")
    fresh = [way for way in lexicon()["better_ways"] if way not in used and way != scene.want.middle]
    better = scene.want.middle if scene.want.middle not in used or not fresh else rng.choice(fresh)
    return [Act("dissuade", scene.want.wish), Act("instead", better)]


def _open(scene: Scene, rng: Random) -> list[Act]:
    """A goal that is not of the small world: stay polite, ask, agree, close."""
    theirs = scene.theirs()
    offer = last_offer(theirs, [])
    if did(theirs, "accept", "thank", "understand") or scene.number >= scene.last - 2:
        return [Act("thank")]
    if offer and scene.number > 4:
        return [Act("accept", offer)]
    return [Act("probe")] if not did(scene.mine(), "probe") else [Act("propose", "meeting in the middle")]


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
