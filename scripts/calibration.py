"""Calibrate the scores by people's ratings: means, differences to the baseline, and how alike people and judge rate."""

import json
from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.evaluation.calibration import differences, means
from parley.evaluation.concordance import concordance
from parley.evaluation.study import Study
from parley.progress import Journal
from parley.records.frames import write_parquet
from parley.records.jsonl import write_text
from parley.whereabouts import layout_beside


def main() -> None:
    """Parse the arguments, calibrate and write."""
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="output: the scores by people, the judge, and both")
    parser.add_argument("--versus", type=Path, required=True, help="output: the differences to the baseline")
    parser.add_argument("--agreement", type=Path, required=True, help="output: how alike people and the judge rate")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        layout = layout_beside(options.out, load(options.experiment))
        study = Study(layout)
        rated = study.rated()
        write_parquet(options.out, means(rated, study.simulated))
        write_parquet(options.versus, differences(rated, layout.baseline, study.simulated))
        found = concordance(study.marks, study.judged())
        write_text(options.agreement, json.dumps(found, indent=1, sort_keys=True) + "\n")
        for line in study.told():
            journal.line(line)
        if found["alike"]:
            journal.line(f"rated both seats of every episode alike: {', '.join(found['alike'])}")


if __name__ == "__main__":
    run_as_script(main)
