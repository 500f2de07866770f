"""The meaning of source files: what their code does, whatever its comments say, and which modules it imports.

To parse all of Parley takes longer than the rest of a start of Snakemake, and every job on a cluster starts two. So what
was found is kept beside the bytecode, by the bytes of the file: nothing that is kept can be out of date.
"""

import ast
import hashlib
import json
import os
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

#: So many files are remembered at most: more than a few versions of each.
MOST = 5_000
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Meaning(NamedTuple):
    """What a file does: a hash over its syntax tree without docstrings, and the modules of Parley that it may import."""

    tree: str
    names: tuple[str, ...]


def meaning(source: bytes) -> Meaning:
    """The meaning of the bytes of a file. Raises SyntaxError if they are no Python."""
    tree = ast.parse(source)
    names = dict.fromkeys(name for name in _named(tree) if name.split(".")[0] == "parley")
    return Meaning(hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest(), tuple(names))


class Memory:
    """The meanings of files by their bytes, kept in one file of a folder. Where it cannot be kept all are found anew."""

    def __init__(self, folder: Path) -> None:
        own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
        self.file = folder / f"meaning.{sys.implementation.cache_tag}.{own}.json"
        self._known: dict[str, Meaning] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            entries = json.loads(self.file.read_text(encoding="utf-8"))
            self._known = {key: Meaning(tree, tuple(names)) for key, (tree, names) in entries.items()}
        self._kept = len(self._known)

    def of(self, path: Path) -> Meaning:
        """What the file `path` means, as it is now."""
        source = path.read_bytes()
        key = hashlib.sha256(source).hexdigest()
        if key not in self._known:
            self._known[key] = meaning(source)
        return self._known[key]

    def keep(self) -> None:
        """Write down what is new. Several processes may do so at once: each file is whole."""
        if len(self._known) == self._kept:
            return
        part = self.file.with_name(f".{uuid.uuid4().hex}.part")
        with suppress(OSError):
            self.file.parent.mkdir(exist_ok=True)
            part.write_text(json.dumps(dict(list(self._known.items())[-MOST:])), encoding="utf-8")
            os.replace(part, self.file)
        self._kept = len(self._known)


def _named(tree: ast.Module) -> list[str]:
    """The names of modules in imports anywhere, those inside functions too; of what is imported from one, as well."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree
