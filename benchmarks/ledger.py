"""The ledger at a million calls: `python benchmarks/ledger.py [--records 1000000] [--shards 64 1]`.

Writes a stage of episodes (20 turns, prompts that grow) and measures what a job meets in it: keeping calls, finding
them, replaying a shard, starting, room on disk, memory. Every step runs in a process of its own.
"""

import argparse
import asyncio
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from random import Random
from statistics import median
from typing import TypeVar

from benchmarks.machine import machine
from benchmarks.traffic import TURNS, Setting, episode
from parley.llm.call import Reply, Request
from parley.llm.ledger import Ledger

T = TypeVar("T")
Call = tuple[Request, Reply]
NEW = 10**9  # episodes from here on are in no file


def shard_path(stage: Path, shard: int) -> Path:
    """Where a shard lies, as the rules have it."""
    return stage / "round1" / "expert+partner" / f"{shard:02}.sqlite"


def rounds(setting: Setting, numbers: Sequence[int], in_flight: int) -> Iterator[list[Call]]:
    """The calls of episodes in groups that end at once: one turn each of `in_flight` episodes."""
    for start in range(0, len(numbers), in_flight):
        talks = [episode(setting, number) for number in numbers[start : start + in_flight]]
        for group in zip_longest(*talks):
            yield [call for call in group if call is not None]


# -- steps: each runs in a process of its own ------------------------------------------------------------------------


def fill(path: Path, numbers: Sequence[int], in_flight: int) -> tuple[int, int, float, float]:
    """Keep episodes in a file. Returns (calls, bytes of their prompts, wall and CPU seconds in the ledger)."""
    calls = raw = 0
    wall = cpu = 0.0

    async def work(ledger: Ledger) -> None:
        nonlocal calls, raw, wall, cpu
        for group in rounds(Setting.default(), numbers, in_flight):
            calls += len(group)
            raw += sum(len(message["content"].encode()) for request, _ in group for message in request.messages)
            before, worked = time.perf_counter(), time.process_time()
            await asyncio.gather(*(ledger.keep(request, reply) for request, reply in group))
            wall += time.perf_counter() - before
            cpu += time.process_time() - worked

    with Ledger(path) as ledger:
        asyncio.run(work(ledger))
    return calls, raw, wall, cpu


def put_alone(path: Path, count: int) -> tuple[float, float]:
    """Seconds of the first `put` into a file that is full, and of the median one after it."""
    calls = list(islice((call for group in rounds(Setting.default(), range(NEW, NEW + 9), 9) for call in group), count))
    with Ledger(path) as ledger:
        times = [timed(lambda call=call: ledger.put(*call)) for call in calls]  # type: ignore[misc]
    return times[0], median(times[1:])


def look_up(path: Path, numbers: Sequence[int]) -> tuple[float, float]:
    """Median seconds of finding a call, and of not finding one, in one file."""
    setting = Setting.default()
    keys = [request.key for number in numbers for request, _ in episode(setting, number)]
    Random(1).shuffle(keys)
    with Ledger(path) as ledger:
        ledger.get(keys[0])
        hits = [timed(lambda key=key: ledger.get(key)) for key in keys]  # type: ignore[misc]
        misses = [timed(lambda key=key: ledger.get(key[::-1])) for key in keys]  # type: ignore[misc]
        assert all(ledger.get(key) for key in keys)
    return median(hits), median(misses)


def replay(path: Path, numbers: Sequence[int]) -> tuple[int, float, float]:
    """Find every call of a shard again. Returns (calls, CPU seconds for their keys, wall seconds in the ledger)."""
    calls, keys, found = 0, 0.0, 0.0
    setting = Setting.default()
    with Ledger(path) as ledger:
        for number in numbers:
            for request, _ in episode(setting, number):
                fresh = replace(request)  # its key is not known yet
                before = time.process_time()
                key = fresh.key
                keys += time.process_time() - before
                found += timed(lambda key=key: ledger.get(key))  # type: ignore[misc]
                calls += 1
        assert ledger.totals()[0].replays == calls
    return calls, keys, found


def start(path: Path, stage: Path | None, number: int, count: int) -> float:
    """Seconds to open a ledger and ask for `count` calls from episode `number` on."""
    setting = Setting.default()
    talks = (episode(setting, one) for one in range(number, number + count))
    keys = [request.key for request, _ in islice((call for talk in talks for call in talk), count)]
    before = time.perf_counter()
    with Ledger(path, stage) as ledger:
        for key in keys:
            ledger.get(key)
        return time.perf_counter() - before


