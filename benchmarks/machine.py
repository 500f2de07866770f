"""What a figure was measured on, in one line."""

import os
import platform
import sqlite3
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil


def machine(libraries: Iterable[str] = ()) -> str:
    """Date, processor, cores that this process may use, memory, Python, SQLite, and the versions of `libraries`."""
    parts = [
        date.today().isoformat(),
        f"{len(os.sched_getaffinity(0))} cores ({processor()})",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"Linux {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        *(f"{name} {installed(name)}" for name in libraries),
    ]
    return ", ".join(parts)


def processor() -> str:
    """The processor's model name as the kernel gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def installed(library: str) -> str:
    """The version of an installed distribution, or a word that says it is not there."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    print(machine(["openai", "pydantic", "snakemake"]))
