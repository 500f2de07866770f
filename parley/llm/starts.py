"""Starts: how much of a job's time goes into loading local engines, and what to do if that is much."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

#: The share of a job's time above which its shards are too small.
MUCH = 0.10
_LINE = re.compile(r"serving: (\d+) starts? took (\d+\.\d) s of the job's (\d+\.\d) s ")


@dataclass(frozen=True)
class Starts:
    """How often a job started engines, for how many seconds it waited for them, and for how many it lasted."""

    count: int
    seconds: float
    job: float

    @classmethod
    def of(cls, spans: Iterable[tuple[float, float]], job: float) -> Self:
        """From the begin and end of each start, on one clock. Engines that start side by side are waited for once."""
        ordered = sorted(spans)
        seconds, reached = 0.0, float("-inf")
        for begin, end in ordered:
            seconds += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        return cls(len(ordered), seconds, max(job, seconds))

    @classmethod
    def read(cls, line: str) -> Self | None:
        """What `line` wrote, found in a line of a log; None if it is another line."""
        found = _LINE.search(line)
        return cls(int(found[1]), float(found[2]), float(found[3])) if found else None

    @property
    def share(self) -> float:
        """The part of the job's time that the starts took."""
        return self.seconds / self.job if self.job else 0.0

    @property
    def line(self) -> str:
        """One line for the job's log, with advice where the starts take more than they should."""
        starts = "1 start" if self.count == 1 else f"{self.count} starts"
        text = f"serving: {starts} took {self.seconds:.1f} s of the job's {self.job:.1f} s ({100 * self.share:.0f} %)"
        if self.share <= MUCH:
            return text
        return f"{text}; {self.advice}"

    @property
    def advice(self) -> str:
        """How many times larger a shard has to be for the starts to be a tenth of its job."""
        work = self.job - self.seconds
        times = self.seconds * (1 - MUCH) / MUCH / work if work > 0 else float("inf")
        much = f"about {times:.1f} times as much work" if times < 1000 else "much more work"
        return f"more than {100 * MUCH:.0f} %: fewer `shards` give each job {much}"
