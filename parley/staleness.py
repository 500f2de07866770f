"""What each rule's result depends on besides its input files: one canonical JSON string a rule.

A string here is a Snakemake param: when it changes, the rule's targets are stale. Everything that decides a result must
be in it, and nothing else: how a model is reached, how fast, and what it costs make nothing stale.
"""

from collections.abc import Iterable
from typing import Any

from parley.canonical import canonical_json
from parley.config import Evaluation, Experiment, Model, Seats
from parley.evaluation.teaching import taught
from parley.llm.identity import playhouse_code
from parley.world.keywords import lane


def _dump(section: Any) -> Any:
    return section.model_dump(mode="json")


def _identity(model: Model) -> dict[str, Any]:
    """A model's identity as far as it is known before any job runs: scripted speakers are what their code is."""
    return model.identity() | ({"served_by": playhouse_code()} if model.engine == "playhouse" else {})


def _models(experiment: Experiment, names: Iterable[str]) -> dict[str, Any]:
    return {name: _identity(experiment.model_of(name)) for name in names}


def _weights(model: Model) -> dict[str, Any]:
    """What decides a model's weights; how it is sampled from does not."""
    return {"name": model.name, "path": model.path, "revision": model.revision}


def tasks(experiment: Experiment, task_set: str) -> str:
    """Rule `write`: how many tasks, who writes them, and which of the keywords are the set's share."""
    entry = experiment.task_sets[task_set]
    if entry.writer is None:
        return canonical_json({})
    return canonical_json(
        {
            "seed": experiment.seed,
            "count": entry.count,
            "similarity": entry.similarity,
            "writer": _models(experiment, [entry.writer]),
            "lane": lane(experiment, task_set),
        }
    )


def casts(experiment: Experiment, task_set: str) -> str:
    """Rule `cast`: how many casts, and into how many shards the set is cut."""
    entry = experiment.task_sets[task_set]
    seed = experiment.seed if entry.cast_seed is None else entry.cast_seed
    return canonical_json({"seed": seed, "casts": entry.casts, "by_tag": entry.casts_by_tag, "shards": entry.shards})


def episodes(experiment: Experiment, players: Seats) -> str:
    """Rule `play`: who plays, and how. The tasks, prompts and adapters are inputs."""
    return canonical_json(
        {"seed": experiment.seed, "players": _models(experiment, players), "play": _dump(experiment.play)}
    )


def ratings(experiment: Experiment, judge: str) -> str:
    """Rule `rate`: who judges."""
    return canonical_json({"seed": experiment.seed, "judge": _models(experiment, [judge])})


def canary(experiment: Experiment, judge: str) -> str:
    """Rule `ask_canary`: who is asked, and on which dates. The frozen episodes are inputs."""
    assert experiment.canary is not None
    dates = _dump(experiment.canary)["dates"]
    return canonical_json({"seed": experiment.seed, "judge": _models(experiment, [judge]), "dates": dates})


def judgements(experiment: Experiment, judge: str) -> str:
    """Rule `judge`: who judges. The questions are an input."""
    return canonical_json({"seed": experiment.seed, "judge": _models(experiment, [judge])})


def items(experiment: Experiment) -> str:
    """Rule `sample_items`: which episodes people rate, and what the key says of them."""
    study = experiment.human
    assert study is not None
    evaluation = experiment.evaluations[study.evaluation]
    drawn = _dump(study) | {"seed": experiment.seed if study.seed is None else study.seed}
    for unseen in ("raters", "simulated_by"):
        del drawn[unseen]
    players = study.players or experiment.measured()
    return canonical_json({"drawn": drawn | {"players": players}, "from": _dump(evaluation)})


def annotations(experiment: Experiment) -> str:
    """Rule `annotate`: who plays the raters, and how many an item gets. The items are an input."""
    study = experiment.human
    assert study is not None and study.simulated_by is not None
    raters = {"raters": study.raters, "model": _models(experiment, [study.simulated_by])}
    return canonical_json({"seed": experiment.seed, **raters})


def selection(experiment: Experiment, policy: str) -> str:
    """Rule `select`: the rule that selects."""
    source = experiment.policies[policy].learns_from
    assert source is not None
    return canonical_json({"players": source.players, "selection": _dump(source.selection)})


def dataset(experiment: Experiment, policy: str) -> str:
    """Rule `collect`: what a prompt shows, and what the card says of the sources."""
    return canonical_json({"play": _dump(experiment.play), "source": _dump(experiment.policies[policy].learns_from)})


def training(experiment: Experiment, policy: str) -> str:
    """Rule `train`: hyperparameters and base model."""
    entry = experiment.policies[policy]
    return canonical_json({"training": _dump(entry.training), "base": _weights(experiment.model_of(policy))})


def base_policy(experiment: Experiment, policy: str) -> str:
    """Rule `base_policy`: the model that a base policy is."""
    model = experiment.model_of(policy)
    return canonical_json({"model": model.identity() | {"path": model.path}})


