"""The test of resumption for as long as one likes: `python -m tests.soak --minutes 30 [--seed 1]`.

Each round is a run under load that is struck at twenty random moments, compared with a run that nothing strikes.
"""

import argparse
import tempfile
import time
from pathlib import Path
from random import Random

from tests.counting import counting
from tests.disturbance import CONCURRENCY, CORES, disturb, moments, outcome, under_load
from tests.workflow import Workshop


def main() -> None:
    """Strike runs until the time is up; stop with status 1 at the first that does not end as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--moments", type=int, default=20, help="a round")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    started, number = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="parley-soak-") as folder:
        with counting() as tally:
            workshop = Workshop(Path(folder, "undisturbed"), under_load(tally.base_url))
            workshop.run("scores")
            calls, expected = tally.read()["answered"], outcome(workshop)
        print(f"undisturbed: {calls} calls, {time.monotonic() - started:.0f} s", flush=True)
        while time.monotonic() - started < 60 * options.minutes:
            rng = Random(options.seed + number)
            with counting() as tally:
                workshop = Workshop(Path(folder, f"{number}"), under_load(tally.base_url))
                plan = moments(rng, options.moments, calls)
                damage = disturb(workshop, tally, plan, rng, "scores")
                took = tally.read()
            found = outcome(workshop)
            wrong = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
            bound = damage.struck.total() * CORES * CONCURRENCY
            slowest = max((seconds for _, seconds in damage.stopped), default=0.0)
            print(
                f"seed {options.seed + number}: {dict(damage.struck)}, {took['twice']} of {calls} calls made twice "
                f"(bound {bound}), slowest stop {slowest:.1f} s, {len(wrong)} files differ {wrong[:3]}",
                flush=True,
            )
            if wrong or took["twice"] > bound or took["answered"] - took["twice"] != calls:
                raise SystemExit("\n".join(["NOT THE SAME", *damage.outputs[-2:]]))
            number += 1


if __name__ == "__main__":
    main()
