"""A run that is struck at random moments, and goes on: what the tests of resumption and the soak share."""

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import psutil

from tests.counting import Tally
from tests.workflow import Workshop, whole

CONCURRENCY = 4
CORES = 2
#: What tells nothing about the outcome: clocks, logs, the address of the server.
CLOCKS = ("logs/", "timings/", "usage/", "report/", "experiment.json")

#: What is struck: killed, but for the last two, which are signals to the whole group as a terminal or a system sends.
Target = Literal["everything", "snakemake", "job", "training", "engine", "Ctrl-C", "SIGTERM"]
#: Of twenty moments so many each.
SHARES: dict[Target, int] = {
    "everything": 4,
    "snakemake": 4,
    "job": 4,
    "training": 2,
    "engine": 2,
    "Ctrl-C": 2,
    "SIGTERM": 2,
}


def under_load(base_url: str) -> dict[str, Any]:
    """Every kind of work in little: speakers behind an address, some in the job, a local engine, a training."""
    config = whole()
    config["experiment"] = "loaded"
    for name in ("expert", "partner", "writer"):
        config["models"][name] |= {
            "engine": "openai",
            "base_url": base_url,
            "price": "free",
            "concurrency": CONCURRENCY,
        }
    config["models"]["agent"]["concurrency"] = 1  # in a batch a model's numbers depend on who else is in it
    config["task_sets"] = {
        "round1": {"count": 4, "writer": "writer", "casts": 2, "shards": 1},
        "evaluation": {"count": 3, "writer": "writer", "casts": 1, "shards": 1},
    }
    config["policies"] = {name: config["policies"][name] for name in ("base", "bc")}
    config["policies"]["bc"]["training"] |= {"batch_size": 2, "epochs": 3}
    for part in ("references", "knowledge", "safety"):
        config.pop(part, None)
    return config


def outcome(workshop: Workshop) -> dict[str, bytes]:
    """The bytes of every result, without clocks and hidden files."""
    return {
        path: content
        for path, content in workshop.read("**/*").items()
        if not path.startswith(CLOCKS) and not any(part.startswith(".") for part in Path(path).parts)
    }


def alive(workshop: Workshop) -> list[psutil.Process]:
    """Every process that works in the workshop's folder: Snakemake, jobs, engines."""
    found, folder = [], str(workshop.folder.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def scripts(workshop: Workshop) -> dict[str, list[psutil.Process]]:
    """The jobs at work, and engines, by what they run: `episodes`, `training`, `engine`, …"""
    found: dict[str, list[psutil.Process]] = {}
    for process in alive(workshop):
        with suppress(psutil.Error):
            words = process.cmdline()
            if "parley.llm.llamacpp" in words:
                found.setdefault("engine", []).append(process)
            elif len(words) > 1 and "python" in Path(words[0]).name and Path(words[1]).parent.name == "scripts":
                found.setdefault(Path(words[1]).stem, []).append(process)
    return found


@dataclass
class Moment:
    """When to strike what: so long after the so many-th call that the server answers, or the start of a training.

    At first something must be at work: so no time is lost on a Snakemake that is only planning.
    """

    target: Target
    at: int
    delay: float  # seconds

    def has_come(self, workshop: Workshop, answered: int) -> bool:
        """True if it is time."""
        if answered < self.at:
            return False
        at_work = scripts(workshop)
        return self.target in at_work if self.target in ("training", "engine") else bool(at_work)


def moments(rng: Random, count: int, calls: int) -> list[Moment]:
    """`count` moments spread over a run that takes `calls` calls, and over the seconds of a training."""
    targets = [target for target, share in SHARES.items() for _ in range(share)]
    found: list[Moment] = []
    for number in range(count):
        target = targets[number % len(targets)]
        at, delay = rng.randrange(1, calls * 19 // 20), rng.uniform(0, 1)
        found.append(Moment(target, 0, 1 + 5 * delay) if target == "training" else Moment(target, at, delay))
    # A training is short and its moment passes: it is struck before what can be struck at any time.
    return sorted(found, key=lambda moment: (moment.target != "training", moment.at))


@dataclass
class Damage:
    """What strikes did: how many of each kind, seconds until all was still, and what Snakemake said in the end."""

    struck: Counter[str] = field(default_factory=Counter)
    stopped: list[tuple[str, float]] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def disturb(workshop: Workshop, tally: Tally, plan: list[Moment], rng: Random, *targets: str) -> Damage:
    """Run again and again and strike at each moment of `plan`, until the run ends by itself; the plan is used up."""
    damage, left = Damage(), list(plan)
    while True:
        process = workshop.start(*targets, cores=CORES)
        struck, engines = "", 0
        while process.poll() is None and not struck:
            answered = tally.read()["answered"]
            if (moment := next((one for one in left if one.has_come(workshop, answered)), None)) is None:
                time.sleep(0.05)
                continue
            left.remove(moment)
            time.sleep(moment.delay)
            struck = strike(workshop, process.pid, moment.target, rng)
            if struck == "engine":  # its job starts another one, once, and goes on
                struck, engines = "", engines + 1
        started = time.monotonic()
        output, _ = process.communicate()
        damage.outputs.append(output)
        damage.struck += Counter({"engine": engines})
        if process.returncode == 0 or not (struck or engines):  # at its end, maybe before the strike
            plan[:] = left
            return damage
        damage.struck[struck or "engine"] += bool(struck)
        if struck == "snakemake":  # the next run begins at once, while the jobs of this one are still ending
            continue
        while alive(workshop):
            time.sleep(0.05)
        damage.stopped.append((struck or "engine", time.monotonic() - started))


def strike(workshop: Workshop, snakemake: int, target: Target, rng: Random) -> str:
    """kill -9 of the target; of everything if there is no such process just now. Returns what was struck."""
    if target in ("Ctrl-C", "SIGTERM"):
        os.killpg(snakemake, signal.SIGINT if target == "Ctrl-C" else signal.SIGTERM)
        return target
    at_work = scripts(workshop)
    victims = {
        "snakemake": [psutil.Process(snakemake)],
        "engine": at_work.get("engine", []),
        "training": at_work.get("training", []),
        "job": [one for name, some in at_work.items() if name != "engine" for one in some],
    }.get(target, [])
    if not victims:
        os.killpg(snakemake, signal.SIGKILL)
        return "everything"
    with suppress(psutil.NoSuchProcess):
        rng.choice(victims).kill()
    return target