def _scored(evaluation: Evaluation) -> dict[str, Any]:
    """What decides an evaluation's scores: those who judge besides, and the other order, do not."""
    return {key: value for key, value in _dump(evaluation).items() if key not in ("also_judged_by", "orders")}


def scores(experiment: Experiment, player: str, evaluation: str) -> str:
    """Rules `score` and `compare`: what is measured, on which tasks and casts, against whom and judged by whom.

    A judge whose ratings selected what the player learned from is marked, so that is part of it.
    """
    entry = experiment.evaluations[evaluation]
    names = [player, entry.partner, entry.judge]
    marked = {"taught": True} if taught(experiment, player, entry.judge) else {}
    return canonical_json({"evaluation": _scored(entry), "models": _models(experiment, names), **marked})


def judges(experiment: Experiment, evaluation: str) -> str:
    """Rule `compare_judges`: who is judged by whom, on which tasks, and whose ratings taught whom. Ratings are inputs."""
    entry, players = experiment.evaluations[evaluation], experiment.measured()
    marked = {player: [judge for judge in entry.judges if taught(experiment, player, judge)] for player in players}
    bases = [name for name in experiment.policies if experiment.policies[name].model is not None]
    who = {"players": players, "base": bases[0], "taught": marked, "judges": _models(experiment, entry.judges)}
    return canonical_json({"evaluation": _dump(entry), **who})


def knowledge(experiment: Experiment, policy: str) -> str:
    """Rule `knowledge`: the test and the base model. Guesses are drawn by the seed; the margin decides nothing here."""
    test = _dump(experiment.knowledge)
    if test is not None:
        del test["margin"]
        if test["way"] != "likelihood":
            test["seed"] = experiment.seed
    return canonical_json({"test": test, "model": _weights(experiment.model_of(policy))})


def noninferiority(experiment: Experiment) -> str:
    """Rule `compare_knowledge`: the margin."""
    assert experiment.knowledge is not None
    return canonical_json({"margin": experiment.knowledge.margin})


def safety(experiment: Experiment, player: str) -> str:
    """Rule `safety`: the study and who speaks."""
    entry = experiment.safety
    assert entry is not None
    names = [player, entry.partner, entry.judge]
    return canonical_json({"study": _dump(entry), "models": _models(experiment, names)})


def pushing(experiment: Experiment, policy: str) -> str:
    """Rules `push_dataset` and `push_adapter`: what the card says of how it was made, which is what the page says."""
    return canonical_json({"policy": policy, "shown": report(experiment)})


def tables(experiment: Experiment, table: str) -> str:
    """Rule `tabulate`: who is measured and how, and which published numbers stand beside. Their order is the table's."""
    whole = _dump(experiment)
    trained = [name for name in experiment.policies if experiment.trained(name)]
    shared = {"players": experiment.measured(), "trained": trained, "published": whole["published"]}
    if table == "table_3":
        return canonical_json({**shared, "study": experiment.safety is not None})
    if table == "table_4":
        policies = _models(experiment, experiment.policies) if experiment.knowledge else {}
        return canonical_json({**shared, "test": experiment.knowledge is not None, "models": policies})
    entries = experiment.evaluations
    names = [*experiment.measured(), *(name for entry in entries.values() for name in (entry.partner, entry.judge))]
    scored = [(name, _scored(entry)) for name, entry in entries.items()]
    studies = {"evaluations": scored, "replicates": experiment.play.replicates}
    if experiment.human is not None and experiment.human.simulated_by is not None:
        studies["simulated_by"] = experiment.human.simulated_by  # the notes name it
    return canonical_json({**shared, **studies, "models": _models(experiment, names)})


def calibration(experiment: Experiment) -> str:
    """Rule `calibrate`: who is measured, in which evaluations. The ratings are inputs, whoever stands behind a name."""
    kept = ("tasks", "partner", "judge", "tag", "casts")
    evaluations = [(name, {key: getattr(entry, key) for key in kept}) for name, entry in experiment.evaluations.items()]
    baseline = next(name for name, policy in experiment.policies.items() if policy.model is not None)
    return canonical_json({"players": experiment.measured(), "evaluations": evaluations, "baseline": baseline})


def figure(experiment: Experiment) -> str:
    """Rule `draw`: the players, whose places are their colours."""
    return canonical_json({"players": experiment.measured()})


def report(experiment: Experiment) -> str:
    """Rule `page`: the whole experiment as it is shown, without how its models are reached and what they cost.

    A page tells money by the prices of the day that it was written on; other prices are no reason to write it again.
    """
    shown = _dump(experiment)
    shown["models"] = {name: model.identity() | {"path": model.path} for name, model in experiment.models.items()}
    for unseen in ("budget", "prices"):
        shown.pop(unseen, None)
    return canonical_json(shown)
