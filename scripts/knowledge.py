"""Test the knowledge of one policy with the multiple-choice questions of the experiment."""

import json
from pathlib import Path

from parley.arguments import arguments
from parley.canonical import seed_from
from parley.config import load
from parley.errors import ParleyError, run_as_script
from parley.evaluation.knowledge import measure, ways
from parley.progress import Journal
from parley.records.jsonl import write_text
from parley.world.prompts import prompt


def main() -> None:
    """Parse the arguments, run the test and write its results."""
    parser = arguments(__doc__)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--adapter", metavar="POLICY=FOLDER", help="the policy's adapter; the base as it is without")
    parser.add_argument("--out", type=Path, required=True, help="output: accuracies with their errors")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        path = experiment.model_of(options.policy).path
        if path is None:
            raise ParleyError(
                f"policies.{options.policy}: the test needs a local checkpoint, and its model has no `path`"
            )
        assert experiment.knowledge is not None, "the experiment has no knowledge test"
        adapter = Path(options.adapter.partition("=")[2]) if options.adapter else None
        template = prompt(experiment.prompts.knowledge)
        seed = seed_from(experiment.seed, options.policy)
        found = measure(Path(path), adapter, experiment.knowledge, template, seed)
        result = {"policy": options.policy, **found}
        write_text(options.out, json.dumps(result, indent=1, sort_keys=True) + "\n")
        for way, part in ways(result).items():
            journal.line(f"accuracy by {way}: {part['overall']}")


if __name__ == "__main__":
    run_as_script(main)
