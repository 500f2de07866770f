"""Are the files there that a config names? Snakemake would tell it by the rule that misses them, not by the key."""

from collections.abc import Collection, Iterator
from pathlib import Path

from parley.config import Experiment
from parley.errors import ParleyError


def check_files(experiment: Experiment, made: Collection[str]) -> None:
    """Raise `ParleyError` naming the key for a file that the config names and that is not there.

    `made` are the files that a rule brings in when they are missing.
    """
    for key, path in _named(experiment):
        if path not in made and not Path(path).exists():
            raise ParleyError(f"config: {key}: there is no file {path}; correct the path, or put the file there")


def _named(experiment: Experiment) -> Iterator[tuple[str, str]]:
    world, prompts = experiment.world, experiment.prompts
    yield "world.characters", world.characters
    yield "world.relationships", world.relationships
    if any(entry.file is None for entry in experiment.task_sets.values()):
        yield "world.keywords", world.keywords
    for name, entry in experiment.task_sets.items():
        if entry.file is not None:
            yield f"task_sets.{name}.file", entry.file
    yield from ((f"prompts.{name}", path) for name, path in prompts.model_dump().items() if path)
