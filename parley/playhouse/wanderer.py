"""The wanderer: speaks the language of the small world with no aim. The pocket model is trained on its talk alone."""

from random import Random

from parley.playhouse.deal import did
from parley.playhouse.language import Act, lexicon, say
from parley.playhouse.reading import Scene, action

_COMMON = {
    "chat": 3.0,
    "greet": 0.8,
    "reason": 1.0,
    "probe": 0.6,
    "thank": 0.5,
    "insult": 0.9,
    "demand": 0.5,
    "confess": 0.3,
}
_BY_WANT: dict[str, dict[str, float]] = {
    "term": {"propose": 2.0, "open": 0.6, "accept": 0.9, "reject": 1.2},
    "ask": {"ask": 1.5, "understand": 0.6, "reject": 0.4},
    "keep": {"reveal": 0.8, "hint": 0.7, "refuse": 0.9},
    "sorry": {"apologise": 0.9, "promise": 0.8, "blame": 0.6},
    "hurt": {"blame": 1.2, "forgive": 0.5, "open": 0.6},
    "harm": {"urge": 1.0, "propose": 1.2, "yield": 0.3, "accept": 0.3},
    "prevent": {"dissuade": 0.8, "instead": 0.8, "accept": 0.5, "reject": 0.6},
    "open": {},
}
_QUIET = {"none": 0.04, "leave": 0.04, "non-verbal communication": 0.08, "action": 0.05}


def act_as_wanderer(scene: Scene, rng: Random) -> str:
    """An answer in the right form and the right words, chosen without regard to goal or talk."""
    draw = rng.random()
    for kind, share in _QUIET.items():
        if draw < share:
            words = {"non-verbal communication": "gestures", "action": "acts"}.get(kind)
            return action(kind, rng.choice(lexicon()[words]) if words else "")
        draw -= share
    weights = {**_COMMON, **_BY_WANT[scene.want.kind]}
    kinds = rng.choices(list(weights), list(weights.values()), k=rng.choice((1, 1, 2)))
    return action("speak", say([Act(kind, _about(kind, scene, rng)) for kind in dict.fromkeys(kinds)], rng))


def _about(kind: str, scene: Scene, rng: Random) -> str:
    want = scene.want
    heard = did(scene.theirs(), "propose", "open", "instead")
    own = [term for term in (want.wish, want.wish, want.middle) if term] or ["something else"]
    if kind in ("propose", "open", "instead"):
        if want.kind == "hurt":
            return f"a promise to {want.middle}"
        if want.kind == "prevent":
            return want.middle
        return rng.choice(own)
    if kind in ("accept", "reject"):
        return heard[-1] if heard and rng.random() < 0.6 else rng.choice(own)
    return {
        "greet": scene.other,
        "reason": want.reason or "it matters to me",
        "confess": scene.secret,
        "hint": want.middle,
        "promise": want.middle or "do better",
        "urge": want.target,
    }.get(kind, want.wish)
