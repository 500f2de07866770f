"""How fast episodes are played: Parley, sotopia and bare clients side by side against one mock of fixed latency.

`python -m benchmarks.playing` takes about half an hour, `--quick` ten minutes. Every row is a process of its own against a
mock of its own; CPU and memory are those of the client alone. `--sotopia PYTHON` names the Python of an environment
that holds sotopia==0.1.5; without it one is made in Parley's cache folder (once, some minutes).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.mock import running
from parley.llm.weights import cache_folder

ROOT = Path(__file__).resolve().parent.parent
SOTOPIA = "sotopia==0.1.5"
LITELLM = "litellm==1.80.0"  # what that version was released with
TURNS = 20
LEAVE = 0.08  # chance a turn that the talk ends, where lengths vary
HEADER = (
    "| latency | width | lengths | client | episodes/s | calls/s | CPU ms a call | in flight | while fed | peak MB |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Case:
    """One setting that every client meets. With several `jobs`, Parley alone, each has its share of width and episodes."""

    latency: float
    width: int
    vary: bool
    episodes: int
    jobs: int = 1


@dataclass(frozen=True)
class Figures:
    """What a client did in a case.

    `mean` and `fed` are the calls in flight at the mock: of the whole run, and until the last episode began (0 if the
    client has no episodes). `served` is what the mock could serve at most, in calls per second of its CPU.
    """

    client: str
    episodes: float
    calls: float
    cpu: float
    mean: float
    fed: float
    peak: float
    characters: float
    served: float


def quick() -> Iterator[Case]:
    """The cases of the aims."""
    yield Case(0.05, 50, False, 150)
    yield Case(0.05, 50, False, 150, jobs=2)
    yield Case(0.05, 50, True, 150)
    yield Case(1.0, 50, True, 200)
    yield Case(1.0, 200, False, 400)
    yield Case(1.0, 400, False, 800)


def full() -> Iterator[Case]:
    """Every latency, width and kind of length."""
    for latency in (0.0, 0.05, 1.0):
        for vary in (False, True):
            for width in (1, 10, 50, 200, 400):
                waves = 2 if latency >= 1 else 4
                yield Case(latency, width, vary, min(max(4, waves * width), 800))


def measure(command: list[str], client: str, case: Case, episodes: int) -> Figures:
    """Run a client to its end against a mock of its own. Raises `RuntimeError` with its last words if it fails."""
    with running(case.latency, LEAVE if case.vary else 0.0) as mock:
        words = ["--url", mock.url, "--turns", str(TURNS)]
        words += ["--width", str(case.width // case.jobs), "--episodes", str(episodes // case.jobs)]
        with ThreadPoolExecutor(case.jobs) as jobs:
            took = list(jobs.map(lambda _: finished([*command, *words]), range(case.jobs)))
        seen = mock.stats()
    seconds = max(one["seconds"] for one in took)
    return Figures(
        client=client,
        episodes=sum(one["episodes"] for one in took) / seconds,
        calls=seen["calls"] / seconds,
        cpu=1000 * sum(one["cpu"] for one in took) / seen["calls"],
        mean=seen["mean"],
        fed=seen["fed"],
        peak=sum(one["peak"] for one in took),
        characters=seen["characters"],
        served=seen["calls"] / seen["cpu"],
    )


def finished(command: list[str]) -> dict[str, Any]:
    """What a process says of itself at its end. Raises `RuntimeError` with its last words if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def row(case: Case, figures: Figures) -> str:
    """A line of the table."""
    mean, fed = (f"{one / case.width:.0%}" if case.latency and one else "–" for one in (figures.mean, figures.fed))
    cells = [
        f"{1000 * case.latency:g} ms",
        str(case.width),
        "vary" if case.vary else str(TURNS),
        figures.client if case.jobs == 1 else f"{figures.client}, {case.jobs} jobs",
        f"{figures.episodes:.1f}" if figures.client in ("Parley", "sotopia") else "–",
        f"{figures.calls:.0f}",
        f"{figures.cpu:.2f}",
        mean,
        fed,
        f"{figures.peak:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def clients(sotopia: Path | None) -> dict[str, list[str]]:
    """The command of each client."""
    python = [sys.executable, "-m"]
    found = {
        "aiohttp alone": [*python, "benchmarks.client_bare", "--client", "aiohttp"],
        "openai alone": [*python, "benchmarks.client_bare", "--client", "openai"],
        "Parley": [*python, "benchmarks.client_parley"],
    }
    return found | ({"sotopia": [str(sotopia), "-m", "benchmarks.client_sotopia"]} if sotopia else {})


def sotopia_python(given: str | None) -> Path | None:
    """The Python of sotopia's environment, which is made if none is given; None, and a line on stderr, if it cannot be."""
    folder = cache_folder() / "sotopia-0.1.5"
    python = Path(given) if given else folder / "bin/python"
    try:
        if not given and not python.exists():
            print(f"making {folder} with {SOTOPIA} (once, some minutes)", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            packages = [SOTOPIA, LITELLM]
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        subprocess.run([str(python), "-c", "import importlib.metadata as m; m.version('sotopia')"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"sotopia is left out: {python} does not hold it ({error})", file=sys.stderr, flush=True)
        return None
    return python.absolute()


def enough(client: str, case: Case) -> int:
    """How many episodes show a client's pace: sotopia plays in whole batches, a bare client has no lengths."""
    if client == "Parley":
        return case.episodes
    return min(case.episodes, 2 * case.width) if client == "sotopia" else max(1, case.width // 2)


def compare(cases: Iterator[Case], sotopia: Path | None) -> None:
    """Print a row for every case and client, and the mock's own ceiling."""
    print(HEADER, flush=True)
    served: list[float] = []
    prompts: dict[str, float] = {}
    for case in cases:
        for client, command in clients(sotopia).items():
            if case.jobs > 1 and client != "Parley":
                continue
            try:
                figures = measure(command, client, case, enough(client, case))
            except RuntimeError as error:
                print(f"{client} left out here: {error}", file=sys.stderr, flush=True)
                continue
            served.append(figures.served)
            prompts[client] = figures.characters
            print(row(case, figures), flush=True)
    sizes = ", ".join(f"{client} {size:.0f}" for client, size in prompts.items())
    print(f"\nThe mock could serve {min(served):.0f} to {max(served):.0f} calls per second of its CPU.")
    print(f"Characters a prompt, of the last case: {sizes}.")


def memory(counts: tuple[int, ...]) -> None:
    """Print Parley's peak memory for more and more episodes of which 50 are in flight."""
    print("\n| episodes | peak MB |\n|---|---|", flush=True)
    for count in counts:
        figures = measure(clients(None)["Parley"], "Parley", Case(0.0, 50, False, count), count)
        print(f"| {count} | {figures.peak:.1f} |", flush=True)


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only the cases that have aims")
    parser.add_argument(
        "--sotopia", metavar="PYTHON", help="of an environment that holds sotopia; `none` leaves it out"
    )
    options = parser.parse_args()
    sotopia = None if options.sotopia == "none" else sotopia_python(options.sotopia)
    print(f"{machine(['aiohttp', 'openai', 'pydantic'])}\n")
    compare(quick() if options.quick else full(), sotopia)
    memory((100, 400, 1600, 6400))


if __name__ == "__main__":
    main()
