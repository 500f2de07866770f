"""Code identity: what a rule's script does, by the meaning of its source and of every parley module it reaches."""

import hashlib
from functools import cache
from pathlib import Path

from parley.meaning import Meaning, Memory

ROOT = Path(__file__).resolve().parent.parent


@cache
def _memory(root: Path) -> Memory:
    return Memory(root / "parley" / "__pycache__")


@cache
def _meaning(path: Path) -> Meaning:
    return _memory(ROOT).of(path)


def _module_path(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path) -> frozenset[Path]:
    """The parley modules that a file names in an import anywhere, those inside functions too."""
    return frozenset(module for name in _meaning(path).names if (module := _module_path(name)))


def forget() -> None:
    """Look at every file anew, as a new process does."""
    for remembered in (_memory, _meaning, _imports):
        remembered.cache_clear()


def reached(path: Path) -> list[Path]:
    """The file and every parley module that it imports, directly or not, in a fixed order."""
    seen: set[Path] = set()
    queue = [path.resolve()]
    while queue:
        one = queue.pop()
        if one not in seen:
            seen.add(one)
            queue += _imports(one)
    return sorted(seen)


def modules_hash(*modules: str) -> str:
    """Twelve hex digits over what these files of Parley do, given from the checkout on; what they import does not count."""
    total = hashlib.sha256(" ".join(_meaning(ROOT / module).tree for module in modules).encode())
    _memory(ROOT).keep()
    return total.hexdigest()[:12]


def code_hash(script: str) -> str:
    """Twelve hex digits that change when, and only when, code that `scripts/{script}.py` can reach changes.

    Comments, docstrings and layout do not count; an edit of a helper counts for exactly the scripts that reach it.
    """
    total = hashlib.sha256()
    for path in reached(ROOT / "scripts" / f"{script}.py"):
        total.update(f"{path.relative_to(ROOT)} {_meaning(path).tree}\n".encode())
    _memory(ROOT).keep()
    return total.hexdigest()[:12]
