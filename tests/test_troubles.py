"""Troubles: reasons are put into kinds that can be counted, wherever in the record they stand."""

import pytest

from parley.llm.call import CallFailed, Reply
from parley.llm.taken import Usage
from parley.llm.troubles import Troubles, kind_of

REASONS = {
    "HTTP 429: slow down": "HTTP 429",
    "HTTP 500: oops (6 tries; before: HTTP 429: slow down)": "HTTP 500",
    "no answer within 120 s": "no answer in time",
    "connection broken: [Errno 104] Connection reset by peer": "connection broken",
    "no connection: Connection refused": "no connection",
    "unreadable answer: the answer is not a chat completion": "no chat completion",
    "the model refused to answer": "refused by the model",
    "the answer is empty": "empty",
    "the answer was cut off after 64 tokens": "cut off by the token limit",
    "the answer has no JSON object": "no JSON",
    "the answer has none of the wanted fields": "not of the form asked for",
    "action_type: Input should be 'none', 'speak' or 'leave'": "not of the form asked for",
    "the entries are for 'A', 'B'; one must be for 'Ann Ash'": "other names",
    "goal of Ann Ash is 99, outside 0 to 10": "a score out of range",
    "secret of Ann Ash is -99, outside -10 to 0": "a score out of range",
}


@pytest.mark.parametrize(("reason", "kind"), REASONS.items())
@pytest.mark.parametrize(
    "before",
    ["", "seat 1, turn 12: ", "episode failed: seat 0, turn 1: ", "rating failed: ", "invalid: ", "call failed: "],
)
def test_a_reason_has_its_kind_wherever_it_stands(reason: str, kind: str, before: str) -> None:
    assert kind_of(before + reason) == kind


def test_calls_count_every_try_that_failed() -> None:
    usage = Usage()
    usage.add(Reply("k", "Hi", "stop", 10, 3, 0, 0.1))
    usage.add(Reply("k", "Hi", "stop", 10, 3, 0, 0.1, 3, ("HTTP 429: a", "HTTP 429: b", "no answer within 2 s")))
    usage.fail(CallFailed("k", "HTTP 500: c (2 tries)", ["connection broken: d", "HTTP 500: c"]))
    usage.fail(CallFailed("k", "HTTP 400: e"))
    reasons = {"HTTP 429": 2, "no answer in time": 1, "connection broken": 1, "HTTP 500": 1, "HTTP 400": 1}
    assert usage.troubles == Troubles(retried=1, reasons=reasons)
    assert (usage.calls, usage.failures, usage.retries) == (2, 2, 3)
    assert usage.as_dict()["troubles"]["reasons"] == reasons
