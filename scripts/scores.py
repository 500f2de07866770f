"""Score one player in one evaluation; with a baseline, the paired differences to it instead."""

from pathlib import Path

from parley.arguments import arguments
from parley.canonical import file_digest
from parley.config import load
from parley.errors import run_as_script
from parley.evaluation.provenance import spoken_by
from parley.evaluation.scores import paired, places, scores, seats_of
from parley.evaluation.teaching import taught
from parley.progress import Journal
from parley.records.frames import write_parquet
from parley.records.rating import read_ratings
from parley.records.score import Provenance
from parley.records.task import read_tasks


def main() -> None:
    """Parse the arguments, score and write."""
    parser = arguments(__doc__)
    parser.add_argument("--player", required=True, help="a policy or a reference model")
    parser.add_argument("--evaluation", required=True)
    parser.add_argument("--ratings", type=Path, nargs="+", required=True)
    parser.add_argument("--tasks", type=Path, nargs="+", required=True)
    parser.add_argument("--baseline", help="compare with this policy")
    parser.add_argument("--baseline-ratings", type=Path, nargs="+", default=[])
    parser.add_argument("--out", type=Path, required=True, help="output: the scores, or the differences")
    parser.add_argument("--manifests", type=Path, nargs="*", default=[], help="of the player, if it is a policy")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        evaluation = experiment.evaluations[options.evaluation]
        among = places(evaluation, [task for path in options.tasks for task in read_tasks(path)])
        ratings = read_ratings(options.ratings)
        if options.baseline:
            mine = seats_of(ratings, options.player, evaluation.partner, among)
            base = seats_of(read_ratings(options.baseline_ratings), options.baseline, evaluation.partner, among)
            table = paired(mine, base, options.evaluation)
        else:
            source = Provenance(
                policy=options.player,
                evaluation=options.evaluation,
                partner=evaluation.partner,
                judge=evaluation.judge,
                policy_model=spoken_by(experiment, options.player, options.manifests),
                partner_model=spoken_by(experiment, evaluation.partner, []),
                judge_model=spoken_by(experiment, evaluation.judge, []),
                judge_prompt=file_digest(experiment.prompts.rating),
                taught=taught(experiment, options.player, evaluation.judge),
            )
            table = scores(ratings, source, among, experiment.play.replicates)
        write_parquet(options.out, table)
        journal.line(f"{len(table)} rows over {len(among)} task and cast pairs")


if __name__ == "__main__":
    run_as_script(main)
