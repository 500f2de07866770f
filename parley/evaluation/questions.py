"""Questions: what a knowledge test asks, and the answered ones that it shows first."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from parley.canonical import digest, file_digest
from parley.config import Knowledge
from parley.errors import ParleyError
from parley.evaluation import mmlu
from parley.evaluation.item import Category, Item
from parley.records.jsonl import Record, read_jsonl


class Question(Record):
    """A question of one's own with four choices; `answer` is the place of the right one, from 0."""

    category: Literal["stem", "humanities", "social_sciences", "other"]
    subject: str = Field(pattern=r"^[a-z0-9_]+$")
    question: str = Field(min_length=3)
    choices: tuple[str, str, str, str]
    answer: int = Field(ge=0, le=3)

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("two choices are the same")
        return self

    @property
    def id(self) -> str:
        """Sixteen hex digits over what is asked."""
        return digest([self.subject, self.question, self.choices], 16)

    def item(self) -> Item:
        """The question as a test asks it."""
        return Item(self.id, self.category, self.subject, self.question, self.choices, self.answer)


@dataclass(frozen=True)
class Quiz:
    """What is asked, and by subject the answered questions that its prompt shows; `facts` say where both are from."""

    asked: list[Item]
    shown: dict[str, list[Item]]
    facts: dict[str, Any] = field(default_factory=dict)


def read_test(settings: Knowledge) -> Quiz:
    """The test that the config names, cut to its `limit`. Raises `ParleyError` for what cannot be used."""
    if settings.source == "mmlu":
        asked, shown, facts = mmlu.read(settings.path, settings.revision, settings.shots)
    else:
        test, dev = read_questions(settings)
        asked, shown = [one.item() for one in test], _shots(test, dev, settings)
        facts = {"test_sha256": file_digest(settings.test), "dev_sha256": file_digest(settings.dev)}
    return Quiz(_first(asked, settings.limit), shown, {"source": settings.source, "limit": settings.limit, **facts})


def _first(items: list[Item], limit: int | None) -> list[Item]:
    """The first so many items of each subject."""
    if limit is None:
        return items
    seen: Counter[str] = Counter()
    kept = []
    for item in items:
        seen[item.subject] += 1
        if seen[item.subject] <= limit:
            kept.append(item)
    return kept


def read_questions(settings: Knowledge) -> tuple[list[Question], list[Question]]:
    """The test questions and those that may be shown with their answers.

    Raises `ParleyError` with file and line for a broken line, and for a question that is asked twice, is both shown
    and asked, or whose category is not the only one of its subject.
    """
    test, dev = (read_jsonl(path, Question) for path in (settings.test, settings.dev))
    if not test:
        raise ParleyError(f"{settings.test}: has no question; write one a line")
    if twice := [key for key, count in Counter((q.subject, q.question) for q in test).items() if count > 1]:
        raise ParleyError(f"{settings.test}: asks {twice[0][1]!r} twice; delete one of the two")
    shown = {question.question for question in dev}
    if leaked := [question.question for question in test if question.question in shown]:
        raise ParleyError(f"{settings.dev}: shows the answer to the test question {leaked[0]!r}; delete it here")
    homes: dict[str, Category] = {}
    for question in [*test, *dev]:
        if homes.setdefault(question.subject, question.category) != question.category:
            raise ParleyError(f"{settings.test}: the subject {question.subject!r} is in two categories; choose one")
    return test, dev


def _shots(test: list[Question], dev: list[Question], settings: Knowledge) -> dict[str, list[Item]]:
    """The answered questions that each subject's prompt shows: its own first, then others of its category."""
    shown = {}
    for question in {question.subject: question for question in test}.values():
        pool = [other for other in dev if other.category == question.category]
        pool.sort(key=lambda other: other.subject != question.subject)
        if len(pool) < settings.shots:
            raise ParleyError(
                f"{settings.dev}: {settings.shots} shots need as many questions on {question.category}, there are "
                f"{len(pool)}; add some or lower knowledge.shots"
            )
        shown[question.subject] = [other.item() for other in pool[: settings.shots]]
    return shown
