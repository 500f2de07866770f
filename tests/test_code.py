"""Code identity: an edit of a helper makes stale the scripts that reach it, and a comment makes none."""

import ast
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from parley import code
from parley.learning.adapters import CODE
from tests.builders import ROOT

Edit = Callable[[str], str]


class Checkout:
    """A copy of the code in a folder of its own."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        monkeypatch.setattr(code, "ROOT", root)

    def edit(self, path: str, edit: Edit) -> None:
        file = self.root / path
        before = file.read_text(encoding="utf-8")
        file.write_text(edit(before), encoding="utf-8")
        assert file.read_text(encoding="utf-8") != before, "the edit changed nothing"

    def hashes(self) -> dict[str, str]:
        """The hash of every script as a new process would see it."""
        code.forget()
        return {path.stem: code.code_hash(path.stem) for path in sorted((self.root / "scripts").glob("*.py"))}

    def changed_by(self, path: str, edit: Edit) -> set[str]:
        before = self.hashes()
        self.edit(path, edit)
        after = self.hashes()
        return {name for name in before if before[name] != after[name]}


@pytest.fixture(autouse=True)
def forget() -> None:
    code.forget()


# -- a small checkout ----------------------------------------------------------------------------------------------

SMALL = {
    "scripts/play.py": "import parley.loop\n",
    "scripts/rate.py": "from parley import words\nfrom parley.deep.marks import mark\n",
    "scripts/late.py": "def main():\n    from parley.deep import marks\n    return marks\n",
    "scripts/alone.py": "import json\nimport parleyish\n",
    "parley/__init__.py": "",
    "parley/loop.py": '"""Loops."""\nfrom parley.words import WORDS\n\n\ndef loop():\n    """Loop."""\n    return WORDS\n',
    "parley/words.py": "WORDS = ['a', 'b']\n",
    "parley/deep/__init__.py": "",
    "parley/deep/marks.py": "from parley.deep.range import LOW\n\n\ndef mark():\n    return LOW\n",
    "parley/deep/range.py": "from parley.deep import marks\n\nLOW = 0\n",  # a circle
    "parley/unused.py": "A = 1\n",
}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    for path, text in SMALL.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return Checkout(tmp_path, monkeypatch)


def replace(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("path", "edit", "stale"),
    [
        ("parley/words.py", replace("'b'", "'c'"), {"play", "rate"}),
        ("parley/loop.py", replace("return WORDS", "return WORDS[:1]"), {"play"}),
        ("parley/deep/range.py", replace("0", "1"), {"rate", "late"}),
        ("parley/deep/__init__.py", lambda _: "DEEP = 1\n", {"rate", "late"}),
        ("parley/unused.py", replace("1", "2"), set()),
        ("scripts/alone.py", replace("json", "csv"), {"alone"}),
        # What means the same.
        ("parley/words.py", lambda text: f"# Why.\n\n\n{text}  # and so", set()),
        ("parley/words.py", lambda text: f'"""Words."""\n{text}', set()),
        ("parley/words.py", replace("['a', 'b']", '[\n    "a",\n    "b",\n]'), set()),
        ("parley/loop.py", replace('"""Loop."""\n    ', ""), set()),
        ("parley/loop.py", replace("Loop", "Goes round"), set()),
    ],
)
def test_an_edit_counts_for_the_scripts_that_reach_it(small: Checkout, path: str, edit: Edit, stale: set[str]) -> None:
    assert small.changed_by(path, edit) == stale


def test_a_text_that_is_not_a_docstring_counts(small: Checkout) -> None:
    small.edit("parley/loop.py", replace("return WORDS", "return 'said'"))
    assert small.changed_by("parley/loop.py", replace("'said'", "'meant'")) == {"play"}


def test_what_is_reached_is_the_script_and_all_its_imports(small: Checkout) -> None:
    found = [str(path.relative_to(small.root)) for path in code.reached(small.root / "scripts/late.py")]
    assert found == ["parley/deep/__init__.py", "parley/deep/marks.py", "parley/deep/range.py", "scripts/late.py"]


def test_a_file_that_moves_counts_and_a_checkout_that_moves_does_not(
    small: Checkout, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.hashes()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checkout"
    shutil.copytree(small.root, elsewhere)
    moved = Checkout(elsewhere, monkeypatch)
    assert moved.hashes() == before
    (elsewhere / "parley/words.py").rename(elsewhere / "parley/terms.py")
    moved.edit("scripts/rate.py", replace("words", "terms"))
    assert moved.hashes()["rate"] != before["rate"]


def test_the_hash_of_modules_is_theirs_alone(copy: Checkout) -> None:
    def now() -> str:
        code.forget()
        return code.modules_hash(*CODE)

    before = now()
    copy.edit("parley/records/jsonl.py", lambda text: f"{text}\n\nNEW = 1\n")
    assert now() == before
    copy.edit(CODE[0], lambda text: f"# A comment.\n{text}")
    assert now() == before
    copy.edit(CODE[0], lambda text: f"{text}\n\nNEW = 1\n")
    assert now() != before


def test_a_hash_is_twelve_hex_digits(small: Checkout) -> None:
    assert all(re.fullmatch("[0-9a-f]{12}", value) for value in small.hashes().values())
    assert len(set(small.hashes().values())) == 4


# -- this checkout -------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    for folder in ("parley", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return Checkout(tmp_path, monkeypatch)


def test_an_edit_makes_stale_the_scripts_that_use_the_module(copy: Checkout) -> None:
    # No result of theirs is ever stale.
    for name in ("estimate", "sotopia", "keywords", "pull", "push", "import_episodes", "export_episodes"):
        (copy.root / f"scripts/{name}.py").unlink()
    before = copy.hashes()
    for path, stale in {
        "parley/world/casting.py": {"casts", "episodes"},
        "parley/world/duplicates.py": {"tasks"},
        "parley/world/playing.py": {"episodes"},
        "parley/learning/sft.py": {"training"},
        "parley/config/world.py": set(before),
    }.items():
        copy.edit(path, lambda text: f"{text}\n\nNEW = 1\n")
        after = copy.hashes()
        assert {name for name in before if after[name] != before[name]} == stale, path
        before = after


def test_no_comment_docstring_or_layout_makes_anything_stale(copy: Checkout) -> None:
    before = copy.hashes()
    for path in copy.root.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            if isinstance(node, kinds) and ast.get_docstring(node) is not None:
                node.body[0] = ast.Expr(ast.Constant("Another docstring."))
        path.write_text(f"# Another comment.\n{ast.unparse(tree)}\n", encoding="utf-8")
    assert copy.hashes() == before


def test_no_module_is_imported_in_a_way_that_is_not_followed() -> None:
    for path in [*(ROOT / "parley").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}: a relative import"
            called = isinstance(node, ast.Call) and ast.unparse(node.func)
            assert called not in ("__import__", "importlib.import_module", "import_module"), f"{path}: a hidden import"
