"""Play every task and cast of a shard with two players."""

from argparse import Namespace
from collections import Counter
from pathlib import Path

from parley.arguments import arguments
from parley.errors import run_as_script
from parley.job import Stage, in_flight, run
from parley.progress import Journal, Progress
from parley.records.character import read_characters
from parley.records.episode import Episode
from parley.records.spool import Spool
from parley.records.task import read_tasks
from parley.world.casting import check_casts
from parley.world.observation import Renderer
from parley.world.playing import parts, play_all
from parley.world.prompts import prompt


async def play(options: Namespace, journal: Journal) -> None:
    """Play the shard and write its episodes."""
    stage = Stage.of("episodes", options, journal)
    experiment = stage.experiment
    first, second = options.players.split("+")
    tasks = {task.name: task for task in read_tasks(options.tasks)}
    characters = read_characters(experiment.world.characters)
    for task in tasks.values():
        check_casts(task, characters, str(options.tasks))
    renderer = Renderer(prompt(experiment.prompts.turn), experiment.play, tasks, characters)
    wanted = parts(tasks.values(), experiment.play.replicates)
    progress = Progress(
        journal, f"episodes {options.players} {options.tasks.parent.name} {options.tasks.stem}", len(wanted)
    )
    endings = Counter[str]()

    def ended(number: int, episode: Episode) -> None:
        spool.put(number, episode)
        endings[episode.ending] += 1
        if episode.failed:
            journal.line(f"failed: {episode.task} {'+'.join(episode.cast)}: {episode.failure}")
        progress.step(note=f"{endings['failed']} failed" if endings["failed"] else "")

    with Spool(options.out, len(wanted)) as spool:
        async with stage.speakers([first, second], options.adapter) as speakers:
            await play_all(
                wanted,
                (first, second),
                speakers,
                renderer,
                prompt(experiment.prompts.retry),
                experiment.seed,
                in_flight(experiment, (first, second)),
                ended,
            )
        spool.publish()
    journal.line(f"{len(wanted)} episodes: {', '.join(f'{count} {how}' for how, count in sorted(endings.items()))}")


def main() -> None:
    """Parse the arguments and play."""
    parser = arguments(__doc__)
    Stage.arguments(parser)
    parser.add_argument("--players", required=True, help="two policies or models, in seat order: a+b")
    parser.add_argument("--tasks", type=Path, required=True, help="the shard, with casts")
    parser.add_argument("--out", type=Path, required=True, help="output: the episodes")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(play(options, journal))


if __name__ == "__main__":
    run_as_script(main)
