"""What calls cost."""

from typing import Any

import pytest

from parley.config import Model
from parley.llm.call import Request
from parley.llm.prices import cost, most


def model(price: Any = {"input": 10, "output": 30}, **settings: Any) -> Model:  # noqa: B006 - never changed
    return Model(engine="openai", name="m", price=price, **{"max_tokens": 100, **settings})


def request(text: str = "x" * 250) -> Request:
    return Request({}, ({"role": "user", "content": text},))


#: 100 prompt tokens at most (250 characters), 100 answer tokens: (100 · 10 + 100 · 30) / 1e6.
MOST = 0.004


def test_cost_is_per_million_tokens_of_each_kind() -> None:
    price = {"input": 10, "output": 30, "cached_input": 1}
    assert cost(model(price), 1000, 400, 200) == pytest.approx((600 * 10 + 400 * 1 + 200 * 30) / 1e6)


def test_cached_tokens_cost_as_others_unless_they_have_a_price() -> None:
    assert cost(model(), 1000, 400, 0) == pytest.approx(0.01)


BATCH = {"input": 10, "output": 30, "cached_input": 7, "batch_input": 5, "batch_output": 15}


def test_a_batch_has_prices_of_its_own() -> None:
    assert cost(model(BATCH), 1000, 0, 200, batch=True) == pytest.approx((1000 * 5 + 200 * 15) / 1e6)
    assert cost(model(BATCH), 1000, 0, 200) == pytest.approx((1000 * 10 + 200 * 30) / 1e6)


def test_a_batch_without_prices_of_its_own_costs_what_live_calls_cost() -> None:
    assert cost(model(), 1000, 0, 200, batch=True) == cost(model(), 1000, 0, 200)


def test_what_is_cached_never_costs_more_than_what_is_fresh() -> None:
    assert cost(model(BATCH), 1000, 1000, 0, batch=True) == pytest.approx(1000 * 5 / 1e6)


def test_free_is_nothing_and_no_price_is_unknown() -> None:
    assert cost(model("free"), 1000, 0, 1000) == 0.0
    assert cost(Model(engine="playhouse", name="judge"), 1000, 0, 1000) is None


def test_the_most_a_call_may_cost() -> None:
    assert most(model(), request()) == pytest.approx(MOST)
