"""The letter in a free answer, and the guess where there is none."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.evaluation.item import LETTERS, Item
from parley.evaluation.letters import first_letter, guess


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        (" B. Because of the heart.", "B"),
        ("(C) 42", "C"),
        ("**D**", "D"),
        ("The answer is C, not A.", "C"),
        ("Answer:\n\nA", "A"),
        ("A cell divides, so B.", "A"),  # the rule taken at its word
        ("Because it is so", None),
        ("a or b", None),
        ("I cannot tell.", None),
        ("E", None),
        ("DNA", None),
        ("B's choice", None),
        ("A’s", None),
        ("", None),
    ],
)
def test_the_first_option_letter_that_stands_alone_counts(reply: str, letter: str | None) -> None:
    assert first_letter(reply) == letter


@given(st.text(alphabet="xyz .,\n", max_size=20), st.sampled_from(LETTERS), st.text(max_size=20))
def test_what_comes_after_the_first_letter_changes_nothing(before: str, letter: str, after: str) -> None:
    assert first_letter(f"{before} {letter} {after}") == letter


def item(number: int) -> Item:
    return Item(f"q{number}", "stem", "sums", "What?", ("1", "2", "3", "4"), 0)


def test_guesses_are_even_and_the_same_with_the_same_seed_alone() -> None:
    guesses = [guess(item(number), seed=1) for number in range(2000)]
    assert guesses == [guess(item(number), seed=1) for number in range(2000)]
    assert guesses != [guess(item(number), seed=2) for number in range(2000)]
    assert set(guesses) == set(LETTERS) and max(Counter(guesses).values()) < 600
