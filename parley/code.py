"""Code identity: what a rule's script does, by the meaning of its source and of every parley module it reaches."""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _module_path(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path) -> frozenset[Path]:
    """The parley modules that a file names in an import anywhere, those inside functions too."""
    found: set[Path] = set()
    for node in ast.walk(_parsed(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "parley" and (module := _module_path(name)):
                found.add(module)
    return frozenset(found)


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


@cache
def _own_hash(path: Path) -> str:
    # A fresh parse: removing docstrings changes the tree.
    tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8")))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def modules_hash(*modules: str) -> str:
    """Twelve hex digits over what these files of Parley do, given from the checkout on; what they import does not count."""
    return hashlib.sha256(" ".join(_own_hash(ROOT / module) for module in modules).encode()).hexdigest()[:12]


def code_hash(script: str) -> str:
    """Twelve hex digits that change when, and only when, code that `scripts/{script}.py` can reach changes.

    Comments, docstrings and layout do not count; an edit of a helper counts for exactly the scripts that reach it.
    """
    total = hashlib.sha256()
    for path in reached(ROOT / "scripts" / f"{script}.py"):
        total.update(f"{path.relative_to(ROOT)} {_own_hash(path)}\n".encode())
    return total.hexdigest()[:12]
