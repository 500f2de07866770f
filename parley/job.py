"""A job that calls models: its ledger, its speakers, and what the calls took."""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley import stopping
from parley.canonical import digest
from parley.config import Experiment, load
from parley.llm.batch_api import MOST_LINES
from parley.llm.ledger import Ledger
from parley.llm.source import Source
from parley.llm.speaker import Speaker, speakers, summary
from parley.llm.starts import MUCH, Starts
from parley.llm.store import label
from parley.lock import alone_in_loop
from parley.progress import Journal
from parley.records.jsonl import write_text
from parley.records.published import check_room

#: The stages whose calls stand alone: a Batch API may answer them.
SINGLE_CALLS = ("tasks", "ratings", "judgements")

#: Seconds of starts below which nobody has to be told at once that they are a large part of a small job.
WORTH_TELLING = 60.0


@dataclass(frozen=True)
class Stage:
    """A job that calls models: where its calls are kept, and where what they took is written."""

    name: str
    experiment: Experiment
    ledger: Path
    usage: Path
    journal: Journal
    logs: Path | None

    @staticmethod
    def arguments(parser: argparse.ArgumentParser) -> None:
        """Add the options of a job that calls models."""
        parser.add_argument("--ledger", type=Path, required=True, help="this job's ledger file")
        parser.add_argument("--usage", type=Path, required=True, help="output: what the calls took")
        parser.add_argument(
            "--adapter", action="append", default=[], metavar="POLICY=FOLDER", help="of a trained policy"
        )

    @classmethod
    def of(cls, name: str, options: argparse.Namespace, journal: Journal) -> "Stage":
        """The stage that a script's options describe."""
        logs = options.log.parent if options.log else None
        return cls(name, load(options.experiment), options.ledger, options.usage, journal, logs)

    @asynccontextmanager
    async def speakers(self, names: Iterable[str], adapters: Iterable[str] = ()) -> AsyncIterator[dict[str, Speaker]]:
        """Speakers by name; at the end the calls are summed up in the log and in the usage file."""
        folders = {policy: Path(folder) for policy, _, folder in (entry.partition("=") for entry in adapters)}
        check_room(self.usage.parent)  # before anything is paid for, not after
        begin = time.monotonic()
        options: dict[str, Any] = {"batches": self.batches, "say": self._aloud}
        async with alone_in_loop(self.ledger):
            with Ledger(self.ledger, stage_root=stage_root(self.ledger, self.name)) as ledger:
                async with speakers(self.experiment, names, ledger, folders, self.logs, **options) as found:
                    yield found
                    self.journal.line(summary(found))
                    self._tell_starts(found, time.monotonic() - begin)
                    write_text(self.usage, json.dumps(self._taken(found), indent=1, sort_keys=True) + "\n")

    @property
    def batches(self) -> Path | None:
        """The folder where the jobs of a stage of single calls remember their batches."""
        if self.name not in SINGLE_CALLS:
            return None
        return (stage_root(self.ledger, self.name) or self.ledger.parent) / ".batches"

    def _tell_starts(self, found: Mapping[str, Speaker], seconds: float) -> None:
        """How much of the job went into starting engines; aloud where that is minutes and too much of it."""
        sources = {id(speaker.source): speaker.source for speaker in found.values()}
        starts = Starts.of((span for source in sources.values() for span in source.starts), seconds)
        if starts.count:
            self.journal.line(starts.line, aloud=starts.share > MUCH and starts.seconds > WORTH_TELLING)

    def _aloud(self, line: str) -> None:
        self.journal.line(line, aloud=True)

    def _taken(self, found: Mapping[str, Speaker]) -> dict[str, Any]:
        """What the calls took, by speaker, and which model that was. The same after a replay: it makes nothing stale."""
        taken = {
            name: {
                "model": label(speaker.identity),
                "identity": digest(speaker.identity, 16),
                **speaker.usage.as_dict(),
            }
            for name, speaker in found.items()
        }
        return {"stage": self.name, "speakers": taken}


def stage_root(ledger: Path, stage: str) -> Path | None:
    """The folder of the stage that a ledger file lies in, or None if it lies somewhere of its own."""
    return next((folder for folder in ledger.parents if folder.name == stage), None)


def in_flight(experiment: Experiment, names: Iterable[str]) -> int:
    """How many episodes or ratings a job works on at once, so that none of its endpoints waits for work.

    An episode is at one of its endpoints at a time, so as many as all of them take together are at work; and as many
    again stand in the queue while a prompt is written or an answer is on its way to the disk. They take turns, so that a
    shard's last episodes end together instead of one after the other. What an endpoint gets at once stays its own
    `concurrency`.
    """
    widths: dict[Any, int] = {}
    for name in names:
        model = experiment.model_of(name)
        kind = Source.kind(model)
        widths[kind] = max(widths.get(kind, 0), model.concurrency)
    return 2 * sum(widths.values())


def asked_at_once(experiment: Experiment, name: str) -> int:
    """How many single calls a job has open at once: what a model takes, or what goes into one batch."""
    return MOST_LINES if experiment.model_of(name).batch else in_flight(experiment, [name])


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a script's coroutine to its end; the first error in a task group is raised as itself."""
    try:
        asyncio.run(stoppable(main))
    except BaseExceptionGroup as group:
        raise first_of(group) from None


async def stoppable(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine; a signal to stop cancels it, and it is a `KeyboardInterrupt` that comes out."""
    loop, task, stopped = asyncio.get_running_loop(), asyncio.current_task(), False
    assert task is not None

    def stop() -> None:
        nonlocal stopped
        if stopped:  # who asks twice does not want to wait
            stopping.end()
        stopped = True
        stopping.set_deadline()
        task.cancel()

    if threading.current_thread() is threading.main_thread():
        for number in stopping.SIGNALS:
            loop.add_signal_handler(number, stop)
    try:
        await main
    except asyncio.CancelledError:
        if stopped:
            raise KeyboardInterrupt from None
        raise


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error inside nested groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
