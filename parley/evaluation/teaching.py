"""Teaching: whether a judge's ratings selected what a policy learned from.

Such a judge marks its own pupil: judges overrate the agents that were trained on their ratings (paper, section 5).
"""

from parley.config import Experiment


def taught(experiment: Experiment, player: str, judge: str) -> bool:
    """True if the ratings of `judge` selected what `player` learned from, itself or through those that it learned from.

    Two names of the same model are one judge. A judge in files that were brought in is known by its name alone.
    """
    return any(_same(experiment, teacher, judge) for teacher in teachers(experiment, player))


def teachers(experiment: Experiment, player: str) -> list[str]:
    """The judges whose ratings selected what a player learned from, nearest first; none for a model as it is."""
    found, waiting, seen = list[str](), [player], set[str]()
    while waiting:
        policy = waiting.pop(0)
        entry = experiment.policies.get(policy)
        if entry is None or policy in seen:
            continue
        seen.add(policy)
        if entry.learns_from is not None:
            found.append(entry.learns_from.judge)
        waiting += experiment.depends_on(policy)
    return list(dict.fromkeys(found))


def pupils(experiment: Experiment, judge: str) -> list[str]:
    """Those that are measured and were taught by a judge."""
    return [player for player in experiment.measured() if taught(experiment, player, judge)]


def _same(experiment: Experiment, one: str, other: str) -> bool:
    models = experiment.models
    if one in models and other in models:
        return models[one].identity() == models[other].identity()
    return one == other
