"""Parts: what each model does in an experiment, and which parts are only simulated."""

from parley.config import Evaluation, Experiment, Safety
from parley.report.findings import Findings
from parley.report.words import listed


def parts_played(findings: Findings) -> dict[str, list[str]]:
    """What each model does in the experiment, in words."""
    experiment = findings.experiment
    parts: dict[str, list[str]] = {name: [] for name in experiment.models}
    for name, policy in experiment.policies.items():
        if policy.model is not None:
            trained = [other for other in experiment.policies if experiment.trained(other)]
            heirs = [other for other in trained if experiment.base_of(other) == policy.model]
            parts[policy.model].append(f"is {name}" + (f", what {listed(heirs)} started from" if heirs else ""))
        if policy.learns_from:
            for player in dict.fromkeys(policy.learns_from.players):
                if player in experiment.models:
                    parts[player].append(f"shows {name} how to play")
            if policy.learns_from.judge in experiment.models:
                parts[policy.learns_from.judge].append("judges")
    for name in experiment.references:
        parts[name].append("is measured as a reference")
    _measuring(experiment, parts)
    for entry in experiment.task_sets.values():
        if entry.writer is not None:
            parts[entry.writer].append("writes tasks")
    return {name: list(dict.fromkeys(does)) for name, does in parts.items()}


def who_is_who(experiment: Experiment) -> list[tuple[str, str]]:
    """Everybody that is measured, with what it is in a few plain words."""
    found = []
    for name, policy in experiment.policies.items():
        if (source := policy.learns_from) is None:
            found.append((name, "the model before training"))
            continue
        players = [player for player in dict.fromkeys(source.players) if player != policy.parent]
        taught = f"conversations of {listed(players)}" if players else "the best of its own conversations"
        found.append((name, f"{policy.parent} trained on {taught if source.played else 'published conversations'}"))
    return [*found, *((name, "a reference, not trained here") for name in experiment.references)]


def _measuring(experiment: Experiment, parts: dict[str, list[str]]) -> None:
    """Who plays against those that are measured, and who marks them."""
    for study in _studies(experiment):
        if study.partner in experiment.models:
            parts[study.partner].append("is the partner that all are measured against")
        for judge in _judges(study):
            parts[judge].append("judges")
    if experiment.human is not None and experiment.human.simulated_by is not None:
        parts[experiment.human.simulated_by].append("plays the people who rate")


def simulated(findings: Findings) -> list[str]:
    """The parts that scripted speakers of the playhouse play: writer, expert, partner, judge, people, policies."""
    experiment = findings.experiment
    scripted = {name for name, model in experiment.models.items() if model.engine == "playhouse"}
    sources = [policy.learns_from for policy in experiment.policies.values() if policy.learns_from]
    studies = _studies(experiment)
    people = {study.simulated_by for study in [experiment.human] if study and study.simulated_by}
    named: dict[str, set[str]] = {
        "the writer": {entry.writer for entry in experiment.task_sets.values() if entry.writer},
        "the expert": {*experiment.references, *(player for source in sources for player in source.players)},
        "the partner": {study.partner for study in studies},
        "the judge": {judge for study in studies for judge in _judges(study)} | {source.judge for source in sources},
        "the people who rate": people,
        "the policies": {policy.model for policy in experiment.policies.values() if policy.model},
    }
    return [part for part, names in named.items() if names & scripted]


def _studies(experiment: Experiment) -> list[Evaluation | Safety]:
    return [*experiment.evaluations.values(), *([experiment.safety] if experiment.safety else [])]


def _judges(study: Evaluation | Safety) -> tuple[str, ...]:
    return study.judges if isinstance(study, Evaluation) else (study.judge,)
