"""Comments: why an episode ended and what the judge said, out of one text and into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.exchange.comments import as_comments, comments_on, ending_in, reasons_in
from parley.records.episode import Ending
from parley.records.rating import KEYS
from tests.released import A, B, comments

REASONS = {key: f"Why {key}." for key in KEYS}


@pytest.mark.parametrize(
    ("why", "ending"),
    [
        ("The conversation is too long; ", "turns"),
        ("Agent 1 is leaving; ", "left"),
        ("Agent 2 is leaving; ", "left"),
        ("Too few active agents; ", "left"),
        ("The conversation stales for too long; ", "silence"),
        ("The conversation is too long; Agent 2 is leaving; ", "left"),
        ("The conversation is too long; The conversation stales for too long; ", "turns"),
        ("", None),
    ],
)
def test_the_ending_is_told(why: str, ending: Ending | None) -> None:
    assert ending_in(comments(why)) == ending


def test_what_a_judge_says_of_leaving_is_no_ending() -> None:
    assert ending_in("Agent 1 comments:\ngoal: Agent 1 is leaving; too early.\n") is None
    assert ending_in("Environment comments: terminated: The conversation is too long;") == "turns"  # stripped


def test_each_seat_has_its_own_comments() -> None:
    for seat, name in enumerate((A, B)):
        reasons, before = reasons_in(comments_on(comments(), seat), KEYS)
        assert reasons == {key: f"{name} and {key}." for key in KEYS}
        assert before == ""


@pytest.mark.parametrize("ending", ["left", "silence", "turns", "failed"])
@pytest.mark.parametrize("rated", [(True, True), (True, False), (False, True), (False, False)])
def test_comments_come_back(ending: Ending, rated: tuple[bool, bool]) -> None:
    text = as_comments(ending, 1, [REASONS if there else None for there in rated])
    assert ending_in(text) == (None if ending == "failed" else ending)
    for seat, there in enumerate(rated):
        assert reasons_in(comments_on(text, seat), KEYS) == (REASONS if there else {}, "")


#: Reasons as judges write them: of any letters and lines, but no line that begins as one of the form itself.
PLAIN = st.text().filter(lambda text: ": " not in text and "comments:" not in text)


@given(st.lists(PLAIN, min_size=14, max_size=14))
def test_any_plain_reasons_come_back(texts: list[str]) -> None:
    reasons = [dict(zip(KEYS, texts[at : at + 7], strict=True)) for at in (0, 7)]
    text = as_comments("turns", 0, reasons)
    assert [reasons_in(comments_on(text, seat), KEYS)[0] for seat in (0, 1)] == reasons


def test_the_order_tells_a_dimension_from_a_word_of_another_reason() -> None:
    odd = {**REASONS, "believability": "Natural.\ngoal: this is about the goal.", "goal": "Met.\nsecret: none."}
    assert reasons_in(comments_on(as_comments("left", 0, [odd, REASONS]), 0), KEYS) == (odd, "")


def test_a_text_that_is_not_divided_is_said_of_both() -> None:
    for text in ("Both did well.\nMore or less.", "Environment comments: terminated: \nBoth did well.\nMore or less."):
        for seat in (0, 1):
            assert comments_on(text, seat) == "Both did well.\nMore or less."
            assert reasons_in(comments_on(text, seat), KEYS) == ({}, "Both did well.\nMore or less.")
    assert comments_on("Environment comments: terminated: The conversation is too long; ", 0) == ""
