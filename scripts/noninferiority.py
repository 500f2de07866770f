"""Compare the knowledge of a policy with the base's: not inferior within the margin, inferior, or open."""

import json
from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.evaluation.noninferiority import verdicts
from parley.progress import Journal
from parley.records.jsonl import read_json, write_text


def main() -> None:
    """Parse the arguments, compare and write."""
    parser = arguments(__doc__)
    parser.add_argument("--result", type=Path, required=True, help="the policy's knowledge")
    parser.add_argument("--baseline", type=Path, required=True, help="the base's knowledge")
    parser.add_argument("--out", type=Path, required=True, help="output: differences and verdicts")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        assert experiment.knowledge is not None, "the experiment has no knowledge test"
        found = verdicts(read_json(options.result), read_json(options.baseline), experiment.knowledge.margin)
        write_text(options.out, json.dumps(found, indent=1, sort_keys=True) + "\n")
        for way, told in found["ways"].items():
            journal.line(f"{way}: {told['verdict']} ({told['difference']:+.4f}, margin {found['margin']})")


if __name__ == "__main__":
    run_as_script(main)
