"""Why a job is stale, in words; and the table that a person reads."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from parley.estimate.forecast import Calls, Forecast, Range
from parley.estimate.plan import Job, _why, settings_changed
from parley.estimate.priors import Prior
from parley.estimate.table import amounts, count, show, span
from tests.builders import experiment

FIELDS = ("missing_output", "incomplete_output", "updated_input", "input_changed", "params_changed", "code_changed")
NOTHING = dict.fromkeys((*FIELDS, "software_stack_changed", "forced", "updated_input_run"))


def why(**given: Any) -> tuple[list[str], bool]:
    return _why(SimpleNamespace(**{**NOTHING, **given}))


def params(old: dict[str, Any], new: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(only_old={repr(json.dumps(old))}, only_new={repr(json.dumps(new))})


@pytest.mark.parametrize(
    ("given", "words", "own"),
    [
        ({"missing_output": ["results/x/a.json"]}, ["not there yet"], True),
        ({"incomplete_output": ["results/x/a.json"]}, ["left unfinished"], True),
        ({"updated_input": ["results/x/tasks/r/00.jsonl"]}, ["changed: tasks/r/00.jsonl"], True),
        ({"updated_input_run": ["results/x/tasks/r/00.jsonl"]}, ["only if tasks/r/00.jsonl changes"], False),
        ({"updated_input": ["config.yaml"]}, ["changed: config.yaml"], True),
        (
            {"updated_input_run": [f"results/x/{name}" for name in "abcd"]},
            ["only if a, b and 2 more changes"],
            False,
        ),
        ({"missing_output": ["a"], "updated_input_run": ["b"]}, ["not there yet"], True),
        ({"code_changed": True, "forced": True}, ["the rule changed", "forced"], True),
        ({}, ["always"], False),
    ],
)
def test_a_reason_is_in_words_and_says_whether_it_is_the_jobs_own(
    given: dict[str, Any], words: list[str], own: bool
) -> None:
    assert why(**given) == (words, own)


def test_settings_that_changed_are_named() -> None:
    old = {"seed": 1, "players": {"expert": {"temperature": 1.0, "name": "a'b"}}, "lane": 0}
    new = {"seed": 1, "players": {"expert": {"temperature": 0.5, "name": "a'b"}}, "lane": 0}
    changed = params(old, new)
    assert settings_changed(changed.only_old, changed.only_new) == "settings changed: players.expert.temperature"
    assert why(params_changed=changed)[0] == ["settings changed: players.expert.temperature"]
    many = params(dict.fromkeys("abcde", 1), dict.fromkeys("abcde", 2))
    assert settings_changed(many.only_old, many.only_new) == "settings changed: a, b, c and 2 more"


def test_a_param_that_is_no_setting_is_the_code() -> None:
    assert settings_changed({"'0123456789ab'"}, {"'ba9876543210'"}) == "code changed"
    assert settings_changed({"'{broken'"}, {"'{\"a\": 1}'"}).startswith("settings changed")


# -- numbers and the table -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (7, "7"), (6.44, "6.44"), (12.3, "12"), (999, "999"), (12_345, "12.3k"), (4_560_000, "4.56M")],
)
def test_counts_are_short(number: float, text: str) -> None:
    assert count(number) == text


def test_a_range_shows_its_ends_only_where_they_differ() -> None:
    assert span(Range(5, 5, 5)) == "5"
    assert span(Range(4, 5, 2000)) == "5 (4–2k)"
    assert amounts({"USD": Range(0.5, 1, 2), "EUR": Range(0.01, 0.01, 0.01)}) == "1.00 (0.50–2.00) USD, 0.0100 EUR"


def forecast(rule: str, new: float, model: str = "expert", **wildcards: str) -> Forecast:
    tokens = Range.about(new * 1e5, 0.5)
    calls = Calls(model, paid=3, new=Range.exactly(new), prompt_tokens=tokens, completion_tokens=tokens)
    return Forecast(Job(rule, wildcards, ("not there yet",)), (calls,))


SHARDS = [
    forecast("play", 4, task_set="round1", players="a+b", shard="00"),
    forecast("play", 6, task_set="round1", players="a+b", shard="01"),
    forecast("rate", 5, "judge", task_set="round1", players="a+b", judge="judge", shard="00"),
    Forecast(Job("score", {"player": "bc", "evaluation": "all"}, ("only if x changes",), own=False)),
    Forecast(Job("score", {"player": "sr", "evaluation": "all"}, ("settings changed: tag",))),
]


def lines(text: str) -> dict[str, list[str]]:
    """The cells of each line by the first one."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines() if line.strip()]
    return {row[0]: row[1:] for row in rows}


def test_shards_are_one_line_with_the_sum_of_their_calls_and_money() -> None:
    # 10 calls of 1e5 tokens each way at 1 and 2 a million
    found = lines(show(SHARDS, experiment(), {}))
    assert found["play round1 a+b"] == [
        "2",
        "6",
        "10",
        "1M (500k–1.5M)",
        "1M (500k–1.5M)",
        "3.00 (1.50–4.50) USD",
        "not there yet",
    ]
    assert found["score"] == ["2", "–", "–", "only if x changes (and 1 more)"]
    assert found["play"][:2] == ["6", "10"] and found["rate"][:2] == ["3", "5"]
    assert found["expert"][-1] == "3.00 (1.50–4.50) USD" and found["all"][-1] == "3.00 (1.50–4.50) USD"
    assert found["judge"][:2] == ["3", "5"]


def test_job_by_job_each_has_its_own_line() -> None:
    found = lines(show(SHARDS, experiment(), {}, verbose=True))
    assert found["play round1 a+b 00"][:3] == ["1", "3", "4"] and found["play round1 a+b 01"][:3] == ["1", "3", "6"]
    assert found["score sr all"] == ["1", "–", "–", "settings changed: tag"]


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"amount": 5}, "budget: 5 USD; enough"),
        ({"amount": 3.5}, "budget: 3.5 USD; likely enough"),
        ({"amount": 2}, "budget: 2 USD; likely too little: the run would stop at it"),
        ({"models": {"expert": 1}}, "budget of expert: 1 USD; likely too little"),
        ({"models": {"judge": 1}}, "budget of judge: 1 USD; enough"),
    ],
)
def test_the_budget_is_held_against_what_is_likely(budget: dict[str, Any], said: str) -> None:
    assert said in show(SHARDS, experiment({"budget": budget}), {})


def test_what_was_assumed_is_told_once_for_all_that_it_is_the_same_for() -> None:
    prior = Prior(Range(3, 4, 5), "default")
    text = show(SHARDS, experiment(), {"characters per token, bc": prior, "characters per token, sr": prior})
    assert lines(text)["characters per token"] == ["4 (3–5)", "default", "bc, sr"]


def test_nothing_stale_is_one_sentence() -> None:
    assert show([], experiment(), {}) == "Nothing is stale: a run has nothing to do and makes no call.\n"


def test_names_are_not_read_as_markup() -> None:
    assert "[bold]" in show([forecast("play", 1, task_set="[bold]", shard="0")], experiment(), {})
