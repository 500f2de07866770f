"""Prices and the purse: a run stops before it spends more than its budget."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from parley.config import Budget, Model
from parley.errors import ParleyError
from parley.llm.call import Request
from parley.llm.prices import Purse, cost, most


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


def run(purse: Purse, *paid: float) -> int:
    """Make calls one after the other that cost `paid`; how many were made."""

    async def work() -> int:
        for number, amount in enumerate(paid):
            try:
                purse.settle(await purse.set_aside(model(), request()), amount)
            except ParleyError:
                return number
        return len(paid)

    return asyncio.run(asyncio.wait_for(work(), 5))


def test_calls_stop_before_the_budget_is_exceeded() -> None:
    # After three calls 0.006 is spent; 0.006 + 0.004 is just within 0.01, 0.008 + 0.004 is not.
    assert run(Purse(Budget(amount=0.0101)), *[0.002] * 9) == 4


def test_the_message_says_what_is_spent_and_how_to_go_on() -> None:
    purse = Purse(Budget(amount=0.003))
    with pytest.raises(ParleyError, match=r"0\.0000 of 0\.003 USD is spent.*may cost 0\.0040; raise budget\.amount"):
        asyncio.run(purse.set_aside(model(), request()))


def test_calls_in_flight_are_waited_for_rather_than_given_up() -> None:
    """Room for two calls at once at their most, for five at what they really cost."""
    purse, flying, peak = Purse(Budget(amount=2.5 * MOST)), 0, 0

    async def call() -> None:
        nonlocal flying, peak
        amount = await purse.set_aside(model(), request())
        flying += 1
        peak = max(peak, flying)
        await asyncio.sleep(0.01)
        flying -= 1
        purse.settle(amount, MOST / 4)

    async def work() -> None:
        await asyncio.gather(*(call() for _ in range(5)))

    asyncio.run(asyncio.wait_for(work(), 5))
    assert peak == 2
    assert purse.spent == pytest.approx(5 * MOST / 4)


def test_a_failed_call_gives_back_what_was_set_aside() -> None:
    assert run(Purse(Budget(amount=MOST)), 0.0, 0.0, 0.0) == 3


def test_without_a_budget_or_a_price_nothing_is_counted() -> None:
    async def work() -> tuple[float, float]:
        return (
            await Purse(None).set_aside(model(), request()),
            await Purse(Budget(amount=1e-9)).set_aside(model("free"), request()),
        )

    assert asyncio.run(work()) == (0.0, 0.0)


def test_jobs_that_share_a_purse_share_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PURSE", str(tmp_path / "run" / "purse"))
    first, second = (Purse.of_run(Budget(amount=0.0101)) for _ in range(2))
    assert run(first, 0.003) == 1
    assert run(second, 0.003) == 1
    assert run(first, 0.003, 0.003) == 1
    assert run(second, 0.003) == 0
    assert first.spent == second.spent == pytest.approx(0.009)


def test_what_a_killed_job_had_set_aside_stays_spent(tmp_path: Path) -> None:
    asyncio.run(Purse(Budget(amount=1), tmp_path / "purse").set_aside(model(), request()))
    assert Purse(Budget(amount=1), tmp_path / "purse").spent == pytest.approx(MOST)


def test_a_line_that_is_still_being_written_is_read_later(tmp_path: Path) -> None:
    (tmp_path / "purse").write_text("0.25\n0.1")
    purse = Purse(Budget(amount=1), tmp_path / "purse")
    assert purse.spent == 0.25
    with (tmp_path / "purse").open("a") as file:
        file.write("25\n")
    assert purse.spent == 0.375


def test_a_price_in_another_currency_is_named() -> None:
    with pytest.raises(ParleyError, match="budget is in EUR, but m is priced in USD"):
        asyncio.run(Purse(Budget(amount=1, currency="EUR")).set_aside(model(), request()))
