"""The purse: a run stops before it spends more than its budget, and loses nothing."""

import asyncio
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.config import Budget, Model
from parley.errors import ParleyError
from parley.llm.call import Request
from parley.llm.purse import Account, Purse


def model(price: Any = {"input": 10, "output": 30}, **settings: Any) -> Model:  # noqa: B006 - never changed
    return Model(engine="openai", name="m", price=price, **{"max_tokens": 100, **settings})


def request(text: str = "x" * 250) -> Request:
    return Request({}, ({"role": "user", "content": text},))


#: 100 prompt tokens at most (250 characters), 100 answer tokens: (100 · 10 + 100 · 30) / 1e6.
MOST = 0.004


def run(purse: Purse | Account, *paid: float) -> int:
    """Make calls one after the other that cost `paid`; how many were made."""
    account = purse if isinstance(purse, Account) else purse.of("m")

    async def work() -> int:
        for number, amount in enumerate(paid):
            try:
                account.settle(await account.set_aside(model(), request()), amount)
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
        asyncio.run(purse.of("m").set_aside(model(), request()))


def test_calls_in_flight_are_waited_for_rather_than_given_up() -> None:
    """Room for two calls at once at their most, for five at what they really cost."""
    purse, flying, peak = Purse(Budget(amount=2.5 * MOST)), 0, 0

    async def call() -> None:
        nonlocal flying, peak
        amount = await purse.of("m").set_aside(model(), request())
        flying += 1
        peak = max(peak, flying)
        await asyncio.sleep(0.01)
        flying -= 1
        purse.of("m").settle(amount, MOST / 4)

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
            await Purse(None).of("m").set_aside(model(), request()),
            await Purse(Budget(amount=1e-9)).of("m").set_aside(model("free"), request()),
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
    asyncio.run(Purse(Budget(amount=1), tmp_path / "purse").of("m").set_aside(model(), request()))
    assert Purse(Budget(amount=1), tmp_path / "purse").spent == pytest.approx(MOST)


def test_a_line_that_was_torn_by_a_power_cut_spoils_none_after_it(tmp_path: Path) -> None:
    (tmp_path / "purse").write_text("0.25 m\n0.1")
    purse = Purse(Budget(amount=1), tmp_path / "purse")
    assert purse.spent == 0.25
    assert run(purse, 0.002) == 1
    assert (tmp_path / "purse").read_text().splitlines()[1:] == ["0.1", "0.004 m", "-0.002 m"]
    assert purse.spent == Purse(None, tmp_path / "purse").spent == pytest.approx(0.25 + 0.1 + 0.002)


def test_a_torn_line_that_is_no_number_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / "purse").write_bytes(b"0.25 m\n1e-\n\xff\n0.5 n\n")
    assert Purse(None, tmp_path / "purse").spent == 0.75


def test_a_model_has_a_limit_of_its_own(tmp_path: Path) -> None:
    purse = Purse(Budget(models={"expert": 0.0101}), tmp_path / "purse")
    assert run(purse.of("judge"), *[0.004] * 9) == 9  # no limit, and nothing of the expert's
    assert run(purse.of("expert"), *[0.002] * 9) == 4
    with pytest.raises(ParleyError, match=r"0\.0080 of 0\.0101 USD for expert is spent.*raise budget\.models\.expert"):
        asyncio.run(purse.of("expert").set_aside(model(), request()))
    assert purse.spent_by_model() == pytest.approx({"judge": 0.036, "expert": 0.008})


def test_the_limit_of_all_holds_beside_those_of_single_models() -> None:
    purse = Purse(Budget(amount=0.0101, models={"expert": 1.0}))
    assert run(purse.of("judge"), 0.003, 0.003) == 2
    with pytest.raises(ParleyError, match=r"raise budget\.amount"):
        asyncio.run(purse.of("expert").set_aside(model(), request("x" * 900)))


def test_once_it_is_empty_no_further_call_is_made() -> None:
    """A job that ends must not pay for calls whose answers nobody waits for."""
    purse = Purse(Budget(amount=1.5 * MOST))

    async def work() -> None:
        with pytest.raises(ParleyError, match="budget"):
            await purse.of("m").set_aside(model(), request("x" * 2500))
        with pytest.raises(ParleyError, match="budget"):
            await purse.of("m").set_aside(model(), request())

    asyncio.run(work())
    assert purse.spent == 0


@given(costs=st.lists(st.floats(0, MOST), max_size=30), limit=st.floats(MOST / 2, 10 * MOST))
def test_no_more_than_the_budget_is_ever_spent(costs: list[float], limit: float) -> None:
    purse = Purse(Budget(amount=limit))
    made = run(purse, *costs)
    assert purse.spent <= limit + 1e-12
    assert purse.spent == pytest.approx(sum(costs[:made]))
    assert made == len(costs) or purse.spent + MOST > limit


def _spend(path: Path) -> int:
    """A job of its own: calls until the budget is reached."""
    return run(Purse(Budget(amount=0.2), path), *[0.001] * 1000)


def test_jobs_at_once_never_overdraw_the_purse(tmp_path: Path) -> None:
    """Without the lock each could look before the others have added."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        made = pool.map(_spend, [tmp_path / "purse"] * 3)
    spent = Purse(None, tmp_path / "purse").spent
    assert spent == pytest.approx(0.001 * sum(made))
    assert 0.2 - 3 * MOST < spent <= 0.2


def test_a_purse_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParleyError, match=r"the purse of the budget cannot be written or locked.*set PARLEY_PURSE"):
        asyncio.run(Purse(Budget(amount=1), tmp_path / "file" / "purse").of("m").set_aside(model(), request()))


def test_a_price_in_another_currency_is_named() -> None:
    with pytest.raises(ParleyError, match="budget is in EUR, but m is priced in USD"):
        asyncio.run(Purse(Budget(amount=1, currency="EUR")).of("m").set_aside(model(), request()))
