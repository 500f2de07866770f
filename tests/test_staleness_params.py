"""What makes a rule's results stale besides its input files: every row says which strings a change changes."""

import json
from fnmatch import fnmatch
from typing import Any

import pytest

from parley import staleness
from parley.config import Experiment
from parley.layout import TABLES, Layout
from tests.builders import experiment


def strings(mini: Experiment) -> dict[str, str]:
    """Every string of the workflow, by rule and what it is for."""
    layout = Layout(mini)
    written = [name for name, entry in mini.task_sets.items() if entry.writer]
    found = {f"tasks {name}": staleness.tasks(mini, name) for name in written}
    found |= {f"casts {name}": staleness.casts(mini, name) for name in mini.task_sets}
    found |= {f"episodes {'+'.join(players)}": staleness.episodes(mini, players) for _, players, _ in layout.plays()}
    found |= {f"ratings {judge}": staleness.ratings(mini, judge) for _, _, judge in layout.plays()}
    found |= {f"judgements {judge}": staleness.judgements(mini, judge) for _, _, judge in layout.plays()}
    for policy in layout.trained_policies():
        found[f"selection {policy}"] = staleness.selection(mini, policy)
        found[f"dataset {policy}"] = staleness.dataset(mini, policy)
        found[f"training {policy}"] = staleness.training(mini, policy)
    found |= {f"base_policy {policy}": staleness.base_policy(mini, policy) for policy in layout.base_policies()}
    found |= {f"knowledge {policy}": staleness.knowledge(mini, policy) for policy in mini.policies}
    found["noninferiority base"] = staleness.noninferiority(mini)
    for player in mini.measured():
        found[f"scores {player}"] = staleness.scores(mini, player, "all")
        found[f"safety {player}"] = staleness.safety(mini, player)
    if mini.canary:
        found |= {f"canary {name}": staleness.canary(mini, name) for name in mini.judges()}
    found |= {f"judges {name}": staleness.judges(mini, name) for name in mini.evaluations}
    found |= {f"tables {name}": staleness.tables(mini, name) for name in TABLES}
    found["calibration"] = staleness.calibration(mini)
    return {**found, "figure": staleness.figure(mini), "report": staleness.report(mini)}


BEFORE = strings(experiment())
LEARNERS = ("base", "bc", "sr")
#: The tables that rest on ratings; those of the safety study and the knowledge test do not.
RATED = [f"tables {name}" for name in ("table_[1256789]", "figure_4")]

