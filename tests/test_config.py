"""The config: what a good one means, and the one line that each fault gives."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from parley.config import Batch, Experiment, check, load
from parley.errors import ParleyError
from parley.reference import SCHEMA, TABLE, schema, table
from tests.builders import ROOT, changed, experiment


def fault(changes: dict[str, Any]) -> str:
    """The line that a config with these changes gives."""
    with pytest.raises(ParleyError) as raised:
        check(changed(changes), "my.yaml")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def learns(**changes: Any) -> dict[str, Any]:
    source = {"players": ["expert", "expert"], "tasks": "round1", "judge": "judge", "selection": "bc"}
    return {**source, **changes}


# -- faults --------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[dict[str, Any], str]] = [
    # keys
    ({"play.max_turn": 3}, "play.max_turn: unknown key; did you mean `max_turns`?"),
    ({"models.judge.temprature": 0}, "models.judge.temprature: unknown key; did you mean `temperature`?"),
    (
        {"policies.bc.learns_from.selection": {"rule": "bc", "tpo": 3}},
        "policies.bc.learns_from.selection.tpo: unknown key; did you mean `top`?",
    ),
    ({"colour": "blue"}, "colour: unknown key; delete it"),
    ({"models": None}, "models: is missing; add it"),
    ({"policies.bc.learns_from.judge": None}, "policies.bc.learns_from.judge: is missing; add it"),
    ({"models.expert.price": {"input": 1}}, "models.expert.price.output: is missing; add it"),
    # how a model is reached
    (
        {"models.writer.engine": "playhouse", "models.writer.batch": True},
        "models.writer: batch is for `engine: openai`, whose endpoint has a Batch API; delete it",
    ),
    ({"models.expert.batch": {"pol": 5}}, "models.expert.batch.pol: unknown key; did you mean `poll`?"),
    ({"models.expert.batch": "often"}, "models.expert.batch: give `true`, `false` or {poll: …, hours: …, fewest: …}"),
    ({"models.expert.batch": {"hours": 25}}, "models.expert.batch.hours: Input should be less than or equal to 24"),
    # names that nobody has
    ({"policies.base.model": "agnet"}, "policies.base.model: no model is called 'agnet'; did you mean 'agent'?"),
    ({"policies.bc.parent": "bsae"}, "policies.bc.parent: no policy is called 'bsae'; did you mean 'base'?"),
    (
        {"policies.bc.learns_from.players": ["expert", "nobody"]},
        "policies.bc.learns_from.players: no policy or model is called 'nobody';"
        " there are: agent, expert, partner, writer, judge, base, bc, sr",
    ),
    (
        {"evaluations.all.tasks": "tset"},
        "evaluations.all.tasks: no task set is called 'tset'; did you mean 'test'?",
    ),
    (
        {"safety.judge": "base"},  # a judge is a model, never a policy
        "safety.judge: no model is called 'base'; there are: agent, expert, partner, writer, judge",
    ),
    (
        {"policies.sr.learns_from.judge": "jugde"},
        "policies.sr.learns_from.judge: no model is called 'jugde'; did you mean 'judge'?",
    ),
    (
        {"task_sets.round1.writer": "witer"},
        "task_sets.round1.writer: no model is called 'witer'; did you mean 'writer'?",
    ),
    (
        {"evaluations.all.also_judged_by": ["judgee"]},
        "evaluations.all.also_judged_by: no model is called 'judgee'; did you mean 'judge'?",
    ),
    (
        {"evaluations.all.also_judged_by": ["judge"]},
        "evaluations.all: also_judged_by: 'judge' judges already; name each judge once",
    ),
    (
        {"canary": {"dates": ["2026-11-24", "2026-11-01"]}},
        "canary: dates: give each date once, the oldest first; add the new one at the end",
    ),
    ({"references": ["exprt"]}, "references: no model is called 'exprt'; did you mean 'expert'?"),
    (
        {"evaluations.all.partner": "pratner"},
        "evaluations.all.partner: no policy or model is called 'pratner'; did you",
    ),
    # names that are wrong
    ({"models.Judge2": {"engine": "playhouse", "name": "judge"}}, "models.Judge2: String should match pattern '^[a-z]"),
    ({"experiment": "My run"}, "experiment: String should match pattern '^[a-z][a-z0-9_]*$'"),
    ({"policies.expert": {"model": "agent"}}, "'expert' names both a model and a policy; rename one"),
    # only a local checkpoint can be trained
    (
        {"policies.base.model": "expert", "models.agent": None},
        "policies.bc: is trained from the model 'expert', which has no `path`; only a local checkpoint can be trained",
    ),
    # cycles
    ({"policies.bc.parent": "bc"}, "policies.bc: learns from itself (bc → bc); break the cycle"),
    ({"policies.bc.parent": "sr"}, "policies.bc: learns from itself (bc → sr → bc); break the cycle"),
    (
        {"policies.bc.learns_from.players": ["expert", "bc"]},
        "policies.bc: learns from itself (bc → bc); break the cycle",
    ),
    # policies
    ({"policies.odd": {}}, "policies.odd: a policy has either `model` (a base) or `parent` with `learns_from`"),
    (
        {"policies.odd": {"model": "agent", "parent": "base", "learns_from": learns()}},
        "policies.odd: a policy has either `model` (a base) or `parent` with `learns_from`",
    ),
    ({"policies.odd": {"parent": "base"}}, "policies.odd: `parent` and `learns_from` go together"),
    ({"policies": {}}, "policies: there is none; add one, such as `base: {model: …}`"),
    ({"policies.bc.learns_from.players": ["expert"]}, "policies.bc.learns_from.players.1: is missing; add it"),
    (
        {"policies.bc.learns_from.selection": "best"},
        "policies.bc.learns_from.selection.rule: Input should be 'bc', 'sr', 'top' or 'threshold'",
    ),
    (
        {"policies.bc.learns_from.episodes": "e.jsonl"},
        "policies.bc.learns_from: `episodes` and `ratings` go together: give both files, or neither to play and rate them",
    ),
    (
        {"policies.bc.training": {"epochs": 5, "schedule_epochs": 2}},
        "policies.bc.training: schedule_epochs is less than epochs: a schedule must last as long as the training",
    ),
    (
        {"play.prompt_tokens": 2048},
        "play: `prompt_tokens` and `tokenizer` go together: tokens are those of a tokenizer",
    ),
    # task sets
    ({"task_sets.test.count": 3}, "task_sets.test: give either `file` or `count` with `writer`"),
    ({"task_sets.round1": {"casts": 2}}, "task_sets.round1: give either `file` or `count` with `writer`"),
    ({"task_sets.round1.writer": None}, "task_sets.round1: `count` needs `writer`: the model that writes the tasks"),
    ({"task_sets.test.writer": "writer"}, "task_sets.test: the tasks of a `file` are written already; delete `writer`"),
    ({"task_sets.round1.count": 0}, "task_sets.round1.count: Input should be greater than or equal to 1"),
    ({"task_sets.test.casts_by_tag": {"hard": 0}}, "task_sets.test: casts_by_tag: a count is at least 1"),
    # models
    (
        {"models.expert.price": None},
        "models.expert.price: no price list has 'expert-1'; write `price: {input: …, output: …}` (per million tokens), "
        "or `price: free`",
    ),
    (
        {"models.expert.price": None, "models.expert.name": "gpt-4o-mni"},
        "models.expert.price: no price list has 'gpt-4o-mni' (it has 'gpt-4o-mini'); write `price:",
    ),
    ({"models.expert.name": None}, "models.expert: an openai model needs `name`: the model's name at its endpoint"),
    ({"models.agent.path": None}, "models.agent: a llamacpp model needs `path`: the folder of its checkpoint"),
    ({"models.writer.name": None}, "models.writer: a playhouse model needs `name`: writer, expert, partner or judge"),
    ({"models.judge.engine": "opnai"}, "models.judge.engine: Input should be 'openai', 'llamacpp', 'vllm' or"),
    ({"models.expert.price.input": -1}, "models.expert.price.input: Input should be greater than or equal to 0"),
    ({"budget": {}}, "budget: give `amount`, the most for all models together, or `models` with amounts by name"),
    ({"budget": {"models": {"exprt": 3}}}, "budget.models: no model is called 'exprt'; did you mean 'expert'?"),
    ({"budget": {"models": {"expert": 0}}}, "budget.models.expert: Input should be greater than 0"),
    # entries that nothing uses
    (
        {"models.spare": {"engine": "playhouse", "name": "judge"}},
        "models.spare: nothing uses it; delete it, or name it where it should speak",
    ),
    (
        {"task_sets.spare": {"file": "spare.jsonl"}},
        "task_sets.spare: nothing plays it; delete it, or name it in a policy or an evaluation",
    ),
]


@pytest.mark.parametrize(("changes", "line"), FAULTS, ids=[line.split(";")[0] for _, line in FAULTS])
def test_a_fault_is_one_line_with_the_path_and_the_remedy(changes: dict[str, Any], line: str) -> None:
    assert fault(changes).startswith(f"my.yaml: {line}")


def test_a_file_that_is_no_config_is_one_line_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"

    def line() -> str:
        with pytest.raises(ParleyError) as raised:
            load(path)
        return str(raised.value)

    assert line() == f"{path}: no such config file"
    path.write_text("seed: 1\nmodels: {a: [\n", encoding="utf-8")
    assert line().startswith(f"{path}:3: not YAML (") and line().endswith("; mend the line")
    path.write_bytes("experiment: caf\xe9".encode("latin-1"))
    assert line() == f"{path}: not UTF-8 text (unexpected end of data at byte 15); save it as UTF-8"
    path.write_text("", encoding="utf-8")
    assert line().startswith(f"{path}: ")


def test_a_config_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(changed()), encoding="utf-8")
    assert load(path) == experiment()


def test_a_checked_config_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        experiment().play.max_turns = 3


# -- the shipped one -----------------------------------------------------------------------------------------------


def test_the_shipped_config_loads_offline_and_without_a_key() -> None:
    shipped = load(ROOT / "config.yaml")
    assert list(shipped.policies) == ["base", "bc", "sr", "bc_sr"]
    assert {model.engine for model in shipped.models.values()} <= {"playhouse", "llamacpp"}
    assert not any(model.api_key_env or model.base_url for model in shipped.models.values())
    for path in (*shipped.prompts.model_dump().values(), *shipped.world.model_dump().values()):
        assert (ROOT / path).is_file()


def test_the_resolved_config_is_the_same_experiment() -> None:
    assert Experiment.model_validate(experiment().model_dump(mode="json")) == experiment()


def test_the_reference_in_the_docs_is_that_of_the_code() -> None:
    assert json.loads((ROOT / SCHEMA).read_text(encoding="utf-8")) == json.loads(json.dumps(schema()))
    assert (ROOT / TABLE).read_text(encoding="utf-8") == table()


# -- what follows from the graph -----------------------------------------------------------------------------------


def test_a_policy_waits_for_its_parent_and_its_players() -> None:
    mini = experiment()
    assert mini.depends_on("base") == []
    assert mini.depends_on("bc") == ["base"]  # the expert is a model, not a policy
    assert mini.depends_on("sr") == ["bc", "base"]


def test_the_base_of_a_policy_is_at_the_end_of_its_parents() -> None:
    mini = experiment()
    assert [mini.base_of(name) for name in ("base", "bc", "sr")] == ["agent"] * 3
    assert mini.model_of("sr") is mini.models["agent"] and mini.model_of("expert") is mini.models["expert"]


def test_only_a_policy_with_a_parent_is_trained() -> None:
    mini = experiment()
    assert [name for name in ("base", "bc", "sr", "expert") if mini.trained(name)] == ["bc", "sr"]


def test_policies_and_then_references_are_measured() -> None:
    assert experiment().measured() == ["base", "bc", "sr", "expert"]


def test_two_players_sit_both_ways_and_one_with_itself_once() -> None:
    assert Experiment.seatings("bc", "partner") == [("bc", "partner"), ("partner", "bc")]
    assert Experiment.seatings("partner", "partner") == [("partner", "partner")]


@pytest.mark.parametrize(
    ("tags", "casts"), [([], 2), (["sale"], 2), (["hard"], 5), (["rare", "hard"], 5), (["rare"], 1)]
)
def test_a_tag_changes_the_number_of_casts(tags: list[str], casts: int) -> None:
    task_set = experiment({"task_sets.test.casts_by_tag": {"hard": 5, "rare": 1}}).task_sets["test"]
    assert task_set.casts_for(tags) == casts


def test_a_selection_may_be_named_by_its_rule_alone() -> None:
    long = experiment({"policies.bc.learns_from.selection": {"rule": "bc"}})
    assert long == experiment()
    assert long.policies["bc"].learns_from.selection.top == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "meant"),
    [(True, Batch()), (False, None), ({}, Batch()), ({"hours": 2}, Batch(poll=60, hours=2, fewest=8))],
)
def test_batches_are_switched_on_or_set(given: Any, meant: Batch | None) -> None:
    mini = experiment({"models.expert.batch": given})
    assert mini.models["expert"].batch == meant
    assert Experiment.model_validate(mini.model_dump(mode="json")) == mini


def test_how_a_model_is_reached_is_no_part_of_what_it_is() -> None:
    reached = {"base_url": "http://elsewhere/v1", "api_key_env": "KEY", "concurrency": 2, "timeout": 5, "price": "free"}
    reached["batch"] = True
    moved = experiment({f"models.expert.{key}": value for key, value in reached.items()})
    assert moved.models["expert"].identity() == experiment().models["expert"].identity()
    for key, value in {"name": "expert-2", "revision": "b", "temperature": 0.5, "top_p": 0.9, "max_tokens": 9}.items():
        other = experiment({f"models.expert.{key}": value}).models["expert"]
        assert other.identity() != experiment().models["expert"].identity()
        assert other.identity()[key] == value