# -- the measurement -------------------------------------------------------------------------------------------------


def timed(act: Callable[[], object]) -> float:
    """Wall seconds of `act`."""
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def alone(step: Callable[..., T], *arguments: object) -> tuple[T, float]:
    """What `step` returns in a process of its own, and the peak memory of that process in MiB."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_weighed, step, *arguments).result()


def _weighed(step: Callable[..., T], *arguments: object) -> tuple[T, float]:
    result = step(*arguments)
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(root: Path, records: int, shards: int, in_flight: int) -> Iterator[tuple[str, str]]:
    """(what, figure) one after the other, over a stage of `records` calls in `shards` files."""
    stage = root / "episodes"
    episodes = [range(shard, records // TURNS, shards) for shard in range(shards)]
    calls = raw = 0
    wall = cpu = 0.0
    for shard in range(shards):
        filled, memory = alone(fill, shard_path(stage, shard), episodes[shard], in_flight)
        calls, raw, wall, cpu = calls + filled[0], raw + filled[1], wall + filled[2], cpu + filled[3]
    own, mine = shard_path(stage, 0), episodes[0]
    _, bare = alone(start, root / "none.sqlite", None, 0, 1)
    size = sum(path.stat().st_size for path in stage.rglob("*.sqlite"))
    yield "calls kept", f"{calls:,} in {shards} file(s), {in_flight} in flight"
    yield "keep, in groups", f"{wall / calls * 1e6:.0f} µs a call, {cpu / calls * 1e6:.0f} µs of it CPU"
    yield "on disk", f"{size / 2**20:,.0f} MiB; prompts as sent {raw / 2**20:,.0f} MiB: {raw / size:.1f} times as much"
    yield "on disk, a call", f"{size / calls:,.0f} bytes for {raw / calls:,.0f} of prompt"
    yield f"on disk, {TURNS} turns", f"{size / calls * TURNS / (raw / calls):.2f} copies of a mean prompt"
    yield "memory, writing a file", f"{memory:.0f} MiB (a process that only opens a ledger: {bare:.0f})"
    (first, then), memory = alone(put_alone, own, 100)
    yield "put into a full file", f"{first * 1e3:.1f} ms the first, {then * 1e3:.2f} ms then; {memory:.0f} MiB"
    (hit, miss), memory = alone(look_up, own, Random(2).sample(mine, min(100, len(mine))))
    yield "look-up", f"{hit * 1e6:.0f} µs a hit, {miss * 1e6:.0f} µs a miss; {memory:.0f} MiB"
    (replayed, keys, found), memory = alone(replay, own, mine[:1000])
    yield f"replay of {replayed:,} calls", f"{found:.2f} s, and {keys:.2f} s of CPU for their keys; {memory:.0f} MiB"
    for what, below, number, count in (
        ("start, a call of the own file", None, mine[0], 1),
        ("the same with the stage around", stage, mine[0], 1),
        ("1 call that no file has", stage, NEW + 100, 1),
        ("20 calls that no file has", stage, NEW + 200, 20),
        ("2,000 calls that no file has", stage, NEW + 300, 2000),
    ):
        seconds, memory = alone(start, own, below, number, count)
        yield what, f"{seconds * 1e3:,.1f} ms; {memory:.0f} MiB"
    if shards > 1:
        seconds, memory = alone(start, stage / "round1" / "expert+partner" / "new.sqlite", stage, 0, 2000)
        yield "2,000 calls that other files have", f"{seconds * 1e3:,.1f} ms; {memory:.0f} MiB"


def main() -> None:
    """Measure and print one table for each number of shards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="calls in the stage (default: a million)")
    parser.add_argument("--shards", type=int, nargs="+", default=[64, 1], help="files that they lie in (default: 64 1)")
    parser.add_argument("--in-flight", type=int, default=50, help="episodes played at once (default: 50)")
    parser.add_argument("--folder", type=Path, help="where to write; removed at the end (default: a temporary folder)")
    options = parser.parse_args()
    print(machine(), flush=True)
    for shards in options.shards:
        root = Path(tempfile.mkdtemp(prefix="ledger-", dir=options.folder))
        try:
            for what, figure in measure(root, options.records, shards, options.in_flight):
                print(f"  {what:34} {figure}", flush=True)
        finally:
            with suppress(OSError):
                shutil.rmtree(root)


if __name__ == "__main__":
    main()