#: What changes in the config, and the strings that change with it (the report's always does, but where nothing does).
CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    # How a model is reached, how fast, and what it costs: nothing.
    ({"models.expert.base_url": "http://elsewhere/v1"}, []),
    ({"models.expert.api_key_env": "ANOTHER_KEY"}, []),
    ({"models.expert.concurrency": 2}, []),
    ({"models.agent.concurrency": 2}, []),
    ({"models.expert.timeout": 5.0}, []),
    ({"models.expert.batch": True}, []),
    ({"models.judge.batch": {"poll": 5, "hours": 6}}, []),
    ({"models.expert.price": "free"}, []),
    ({"models.expert.price.output": 20}, []),
    ({"budget": {"amount": 5}}, []),
    ({"budget": {"amount": 5, "models": {"expert": 2}}}, []),
    ({"prices": "my.yaml"}, []),
    # Who speaks: what they speak in.
    (
        {"models.expert.temperature": 0.5},
        [
            "episodes expert+expert",
            "episodes expert+partner",
            "episodes partner+expert",
            "scores expert",
            "safety expert",
            *RATED,
        ],
    ),
    ({"models.partner.name": "partner-2"}, ["episodes *partner*", "scores *", "safety *", *RATED]),
    ({"models.judge.revision": "b"}, ["ratings judge", "judgements judge", "scores *", "judges *", "safety *", *RATED]),
    ({"models.writer.max_tokens": 99}, ["tasks *"]),
    (
        {"models.agent.temperature": 0.5},
        [
            *(pattern for name in LEARNERS for pattern in (f"episodes {name}+*", f"episodes *+{name}")),
            *(f"{rule} {name}" for name in LEARNERS for rule in ("scores", "safety")),
            "base_policy base",
            *RATED,
            "tables table_4",
        ],
    ),
    # Other weights are trained from, and tested, too; a folder's content is an input.
    ({"models.agent.path": "models/other"}, ["training *", "knowledge *", "base_policy base"]),
    # What is done with it.
    ({"seed": 2}, ["tasks *", "casts *", "episodes *", "ratings *", "judgements *"]),
    ({"task_sets.round1.count": 5}, ["tasks round1"]),
    ({"task_sets.round2.similarity": 0.7}, ["tasks round2"]),
    ({"task_sets.round1.casts": 3}, ["casts round1"]),
    ({"task_sets.round1.shards": 3}, ["casts round1"]),
    ({"task_sets.round1.cast_seed": 3}, ["casts round1"]),
    ({"task_sets.test.casts_by_tag": {"hard": 6}}, ["casts test"]),
    ({"play.max_turns": 12}, ["episodes *", "dataset *"]),
    ({"play.history": 6}, ["episodes *", "dataset *"]),
    ({"play.stale_rule": "legacy"}, ["episodes *", "dataset *"]),
    ({"policies.bc.learns_from.selection": {"rule": "bc", "top": 1}}, ["selection bc", "dataset bc"]),
    ({"policies.sr.learns_from.selection": {"rule": "sr", "share": 0.5}}, ["selection sr", "dataset sr"]),
    ({"policies.bc.training": {"rank": 16}}, ["training bc"]),
    ({"policies.sr.training": {"seed": 2}}, ["training sr"]),
    ({"evaluations.all.tag": "hard"}, ["scores *", "calibration", "judges *", *RATED]),
    ({"evaluations.all.casts": 1}, ["scores *", "calibration", "judges *", *RATED]),
    # More judges, or both orders, leave the scores as they are.
    ({"evaluations.all.also_judged_by": ["writer"]}, ["judges *"]),
    ({"evaluations.all.orders": "both"}, ["judges *"]),
    # A judge that taught is marked.
    ({"policies.bc.learns_from.judge": "writer"}, ["dataset bc", "scores bc", "judges *"]),
    ({"knowledge.shots": 5}, ["knowledge *"]),
    ({"knowledge.way": "both"}, ["knowledge *"]),
    ({"knowledge.limit": 10}, ["knowledge *"]),
    ({"knowledge.margin": 0.05}, ["noninferiority *"]),
    ({"safety.lexicon": "other.txt"}, ["safety *"]),
    ({"safety.decided_by": "rules"}, ["safety *"]),
    # What is new is made, and what is there stays.
    (
        {"evaluations.hard": {"tasks": "test", "partner": "partner", "judge": "judge", "tag": "hard"}},
        ["calibration", *RATED],
    ),
    ({"policies.other": {"model": "partner"}}, ["tables *", "figure", "calibration", "judges *"]),
    ({"references": ["expert", "judge"]}, ["tables *", "figure", "calibration", "judges *"]),
    ({"play.replicates": 2}, ["episodes *", "dataset *", *RATED]),
    ({"published": "sotopia_pi"}, ["tables *"]),
    ({"human_ratings": "people.parquet"}, []),  # the file is an input
    ({"prompts.turn": "prompts/turn_short.jinja"}, []),  # the file is an input
]
UNSEEN = ("base_url", "api_key_env", "concurrency", "timeout", "batch", "budget", "price")


@pytest.mark.parametrize(("changes", "stale"), CHANGES, ids=[next(iter(changes)) for changes, _ in CHANGES])
def test_a_change_makes_stale_what_depends_on_it_and_nothing_else(changes: dict[str, Any], stale: list[str]) -> None:
    after = strings(experiment(changes))
    told = not any(part in path for path in changes for part in UNSEEN)
    expected = {label for label in BEFORE if any(fnmatch(label, pattern) for pattern in stale)}
    assert all(any(fnmatch(label, pattern) for label in BEFORE) for pattern in stale)
    assert {label for label in BEFORE if after[label] != BEFORE[label]} == expected | ({"report"} if told else set())


def test_every_kind_of_string_is_changed_by_some_row() -> None:
    kinds = {pattern.split()[0] for _, stale in CHANGES for pattern in stale}
    assert kinds | {"report"} == {label.split()[0] for label in BEFORE}


def test_the_strings_are_the_same_for_the_resolved_config() -> None:
    resolved = json.loads(json.dumps(experiment().model_dump(mode="json")))
    assert strings(Experiment.model_validate(resolved)) == BEFORE


def test_a_default_that_is_spelled_out_changes_nothing() -> None:
    assert (
        strings(experiment({"play.max_turns": 20, "models.expert.temperature": 1.0, "task_sets.round2.shards": 1}))
        == BEFORE
    )


def test_the_strings_are_one_line_of_json_without_secrets_or_addresses() -> None:
    reached = {"models.expert.base_url": "http://elsewhere/v1", "models.expert.api_key_env": "ANOTHER_KEY"}
    for text in strings(experiment(reached)).values():
        assert json.loads(text) is not None and "\n" not in text
        assert "elsewhere" not in text and "ANOTHER_KEY" not in text


def test_guesses_are_drawn_by_the_seed() -> None:
    first, other = (experiment({"knowledge.way": "generation", "seed": seed}) for seed in (1, 2))
    assert staleness.knowledge(first, "bc") != staleness.knowledge(other, "bc")


def test_a_set_from_a_file_is_written_by_nobody() -> None:
    assert staleness.tasks(experiment(), "test") == "{}"
