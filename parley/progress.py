"""Progress of long work: counts, rate and time left; a live line on a terminal, plain lines in the job's log."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from parley.errors import ParleyError


def span(seconds: float) -> str:
    """A time span as people say it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Journal:
    """A job's log: plain lines in a file; what a person should see at once goes to stderr too."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", buffering=1)

    def line(self, text: str, aloud: bool = False) -> None:
        """Write one line to the log, and to stderr if `aloud` or if there is no log."""
        if self._file is not None:
            try:
                self._file.write(f"{time.strftime('%H:%M:%S')} {text}\n")
            except OSError:  # a full disk: what the job does and says must not depend on its log
                aloud = True
        if aloud or self._file is None:
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:  # else whoever catches the error says it where this would
            if error is not None:
                self.line(f"error: {error}" if isinstance(error, ParleyError) else f"{type(error).__name__}: {error}")
            with suppress(OSError):
                self._file.close()


class Progress:
    """Counts done things of a known total and says so now and then: every `every` seconds, and at the end.

    Work of hours is told of less and less often, so that its log stays one that a person reads.
    """

    def __init__(self, journal: Journal, what: str, total: int, every: float = 5.0) -> None:
        self._journal, self._what, self._total, self._every = journal, what, total, every
        self._done, self._note = 0, ""
        self._start = self._last = time.monotonic()

    def step(self, count: int = 1, note: str = "") -> None:
        """`count` more are done."""
        self.at(self._done + count, note)

    def at(self, done: int, note: str = "") -> None:
        """`done` of the total are done."""
        self._done, self._note = done, note
        now = time.monotonic()
        if now - self._last >= self._every * max(1.0, (now - self._start) / 500) or done >= self._total:
            self._last = now
            self._journal.line(self.text(now - self._start), aloud=sys.stderr.isatty())

    def text(self, elapsed: float) -> str:
        """One line: what, how many of how many, how fast, how long still."""
        rate = self._done / elapsed if elapsed > 0 else 0.0
        share = f"{self._what}: {self._done}/{self._total} ({100 * self._done // max(1, self._total)} %)"
        if self._done >= self._total:
            end = f"in {span(elapsed)}"
        else:
            end = f"{rate:.1f}/s, {span((self._total - self._done) / rate)} left" if rate else "starting"
        return ", ".join(part for part in (share, end, self._note) if part)
