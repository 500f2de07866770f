"""What batches cost where money is told: in the report and in the estimate."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.config import Experiment
from parley.estimate.forecast import Calls, Range
from parley.report.effort import efforts
from parley.report.findings import USAGE, Findings
from tests.builders import experiment

PRICE = {"input": 10, "output": 30, "batch_input": 5, "batch_output": 15}


def mini(**changes: Any) -> Experiment:
    return experiment({"models.judge.price": PRICE, **changes})


def row(**tokens: int | None) -> dict[str, Any]:
    return {**dict.fromkeys(USAGE), "stage": "ratings", "speaker": "judge", "calls": 1, "prompt_tokens": 1000} | {
        "cached_tokens": 0,
        "completion_tokens": 100,
        **tokens,
    }


def money(*rows: dict[str, Any]) -> float | None:
    frame = pl.DataFrame(list(rows), schema=USAGE)
    (effort,) = efforts(Findings(root=None, experiment=mini(), usage=frame))  # type: ignore[arg-type]
    return effort.money


LIVE = (1000 * 10 + 100 * 30) / 1e6


def test_the_report_prices_what_came_in_batches_as_batches() -> None:
    whole = {"batch_prompt_tokens": 1000, "batch_cached_tokens": 0, "batch_completion_tokens": 100}
    assert money(row(**whole)) == pytest.approx(LIVE / 2)
    part = {"batch_prompt_tokens": 500, "batch_cached_tokens": 0, "batch_completion_tokens": 50}
    assert money(row(**part)) == pytest.approx(LIVE * 3 / 4)
    assert money(row(), row(**whole)) == pytest.approx(LIVE * 3 / 2)


def test_usage_that_tells_nothing_of_batches_is_live() -> None:
    assert money(row()) == pytest.approx(LIVE)


def calls(batched: float, prompt: float = 1000.0) -> Calls:
    tokens, answer = Range.exactly(prompt), Range.exactly(prompt / 10)
    return Calls("judge", 0, Range.exactly(1), tokens, answer, batched=batched)


def test_the_estimate_takes_batches_as_likely_and_live_calls_as_the_most() -> None:
    found = calls(1.0).money(mini())
    assert (found.low, found.likely, found.high) == pytest.approx((LIVE / 2, LIVE / 2, LIVE))
    assert calls(0.0).money(mini()).likely == pytest.approx(LIVE)


@given(one=st.floats(1, 1e6), other=st.floats(1, 1e6))
def test_a_sum_costs_what_its_parts_cost(one: float, other: float) -> None:
    batched, live = calls(1.0, one), calls(0.0, other)
    apart = batched.money(mini()).likely + live.money(mini()).likely
    assert (batched + live).money(mini()).likely == pytest.approx(apart)
