"""What a stretch of work took of this process: wall time, CPU, memory. Standard library only: foreign clients use it too."""

import json
import resource
import time
from pathlib import Path
from typing import Any


def peak_megabytes() -> float:
    """The most memory that this process ever held, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` would count what the parent held when it forked
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def cpu_seconds() -> float:
    """User and system time of this process, its threads included and its children not."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Gauge:
    """Measures from its making to `report`."""

    def __init__(self) -> None:
        self._cpu, self._wall = cpu_seconds(), time.perf_counter()

    def report(self, **more: Any) -> None:
        """Print one line of JSON: `seconds`, `cpu` (s), `peak` (MB), and what else is given."""
        wall, cpu = time.perf_counter() - self._wall, cpu_seconds() - self._cpu
        print(json.dumps({"seconds": wall, "cpu": cpu, "peak": peak_megabytes(), **more}), flush=True)
