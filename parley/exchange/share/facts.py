"""What a card says of an experiment: who speaks under a name, what the sources' licence is, what was simulated."""

from collections.abc import Iterator
from pathlib import Path

from parley.config import Experiment
from parley.records.jsonl import read_json

#: The licence of what Parley ships: tasks, characters and keywords of its own.
OWN = "apache-2.0"
#: Where an import says what it is; beside the file, or for all files of the folder.
PROVENANCE = ("{stem}.provenance.json", "provenance.json")
SIMULATED = "Made in a simulated world: scripted speakers and judges, no people and no language models."


def speaker(experiment: Experiment, name: str) -> str:
    """Who speaks under the name of a model or a policy: what a reader outside of the experiment can look up."""
    model = experiment.model_of(name)
    said = model.name or Path(str(model.path)).name
    if model.revision:
        said += f" at {model.revision}"
    if name in experiment.policies:
        said = f"policy `{name}` on {said}" if experiment.trained(name) else said
    kind = "scripted" if model.engine == "playhouse" else model.engine
    return f"{said} ({kind}, temperature {model.temperature:g})"


def sources(experiment: Experiment, policy: str) -> Iterator[Path]:
    """The files that the texts of a policy's samples come from: characters, and tasks or the keywords of tasks."""
    entry = experiment.policies[policy]
    yield Path(experiment.world.characters)
    if entry.learns_from is not None:
        task_set = experiment.task_sets[entry.learns_from.tasks]
        yield Path(task_set.file or experiment.world.keywords)
    if entry.parent is not None and experiment.trained(entry.parent):
        yield from sources(experiment, entry.parent)


def licences(experiment: Experiment, policy: str) -> list[str]:
    """The licences of those files, as their imports state them, sorted; those of files of one's own are not known."""
    found = set()
    for path in sources(experiment, policy):
        for form in PROVENANCE:
            beside = path.with_name(form.format(stem=path.stem))
            if beside.is_file() and (licence := read_json(beside).get("licence")):
                found.add(str(licence).lower())
                break
    return sorted(found)


def licence(experiment: Experiment, policy: str, wanted: str | None) -> str:
    """The licence of a card: the one that is wanted, else that of what was brought in, else that of Parley's own."""
    return wanted or next(iter(licences(experiment, policy)), OWN)


def simulated(experiment: Experiment) -> bool:
    """True if any speaker is scripted."""
    return any(model.engine == "playhouse" for model in experiment.models.values())


def base_name(experiment: Experiment, policy: str) -> str:
    """The base model as the hub knows it: the model's `name` if it is an id, else the last part of its path."""
    model = experiment.model_of(policy)
    return model.name if "/" in model.name else Path(str(model.path)).name
