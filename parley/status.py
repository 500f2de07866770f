"""`status`: how far an experiment is, in a page of plain lines, while a run of it is going on or not.

It reads files and ledgers alone: it asks neither Snakemake nor the cluster, and disturbs no run.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from parley.config import Experiment, load
from parley.errors import run_as_script
from parley.layout import Layout
from parley.lock import Holder, holder_of
from parley.progress import span
from parley.watch.calls import LATELY, Calls, calls
from parley.watch.efficiency import Efficiency, efficiencies
from parley.watch.jobs import STATES, Job, jobs

#: The stages whose jobs have a ledger of their name.
ASKING = ("tasks", "episodes", "ratings", "judgements", "canary", "human")
#: The most running or failed jobs that get a line of their own.
LINES = 20


def status(experiment: Experiment, root: str = "results", ledger: Path = Path("ledger")) -> Iterator[str]:
    """The lines of the page."""
    layout = Layout(experiment, root)
    holder = holder_of(layout.results)
    found = list(jobs(layout, holder))
    yield from _headline(experiment.experiment, found, holder)
    yield from _stages(found)
    yield from _single(found)
    asking = [ledger / f"{job.name}.sqlite" for job in found if job.stage in ASKING]
    yield from _calls(calls(experiment, asking))
    yield from _efficiency(efficiencies(layout), found)


def _headline(name: str, found: Sequence[Job], holder: Holder | None) -> Iterator[str]:
    counts = Counter(job.state for job in found)
    parts = [f"{counts['done']} of {len(found)} jobs done"]
    parts += [f"{counts[state]} {state}" for state in STATES[1:] if counts[state]]
    run = "no run is at it" if holder is None else f"a run is at it: {holder.who}, for {span(holder.age)}"
    yield f"{name}: {', '.join(parts)}; {run}"


def _stages(found: Sequence[Job]) -> Iterator[str]:
    yield f"  {'':<12}" + "".join(f"{state:>9}" for state in STATES)
    for stage in dict.fromkeys(job.stage for job in found):
        counts = Counter(job.state for job in found if job.stage == stage)
        yield f"  {stage:<12}" + "".join(f"{counts[state] or '-':>9}" for state in STATES)


def _single(found: Sequence[Job]) -> Iterator[str]:
    """The jobs that a person may want to look at."""
    for state in ("running", "failed", "stopped"):
        some = [job for job in found if job.state == state]
        for job in some[:LINES]:
            yield f"{state}: {job.name}: {job.said or 'nothing said yet'} ({span(job.silent)} ago)"
        if len(some) > LINES:
            yield f"{state}: and {len(some) - LINES} more"


def _calls(sums: Calls) -> Iterator[str]:
    pace = f", {60 * sums.lately / LATELY:.1f} a minute lately" if sums.lately else ""
    tokens = f"{sums.prompt_tokens:,} + {sums.completion_tokens:,} tokens"
    money = ", ".join(f"{amount:.4f} {currency}" for currency, amount in sorted(sums.money.items())) or "no money"
    missing = f", without {', '.join(sorted(sums.unpriced))}, whose price is not known" if sums.unpriced else ""
    yield f"calls: {sums.answered:,} answered{pace}, {sums.given_up:,} given up; {tokens}; {money}{missing}"
    for path in sums.unreadable:
        yield f"calls: {path} cannot be read and is left out"


def _efficiency(found: Sequence[Efficiency], all_jobs: Sequence[Job]) -> Iterator[str]:
    if not found:
        return
    yield "finished jobs: the most that one used, of what was asked for"
    yield f"  {'':<12}{'jobs':>5}{'memory, MB':>18}{'time':>28}{'cores':>8}{'starts':>8}"
    for one in found:
        starts = [job.starts for job in all_jobs if job.stage == one.stage and job.starts is not None]
        job_time = sum(each.job for each in starts)
        yield (
            f"  {one.stage:<12}{one.jobs:>5}"
            f"{_of(one.memory, one.asked_memory, '{:.0f}'.format):>18}"
            f"{_of(one.seconds, one.asked_seconds, span):>28}"
            f"{_share(one.cores):>8}"
            f"{_share(sum(each.seconds for each in starts) / job_time if job_time else None):>8}"
        )


def _of(some: float | None, asked: float | None, said: Callable[[float], str]) -> str:
    used = "?" if some is None else said(some)
    return used if asked is None else f"{used} of {said(asked)}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def attach(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `status` to the commands of `parley`."""
    words = __doc__ or ""
    _options(commands.add_parser("status", help="how far an experiment is", description=words)).set_defaults(run=_show)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments and print."""
    _show(_options(argparse.ArgumentParser(prog="python -m parley.status", description=__doc__)).parse_args(argv))


def _options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--experiment", type=Path, default=Path("config.yaml"), help="the config (YAML or JSON)")
    parser.add_argument("--ledger", type=Path, default=Path("ledger"), help="the folder of all ledgers")
    return parser


def _show(options: argparse.Namespace) -> None:
    for line in status(load(options.experiment), ledger=options.ledger):
        print(line)
    sys.stdout.flush()


if __name__ == "__main__":
    run_as_script(main)
