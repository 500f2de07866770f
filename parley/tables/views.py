"""Which data points a table looks at: an evaluation of the config, or the first cast of each of its tasks."""

from collections.abc import Iterator
from dataclasses import dataclass

from parley.config import Evaluation, Experiment


@dataclass(frozen=True)
class View:
    """Data points of the evaluation `evaluation`: those of `settings`, which may be fewer. `tasks` is the paper's set."""

    name: str
    evaluation: str
    settings: Evaluation
    tasks: str | None = None


def main_evaluation(experiment: Experiment) -> str | None:
    """The evaluation that the answer is about: `hard`, or the first that looks at a tag, or the first."""
    names = list(experiment.evaluations)
    tagged = [name for name in names if experiment.evaluations[name].tag is not None]
    return "hard" if "hard" in names else next(iter([*tagged, *names]), None)


def views(experiment: Experiment) -> Iterator[View]:
    """Every evaluation as the config gives it."""
    for name, settings in experiment.evaluations.items():
        yield View(name, name, settings, _published(experiment, name))


def once(experiment: Experiment) -> View | None:
    """Each task of the main evaluation once, with its first cast: two data points a task, one a seat.

    The paper had people rate just these (28 of its 14 hard tasks). It is the evaluation that the config gives for it, on
    the same tasks with `casts: 1`; else a part of the main one, so nothing more is played.
    """
    if (main := main_evaluation(experiment)) is None:
        return None
    first = _first_casts(experiment, main)
    for name, settings in experiment.evaluations.items():
        if settings == first:
            return View(name, name, first, _single(_published(experiment, name)))
    return View(f"{main}, first cast", main, first, _single(_published(experiment, main)))


def _first_casts(experiment: Experiment, evaluation: str) -> Evaluation:
    return experiment.evaluations[evaluation].model_copy(update={"casts": 1})


def _published(experiment: Experiment, evaluation: str) -> str | None:
    """The paper's task set that an evaluation is on: as it is mapped, by name, or as the single casts of its `hard`."""
    if (published := experiment.published) is None:
        return None
    if published.evaluations is None and published.tasks(evaluation) is None:
        main = str(main_evaluation(experiment))
        if experiment.evaluations[evaluation] == _first_casts(experiment, main):
            return _single(published.tasks(main))
    return published.tasks(evaluation)


def _single(published: str | None) -> str | None:
    """The paper's set of single casts, where ours are its hard tasks."""
    return "hard_28" if published in ("hard", "hard_28") else None
