"""Compare the judges of one evaluation: agreement, gains, the order of the agents in the prompt, verbosity."""

import json
from pathlib import Path

import polars as pl

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.evaluation.judges import Bench, compare_judges
from parley.evaluation.scores import places
from parley.evaluation.teaching import pupils
from parley.evaluation.verbosity import talk_of
from parley.layout import Layout
from parley.progress import Journal
from parley.records.episode import Episode
from parley.records.jsonl import iterate_jsonl, write_text
from parley.records.rating import read_ratings
from parley.records.task import read_tasks
from parley.whereabouts import layout_beside


def bench(layout: Layout, evaluation: str) -> Bench:
    """What lies in the experiment's folder of the judges of an evaluation."""
    experiment = layout.experiment
    study = experiment.evaluations[evaluation]
    plays = layout.judged_plays(evaluation)

    def marks(swapped: bool, judge: str) -> pl.DataFrame:
        files = layout.swapped if swapped else layout.ratings
        return read_ratings([path for play in plays for path in files(*play, judge)])

    played = (
        episode for play in plays for path in layout.episodes(*play) for _, episode in iterate_jsonl(path, Episode)
    )
    both = study.judges if study.orders == "both" else ()
    return Bench(
        evaluation=evaluation,
        partner=study.partner,
        players=experiment.measured(),
        baseline=layout.baseline,
        among=places(study, [task for path in layout.tasks(study.tasks) for task in read_tasks(path)]),
        ratings={judge: marks(False, judge) for judge in study.judges},
        talk=talk_of(played),
        swapped={judge: marks(True, judge) for judge in both},
        taught={judge: pupils(experiment, judge) for judge in study.judges},
    )


def main() -> None:
    """Parse the arguments, compare and write."""
    parser = arguments(__doc__)
    parser.add_argument("--evaluation", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the comparison, as JSON")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        found = compare_judges(bench(layout_beside(options.out, load(options.experiment)), options.evaluation))
        write_text(options.out, json.dumps(found, indent=1) + "\n")
        journal.line(f"{len(found['judges'])} judges, {len(found['scores'])} scores")


if __name__ == "__main__":
    run_as_script(main)
