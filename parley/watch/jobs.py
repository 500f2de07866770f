"""Jobs: which are done, running, failed and still to come, read from logs and timings while a run is going on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parley.layout import Layout
from parley.llm.starts import Starts
from parley.lock import Holder

State = Literal["done", "running", "failed", "stopped", "waiting"]
STATES: tuple[State, ...] = ("done", "running", "failed", "stopped", "waiting")
#: Seconds by which a timing may look older than the log whose job it ends: clocks of file systems are coarse.
SLACK = 2.0
#: Bytes at the end of a log that are read.
TAIL = 4096


@dataclass(frozen=True)
class Job:
    """One job. `said` is the last line of its log, `silent` the seconds since; `starts` what its engines' starts took.

    `stopped` is one that neither ended nor is at work: its run was killed, or it comes again later.
    """

    name: str
    state: State
    said: str = ""
    silent: float = 0.0
    starts: Starts | None = None

    @property
    def stage(self) -> str:
        """The first part of its name: tasks, episodes, …"""
        return self.name.partition("/")[0]


def jobs(layout: Layout, holder: Holder | None) -> Iterator[Job]:
    """Every job of an experiment, in the order in which it is built. `holder` is the run that is at it, None for none."""
    now = time.time()
    for timing in map(Path, layout.all_timings()):
        yield _job(layout, timing.relative_to(f"{layout.results}/timings").with_suffix("").as_posix(), holder, now)
    yield _job(layout, "report", holder, now)


def _job(layout: Layout, name: str, holder: Holder | None, now: float) -> Job:
    log = Path(f"{layout.results}/logs/{name}.log")
    timed, written = _time(Path(f"{layout.results}/timings/{name}.tsv")), _time(log)
    if written is None or (timed is not None and timed >= written - SLACK):
        done = timed is not None or _made(Path(layout.results), name)
        return Job(name, "done" if done else "waiting", starts=_starts(log))
    said = _last_line(log)
    silent = max(0.0, now - written)
    if said.startswith("error: "):
        return Job(name, "failed", said, silent)
    if holder is not None and written >= holder.since - SLACK:
        return Job(name, "done" if name == "report" and _made(Path(layout.results), name) else "running", said, silent)
    return Job(name, "done" if _made(Path(layout.results), name) else "stopped", said, silent)


def _made(results: Path, name: str) -> bool:
    """Whether what a job makes is there, for jobs that have not been timed."""
    if name == "report":
        return (results / "report" / "index.html").exists()
    stage, _, rest = name.partition("/")
    if stage == "casts":
        return (results / "tasks" / f"{rest}.casts.json").exists()
    folder = results / name
    if any((folder / file).exists() for file in ("written.funnel.json", "manifest.json")):
        return True
    last = folder.name.replace(".drawing", "")
    named = (path.name.rpartition(".")[0] for path in folder.parent.glob(f"{last}*") if path.is_file())
    return any(found == last or found.startswith(f"{last}_") for found in named)


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _last_line(log: Path) -> str:
    """The last line without its time of day."""
    lines = _tail(log)
    return lines[-1][9:] if lines else ""


def _starts(log: Path) -> Starts | None:
    return next((found for line in reversed(_tail(log)) if (found := Starts.read(line))), None)


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
