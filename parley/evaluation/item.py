"""An item: one multiple-choice question as a test asks it, wherever it comes from."""

from dataclasses import dataclass
from typing import Literal

LETTERS = ("A", "B", "C", "D")
Category = Literal["stem", "humanities", "social_sciences", "other"]


@dataclass(frozen=True)
class Item:
    """A question with four choices; `answer` is the place of the right one, from 0. `id` is its own in the test."""

    id: str
    category: Category
    subject: str
    question: str
    choices: tuple[str, str, str, str]
    answer: int
