"""Knowledge: a multiple-choice test in the shape of MMLU, run by lm-eval (paper, Table 4).

One lm-eval task a subject with MMLU's prompt: a line that names the subject, `shots` answered questions, the question,
"Answer:". The likeliest of " A" to " D" is the answer. The paper let the model write and looked for the first letter,
with a random guess where there was none; comparing likelihoods needs no guess and gives the same every time.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from parley.canonical import digest, file_digest
from parley.config import Knowledge
from parley.errors import ParleyError
from parley.evaluation.statistics import clustered_share, paired_difference
from parley.records.jsonl import Record, read_jsonl

LETTERS = ("A", "B", "C", "D")
Category = Literal["stem", "humanities", "social_sciences", "other"]


class Question(Record):
    """A question with four choices; `answer` is the place of the right one, from 0."""

    category: Category
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
    homes: dict[str, str] = {}
    for question in [*test, *dev]:
        if homes.setdefault(question.subject, question.category) != question.category:
            raise ParleyError(f"{settings.test}: the subject {question.subject!r} is in two categories; choose one")
    return test, dev


def measure(
    base: Path,
    adapter: Path | None,
    settings: Knowledge,
    device: str | None = None,
    batch_size: int = 8,
) -> dict[str, Any]:
    """Test `base`, with the PEFT `adapter` on it or as it is, and return accuracies as JSON values.

    `overall` and each of `categories` have `acc`, its `se`, `low` and `high` (Wilson, 95 %) and `n`; questions are
    taken as independent, as lm-eval does. `answers` has a line for each question, so that two policies can be compared
    question by question. `truncated` counts prompts that are longer than the model's context: lm-eval cuts their
    beginning off. `letters` tells how often each letter was chosen. `device` is the GPU if there is one.
    """
    test, dev = read_questions(settings)
    shown = _shots(test, dev, settings)
    _folder(base, "config.json", "a checkpoint")
    if adapter is not None:
        _folder(adapter, "adapter_config.json", "a PEFT adapter")
    with _quiet():
        samples, facts, truncated = _run(base, adapter, test, shown, settings.shots, device, batch_size)
    answers = [_answer(question, samples[question.id]) for question in test]
    categories = dict.fromkeys(question.category for question in test)
    return {
        "overall": _accuracy(answers),
        "categories": {name: _accuracy([a for a in answers if a["category"] == name]) for name in categories},
        "chance": 1 / len(LETTERS),
        "shots": settings.shots,
        "truncated": truncated,
        "letters": {letter: sum(a["chosen"] == letter for a in answers) for letter in LETTERS},
        "test_sha256": file_digest(settings.test),
        "dev_sha256": file_digest(settings.dev),
        **facts,
        "answers": answers,
    }


def gap(result: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The accuracy of `result` minus that of `base`, paired by question, with its interval, t and p.

    Raises `ParleyError` if the two did not answer the same questions.
    """
    keys = [[answer["question"] for answer in one["answers"]] for one in (result, base)]
    if keys[0] != keys[1]:
        raise ParleyError("the two knowledge results are on different questions; run both with the same test file")
    right = [[float(answer["right"]) for answer in one["answers"]] for one in (result, base)]
    return dict(vars(paired_difference(right[0], right[1], keys[0])))


def _shots(test: list[Question], dev: list[Question], settings: Knowledge) -> dict[str, list[Question]]:
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
        shown[question.subject] = pool[: settings.shots]
    return shown


def _run(
    base: Path,
    adapter: Path | None,
    test: list[Question],
    shown: Mapping[str, list[Question]],
    shots: int,
    device: str | None,
    batch_size: int,
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], int]:
    """What lm-eval says of each question (by id), facts about the run, and the number of truncated prompts."""
    try:
        import lm_eval
        import torch
        from lm_eval.api.task import ConfigurableTask
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise ParleyError(f"the knowledge test needs {error.name}; install parley[train,knowledge]") from None
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = "float32" if device == "cpu" else "auto"
    model = HFLM(
        pretrained=str(base),
        peft=str(adapter) if adapter else None,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
    )
    asked = {subject: [question for question in test if question.subject == subject] for subject in shown}
    tasks = [ConfigurableTask(config=_config(name, asked[name], shown[name], shots)) for name in shown]
    # Errors are taken from the answers: no bootstrap. The default manager would first index thousands of tasks.
    manager = TaskManager(include_defaults=False)
    results = lm_eval.simple_evaluate(
        model=model, tasks=tasks, task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    samples = [sample for rows in results["samples"].values() for sample in rows]
    longest = [max(len(model.tok_encode(context + choice)) for context, choice in s["arguments"]) for s in samples]
    facts = {"lm_eval": lm_eval.__version__, "device": torch.device(device).type, "dtype": dtype}
    # The last token is only predicted, never read.
    return {s["doc"]["id"]: s for s in samples}, facts, sum(length - 1 > model.max_length for length in longest)


def _config(subject: str, asked: list[Question], shown: list[Question], shots: int) -> dict[str, Any]:
    """The lm-eval task of one subject, word for word MMLU's template; the questions stay in memory."""
    return {
        "task": f"knowledge_{subject}",
        "custom_dataset": _dataset(asked, shown),
        "description": "The following are multiple choice questions (with answers) about "
        f"{subject.replace('_', ' ')}.\n\n",
        "test_split": "test",
        "fewshot_split": "dev",
        "fewshot_config": {"sampler": "first_n"},
        "num_fewshot": shots,
        "output_type": "multiple_choice",
        "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\n"
        "D. {{choices[3]}}\nAnswer:",
        "doc_to_choice": list(LETTERS),
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }


def _dataset(asked: list[Question], shown: list[Question]) -> Callable[..., Any]:
    def make(**_: Any) -> Any:
        from datasets import Dataset, DatasetDict

        splits = {"test": asked, "dev": shown or asked[:1]}  # an empty split has no columns; zero shots read none of it
        rows = {name: [{"id": q.id, **q.model_dump(mode="json")} for q in part] for name, part in splits.items()}
        return DatasetDict({name: Dataset.from_list(part) for name, part in rows.items()})

    return make


def _answer(question: Question, sample: Mapping[str, Any]) -> dict[str, Any]:
    likelihoods = [likelihood for likelihood, _ in sample["filtered_resps"]]
    return {
        "question": question.id,
        "category": question.category,
        "subject": question.subject,
        "chosen": LETTERS[max(range(len(LETTERS)), key=likelihoods.__getitem__)],
        "right": sample["acc"] == 1.0,
    }


def _accuracy(answers: list[dict[str, Any]]) -> dict[str, Any]:
    share = clustered_share([answer["right"] for answer in answers], range(len(answers)))
    return {"acc": share.mean, "se": share.se, "low": share.low, "high": share.high, "n": share.n}


def _folder(path: Path, file: str, what: str) -> None:
    if not (path / file).is_file():
        raise ParleyError(f"{path}: is not {what} (no {file}); build it, or correct the path")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep lm-eval's remarks about settings that are meant out of the log; its errors stay."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
