"""The price list: ours is sound, a user's goes before it, and a model's own price before both."""

from pathlib import Path
from typing import Any

import pytest

from parley.config import check, load
from parley.config.prices import OURS, Price, price_of, read_prices
from parley.errors import ParleyError
from tests.builders import changed

PAPER = {"gpt-4-0613": (30, 60), "gpt-4-1106-preview": (10, 30), "gpt-3.5-turbo-0613": (1.5, 2)}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text("models:\n  gpt-4o: {input: 7, output: 9, currency: EUR, as_of: 2026-01-31}\n", encoding="utf-8")
    return path


def expert(**changes: Any) -> Price | str | None:
    """The price of the expert in an experiment whose config leaves it out."""
    own = {"models.expert.price": None, "models.expert.name": "gpt-4o", **changes}
    return check(changed(own)).models["expert"].price


@pytest.mark.parametrize("name", sorted(read_prices(OURS).models))
def test_every_price_of_ours_is_dated_and_makes_sense(name: str) -> None:
    entry = read_prices(OURS).models[name]
    assert entry.source and entry.as_of >= "2023-06"
    assert 0 < entry.input <= entry.output and entry.currency == "USD"
    for less, usual in (
        (entry.cached_input, entry.input),
        (entry.batch_input, entry.input),
        (entry.batch_output, entry.output),
    ):
        assert less is None or usual / 20 <= less < usual
    assert (entry.batch_input is None) == (entry.batch_output is None)


def test_the_models_of_the_paper_have_their_prices() -> None:
    prices = read_prices(OURS).models
    assert {name: (prices[name].input, prices[name].output) for name in PAPER} == PAPER


def test_a_remote_model_is_looked_up_by_its_name() -> None:
    assert expert() == Price(input=2.5, cached_input=1.25, output=10, batch_input=1.25, batch_output=5)


def test_a_list_of_ones_own_goes_before_ours_and_ours_has_the_rest(mine: Path) -> None:
    assert expert(prices=str(mine)) == Price(input=7, output=9, currency="EUR")
    assert expert(prices=str(mine), **{"models.expert.name": "gpt-4-0613"}) == Price(input=30, output=60)


def test_a_price_in_the_config_goes_before_both(mine: Path) -> None:
    assert expert(prices=str(mine), **{"models.expert.price": {"input": 1, "output": 1}}) == Price(input=1, output=1)
    assert expert(prices=str(mine), **{"models.expert.price": "free"}) == "free"


def test_models_that_are_not_remote_need_no_price() -> None:
    models = check(changed()).models
    assert models["agent"].price is None and models["writer"].price is None


def test_a_resolved_config_needs_no_list_any_more(mine: Path, tmp_path: Path) -> None:
    resolved = check(changed({"models.expert.price": None, "models.expert.name": "gpt-4o", "prices": str(mine)}))
    mine.unlink()
    (tmp_path / "experiment.json").write_text(resolved.model_dump_json(), encoding="utf-8")
    assert load(tmp_path / "experiment.json") == resolved


def test_a_price_is_no_part_of_what_a_model_is(mine: Path) -> None:
    plain = check(changed({"models.expert.name": "gpt-4o"})).models["expert"]
    listed = check(changed({"models.expert.price": None, "models.expert.name": "gpt-4o"})).models["expert"]
    assert plain.price != listed.price and plain.identity() == listed.identity()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("models:\n  m: {input: 1\n", "my.yaml:3: not YAML"),
        ("models: {m: {input: 1, output: 2}}", "models.m.as_of: is missing; add it"),
        ("models: {m: {input: 1, output: 2, as_of: lately}}", "models.m.as_of: String should match"),
        ("models: {m: {input: -1, output: 2, as_of: 2026-01}}", "models.m.input: Input should be greater than or"),
        ("models: {m: {inptu: 1, output: 2, as_of: 2026-01}}", "models.m.input: is missing; add it"),
        ("models: {m: {input: 1, output: 2, cashed_input: 1, as_of: 2026-01}}", "did you mean `cached_input`?"),
        ("prices: {}", "models: is missing; add it"),
        ("", "Input should be a valid dictionary"),
    ],
)
def test_a_fault_in_a_list_is_one_line_with_its_place(text: str, fault: str, mine: Path) -> None:
    mine.write_text(text, encoding="utf-8")
    with pytest.raises(ParleyError) as error:
        read_prices(mine)
    assert fault in str(error.value) and str(mine) in str(error.value) and "\n" not in str(error.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"none\.yaml: no such price list; correct `prices:` in the config"):
        expert(prices=str(tmp_path / "none.yaml"))


def test_a_hint_only_for_a_name_that_is_near() -> None:
    lists = [read_prices(OURS)]
    assert price_of("gpt-4o-min", lists) == " (it has 'gpt-4o-mini')"
    assert price_of("my-own-model", lists) == ""
