"""Efficiency of finished jobs: what they used of the memory, time and cores that they had asked for."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from parley.layout import Layout


@dataclass(frozen=True)
class Used:
    """One job: MB, seconds and core seconds used, and what it had asked for (None: its timing does not tell)."""

    memory: float | None
    seconds: float
    cpu: float | None
    asked_memory: float | None
    asked_seconds: float | None
    asked_cores: float | None


@dataclass(frozen=True)
class Efficiency:
    """The finished jobs of a stage: the most that one used, of what was asked for; and the share of cores at work."""

    stage: str
    jobs: int
    memory: float | None
    asked_memory: float | None
    seconds: float
    asked_seconds: float | None
    cores: float | None


def efficiencies(layout: Layout) -> list[Efficiency]:
    """By stage, in the order in which the experiment is built."""
    found: dict[str, list[Used]] = {}
    for path in map(Path, layout.all_timings()):
        stage = path.relative_to(f"{layout.results}/timings").parts[0]
        found.setdefault(stage, []).extend(used(path))
    return [_summed(stage, jobs) for stage, jobs in found.items() if jobs]


def used(timing: Path) -> list[Used]:
    """What one of Snakemake's timings tells; nothing if it is not there."""
    try:
        with timing.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError:
        return []
    return [
        Used(
            memory=_number(row.get("max_rss")),
            seconds=_number(row.get("s")) or 0.0,
            cpu=_number(row.get("cpu_time")),
            asked_memory=_resource(row, "mem_mb"),
            asked_seconds=minutes * 60 if (minutes := _resource(row, "runtime")) is not None else None,
            asked_cores=_number(row.get("threads")),
        )
        for row in rows
    ]


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:  # NA and - stand for what could not be measured
        return None


def _resource(row: dict[str, str], name: str) -> float | None:
    found = re.search(rf"'{name}': (\d+)", row.get("resources") or "")
    return float(found[1]) if found else None


def _summed(stage: str, jobs: list[Used]) -> Efficiency:
    busy = [job.cpu / (job.seconds * job.asked_cores) for job in jobs if job.cpu and job.seconds and job.asked_cores]
    return Efficiency(
        stage=stage,
        jobs=len(jobs),
        memory=_most(job.memory for job in jobs),
        asked_memory=_most(job.asked_memory for job in jobs),
        seconds=max(job.seconds for job in jobs),
        asked_seconds=_most(job.asked_seconds for job in jobs),
        cores=median(busy) if busy else None,
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
