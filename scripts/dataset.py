"""Collect the kept turns of a policy's selection as training samples, each prompt as it was sent at play."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.learning.dataset import samples, write_dataset
from parley.progress import Journal
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.frames import read_parquet
from parley.records.jsonl import read_jsonl
from parley.records.task import read_tasks
from parley.world.observation import Renderer
from parley.world.prompts import prompt

SIMULATED = "The speakers of this dataset are scripted stand-ins, not people and not language models."


def main() -> None:
    """Parse the arguments, collect and write the dataset folder."""
    parser = arguments(__doc__)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--selection", type=Path, required=True)
    parser.add_argument("--episodes", type=Path, nargs="+", required=True)
    parser.add_argument("--tasks", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: manifest.json of the dataset folder")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        source = experiment.policies[options.policy].learns_from
        assert source is not None, f"{options.policy} is not trained"
        renderer = Renderer(
            prompt(experiment.prompts.turn),
            experiment.play,
            {task.name: task for path in options.tasks for task in read_tasks(path)},
            read_characters(experiment.world.characters),
        )
        episodes = [episode for path in options.episodes for episode in read_jsonl(path, Episode)]
        selection = read_parquet(options.selection)
        found = samples(selection, episodes, renderer.messages)
        simulated = source.played and any(
            experiment.model_of(player).engine == "playhouse" for player in source.players
        )
        facts = {
            "selection": source.selection.words(),
            "players": " and ".join(source.players),
            "task set": source.tasks,
            "judge": source.judge,
            **({} if source.played else {"episodes": source.episodes, "ratings": source.ratings}),
        }
        title = f"{experiment.experiment}: samples of {options.policy}"
        write_dataset(options.out.parent, found, selection, title, facts, SIMULATED if simulated else None)
        journal.line(f"{len(found.frame)} samples, turns dropped: {found.dropped}")


if __name__ == "__main__":
    run_as_script(main)
