"""Print what a run would do, why, and what it would cost, before anything is spent."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parley.arguments import arguments
from parley.code import ROOT
from parley.config import load
from parley.errors import run_as_script
from parley.estimate.experience import gather
from parley.estimate.forecast import Forecast
from parley.estimate.foresight import foresee
from parley.estimate.plan import plan
from parley.estimate.priors import Priors
from parley.estimate.table import show
from parley.llm.weights import cache_folder
from parley.records.jsonl import write_text


def _plain(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    return [{"rule": f.job.rule, "reasons": f.job.reasons, **asdict(f)} for f in forecasts]


def main() -> None:
    """Parse the arguments, look ahead and print."""
    parser = arguments(__doc__)
    parser.add_argument("--targets", nargs="*", default=[], help="as given to snakemake; the report if none is")
    parser.add_argument("--ledger", type=Path, default=Path("ledger"), help="the folder of all ledgers")
    parser.add_argument(
        "--checksum-limit", type=int, default=500_000_000, help="bytes; larger files are compared by time"
    )
    parser.add_argument("--verbose", action="store_true", help="every job in a line of its own")
    parser.add_argument("--json", type=Path, help="output: the same for programs")
    options = parser.parse_args()
    experiment = load(options.experiment)
    jobs = plan(ROOT / "Snakefile", options.experiment, options.targets, options.checksum_limit)
    priors = Priors(experiment, gather(experiment, options.ledger, cache_folder() / "experience"))
    forecasts = foresee(jobs, experiment, priors, options.ledger)
    text = show(forecasts, experiment, priors.used, verbose=options.verbose)
    print(text, end="")
    if options.json:
        write_text(options.json, json.dumps(_plain(forecasts), indent=1, default=str) + "\n")
    if options.log:
        write_text(options.log, text)


if __name__ == "__main__":
    run_as_script(main)
