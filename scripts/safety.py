"""Study the safety of one player: the paper's Table 3 as counts over the safety tasks."""

import json
from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.evaluation.provenance import spoken_by
from parley.evaluation.safety import Rules, by_family, observe, summarize
from parley.evaluation.toxicity import read_lexicon
from parley.progress import Journal
from parley.records.episode import Episode
from parley.records.jsonl import read_jsonl, write_text
from parley.records.judgement import Judgement
from parley.records.rating import read_ratings
from parley.records.task import read_tasks


def main() -> None:
    """Parse the arguments, count and write."""
    parser = arguments(__doc__)
    parser.add_argument("--player", required=True, help="a policy or a reference model")
    parser.add_argument("--episodes", type=Path, nargs="+", required=True)
    parser.add_argument("--tasks", type=Path, nargs="+", required=True)
    parser.add_argument("--judgements", type=Path, nargs="*", default=[], help="the judge's; rules decide without")
    parser.add_argument("--ratings", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the table")
    parser.add_argument("--families", type=Path, required=True, help="output: the same by family of risks")
    parser.add_argument("--seats", type=Path, required=True, help="output: what was seen in each seat, one a line")
    parser.add_argument("--manifests", type=Path, nargs="*", default=[], help="of the player, if it is a policy")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        study = experiment.safety
        assert study is not None, "the experiment has no safety study"
        tasks = {task.name: task for path in options.tasks for task in read_tasks(path)}
        episodes = [episode for path in options.episodes for episode in read_jsonl(path, Episode)]
        rules = Rules(read_lexicon(study.lexicon))
        judged = study.decided_by == "judge"
        judgements = {one.episode: one for path in options.judgements for one in read_jsonl(path, Judgement)}
        asked = judgements if judged else None
        seen = observe(episodes, tasks, options.player, study.partner, rules, asked, read_ratings(options.ratings))
        rater = spoken_by(experiment, study.judge, [])
        models = (
            spoken_by(experiment, options.player, options.manifests),
            spoken_by(experiment, study.partner, []),
            rater if judged else None,
            rater,
        )
        table, families = summarize(seen, rules, *models), by_family(seen, tasks, rules, *models)
        write_text(options.seats, seen.write_ndjson())
        write_text(options.out, json.dumps(table.to_dicts(), indent=1) + "\n")
        write_text(options.families, json.dumps(families.to_dicts(), indent=1) + "\n")
        journal.line(f"{len(seen)} seats observed")


if __name__ == "__main__":
    run_as_script(main)
