"""Tokens: long random words in links and cookies. The study file holds only their hashes."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from random import Random

#: Makes a new token each time.
Mint = Callable[[], str]
_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def fresh() -> str:
    """A token that nobody can guess: 192 bits."""
    return secrets.token_urlsafe(24)


def foretold(seed: int) -> Mint:
    """A mint whose tokens follow from a seed: for simulated raters, on loopback, and for nothing else."""
    random = Random(seed)
    return lambda: f"{random.getrandbits(192):048x}"


def hashed(token: str) -> str:
    """What the study file keeps of a token. The tokens are random and long, so a plain hash cannot be undone."""
    return hashlib.sha256(token.encode()).hexdigest()


def derived(token: str, purpose: str) -> str:
    """A second secret that follows from a token for one purpose, such as the forms of a session."""
    return hmac.new(token.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:40]


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def code_of(token: str) -> str:
    """A completion code that a person can type: eight letters and digits without those that look alike."""
    number = int(hashed(token), 16)
    letters = []
    for _ in range(8):
        number, place = divmod(number, len(_CODE))
        letters.append(_CODE[place])
    return "".join(letters)
