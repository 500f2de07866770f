"""`python -m parley.environments`: write envs/*.yaml, one conda environment a concern, from requirements.lock.

A rule that only speaks with models needs no torch. Each environment holds what its parts of pyproject.toml reach, at the
versions of the lock. What is installed tells what reaches what, so this is run in `.venv`.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from parley.code import ROOT

#: The environments, and the extras of pyproject.toml that each has besides what all have.
CONCERNS: dict[str, tuple[str, ...]] = {
    "core": ("local", "safety", "people"),
    "train": ("local", "train"),
    "knowledge": ("local", "train", "knowledge"),
}
PYTHON = "3.11.13"
#: Of the machine that the environments are for.
MARKERS = {
    **{"python_version": "3.11", "python_full_version": PYTHON, "implementation_name": "cpython"},
    **{"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "platform_python_implementation": "CPython",
}
HEAD = (
    "# Written by `python -m parley.environments` from requirements.lock: the pins of .venv that this concern needs.\n"
)


def locked(lock: Path = ROOT / "requirements.lock") -> dict[str, str]:
    """What a lock pins for these markers: its line without the marker, by the package's canonical name."""
    lines = [line.strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    wanted = [one for one in found if one.marker is None or one.marker.evaluate({**MARKERS, "extra": ""})]
    return {canonicalize_name(one.name): f"{one.name}{one.specifier}" for one in wanted}


def reached(requirements: Iterable[str], pins: dict[str, str]) -> list[str]:
    """The pins of everything that these requirements need, directly or not, in order of their names."""
    queue, seen = [Requirement(one) for one in requirements], set[tuple[str, str]]()
    while queue:
        one = queue.pop()
        if canonicalize_name(one.name) not in pins:
            continue  # for GPUs: of another lock
        for extra in ("", *one.extras):
            key = (canonicalize_name(one.name), extra)
            if key not in seen:
                seen.add(key)
                needs = [Requirement(text) for text in metadata.requires(one.name) or ()]
                queue += [need for need in needs if _applies(need, extra)]
    return [pins[name] for name in sorted({name for name, _ in seen})]


def _applies(need: Requirement, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({**MARKERS, "extra": extra})


def environment(concern: str) -> str:
    """The text of one environment's file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in CONCERNS[concern]:
        wanted += project["optional-dependencies"][extra]
    found = reached(wanted, locked())
    if any(pin.startswith("torch==") for pin in found):  # with all that torch brings for GPUs
        found += locked(ROOT / "constraints-cuda.txt").values()
    pins = "".join(f"      - {pin}\n" for pin in found)
    head = f"channels: [conda-forge, nodefaults]\ndependencies:\n  - python ={PYTHON}\n  - pip\n  - pip:\n"
    return HEAD + head + pins


def main() -> None:
    """Write the files; say which have changed."""
    for concern in CONCERNS:
        path = ROOT / "envs" / f"{concern}.yaml"
        text = environment(concern)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {len(re.findall('==', text))} pins", file=sys.stderr)


if __name__ == "__main__":
    main()
