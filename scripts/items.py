"""Sample the episodes that people rate: what they see, and the key that tells whose episode it is."""

from collections import Counter
from pathlib import Path

import polars as pl

from parley.annotate.sampling import draw, items
from parley.arguments import arguments
from parley.config import load
from parley.errors import ParleyError, run_as_script
from parley.evaluation.scores import places
from parley.progress import Journal
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.frames import write_parquet
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.rating import read_ratings
from parley.records.task import read_tasks


def main() -> None:
    """Parse the arguments, draw, and write items and key."""
    parser = arguments(__doc__)
    parser.add_argument("--episodes", type=Path, nargs="+", required=True)
    parser.add_argument("--ratings", type=Path, nargs="+", required=True, help="of those episodes, by the judge")
    parser.add_argument("--tasks", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the items")
    parser.add_argument("--key", type=Path, required=True, help="output: whose the items are")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        study = experiment.human
        if study is None:
            raise ParleyError(f"{options.experiment}: no study is configured; add `human: {{evaluation: …}}`")
        evaluation = experiment.evaluations[study.evaluation]
        tasks = {task.name: task for path in options.tasks for task in read_tasks(path)}
        there = places(evaluation, list(tasks.values()))
        episodes = [one for path in options.episodes for one in read_jsonl(path, Episode)]
        rated = read_ratings(options.ratings).filter(pl.col("failure").is_null())
        seed = experiment.seed if study.seed is None else study.seed
        players = study.players or experiment.measured()
        drawn = draw(
            [episode for episode in episodes if (episode.task, episode.cast) in there],
            set(rated["episode"].to_list()),
            tasks,
            players,
            evaluation.partner,
            study.per_policy,
            seed,
        )
        characters = read_characters(experiment.world.characters)
        found, key = items(drawn, tasks, characters, study.evaluation, evaluation.judge, seed)
        write_jsonl(options.out, found)
        write_parquet(options.key, key)
        counts = Counter(one.player for one in drawn)
        for player in players:
            short = f" of {study.per_policy} wanted" if counts[player] < study.per_policy else ""
            journal.line(f"{player}: {counts[player]} episodes{short}")


if __name__ == "__main__":
    run_as_script(main)
