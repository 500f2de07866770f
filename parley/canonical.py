"""Canonical JSON and content hashes: the same content gives the same bytes and the same id everywhere."""

import hashlib
import json
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces. Floats keep Python's shortest round-trip form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any, length: int = 64) -> str:
    """The first `length` hex digits of the SHA-256 of `value`'s canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def file_digest(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seed_from(*parts: Any) -> int:
    """A 31-bit seed that depends on all `parts` and on nothing else (not on PYTHONHASHSEED)."""
    return int(digest(parts, 8), 16) & 0x7FFFFFFF


def whole(text: str) -> str:
    """`text` with half characters (of a surrogate pair) replaced: they could not be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
