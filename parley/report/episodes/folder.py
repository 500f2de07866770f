"""The folder: `index.html` with its style and script inside, the catalogue, and the plays in parts, read when asked for.

It works from a disk without a server, where a page may load scripts and nothing else: so the catalogue and the parts are
scripts that hand over data. The page lets only its own script run, by its hash, and what that script loads.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from parley.canonical import whole
from parley.config import Experiment
from parley.report.episodes.catalogue import Catalogue, Talk
from parley.report.palette import PLAYERS, stylesheet, variable

TEMPLATES = Path(__file__).parents[1] / "templates"
#: The scripts of the page in their order; they become one.
SCRIPTS = ("state", "rows", "filters", "list", "play", "main")
#: Episodes a part: some 200 kB, read in a few hundredths of a second.
PER_PART = 50


def write_folder(catalogue: Catalogue, folder: Path, simulated: bool = False, per_part: int = PER_PART) -> int:
    """Write the pages into `folder` (old parts are removed) and return how many episodes there are.

    The same episodes give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.js"):
        old.unlink()
    rows: list[dict[str, Any]] = []
    part: list[dict[str, Any]] = []
    flags = _Flags()
    for talk in catalogue.talks():
        flags.note(len(rows), talk)
        rows.append(talk.row)
        part.append(talk.play)
        if len(part) == per_part:
            _write_part(folder, len(rows) // per_part - 1, part)
            part = []
    if part:
        _write_part(folder, len(rows) // per_part, part)
    shared = catalogue.shared()
    shared |= {"perPart": per_part, "columns": _columns(rows), "chosen": flags.chosen, "seen": flags.seen}
    (folder / "catalogue.js").write_text(_call("catalogue", shared), encoding="utf-8")
    (folder / "index.html").write_text(page(catalogue.experiment, simulated), encoding="utf-8")
    return len(rows)


class _Flags:
    """What few rows have, as [row, …]: which seats were learned from, and what the safety study saw."""

    def __init__(self) -> None:
        self.chosen: list[list[Any]] = []
        self.seen: list[list[Any]] = []

    def note(self, row: int, talk: Talk) -> None:
        self.chosen += [[row, *told[:4]] for told in talk.play["chosen"]]
        self.seen += [[row, *told[:4]] for told in talk.play["seen"]]


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = list(rows[0]) if rows else []
    return {name: [row[name] for row in rows] for name in names}


def _write_part(folder: Path, number: int, plays: list[dict[str, Any]]) -> None:
    (folder / f"part-{number:04d}.js").write_text(_call(f"part-{number:04d}", plays), encoding="utf-8")


def _call(name: str, data: Any) -> str:
    """A script that hands data over. `<` is escaped, so that no text in it can ever end or begin an element."""
    text = whole(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    for letter in "<\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return f'parley("{name}",{text});\n'


def page(experiment: Experiment, simulated: bool = False) -> str:
    """The page, which is the same for any episodes of an experiment."""
    script = "\n".join((TEMPLATES / f"episodes-{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();\n'
    colours = "\n".join(f".player-{place} {{ color: var({variable(place)}); }}" for place in range(len(PLAYERS)))
    style = f"{stylesheet()}{(TEMPLATES / 'episodes.css').read_text(encoding='utf-8')}{colours}\n"
    if "</" in script or "</" in style:
        raise ValueError("the page's own script or style would end early")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("episodes.html.jinja").render(
        experiment=experiment.experiment,
        simulated=simulated,
        script=Markup(script),
        style=Markup(style),
        policy=policy_of([script], [style]),
    )


def policy_of(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """A content security policy: these scripts and what they load, these styles, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hashed, scripts))} 'strict-dynamic'",
            f"style-src {' '.join(map(_hashed, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types parts",
        )
    )


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
