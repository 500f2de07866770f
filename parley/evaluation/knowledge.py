"""Knowledge: a multiple-choice test run by lm-eval (paper, Table 4), MMLU or questions of one's own, in two ways.

*Likelihood* is the stock way: MMLU's prompt (a line that names the subject, answered questions, the question,
"Answer:"), and the likeliest of " A" to " D" is the answer. It needs no guess and gives the same every time.
*Generation* is the paper's: an instruction, a free answer, and the first option letter in it counts, else a random one.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from parley.config import Knowledge
from parley.errors import ParleyError
from parley.evaluation.harness import Harness
from parley.evaluation.item import LETTERS, Item
from parley.evaluation.letters import first_letter, guess
from parley.evaluation.questions import Quiz, read_test
from parley.evaluation.shares import changes, score_bounds, score_test
from parley.evaluation.statistics import CONFIDENCE, clustered_share, paired_difference
from parley.world.prompts import Prompt

Answer = dict[str, Any]


def measure(
    base: Path,
    adapter: Path | None,
    settings: Knowledge,
    template: Prompt | None = None,
    seed: int = 1,
    device: str | None = None,
    batch_size: int = 8,
) -> dict[str, Any]:
    """Test `base`, with the PEFT `adapter` on it or as it is, and return accuracies as JSON values.

    The way is `way`; where both are asked for, this is likelihood, and `also.generation` has the same fields but for
    those about the test. `overall` and each of `categories` and `subjects` have `acc`, its `se`, `low` and `high`
    (Wilson, 95 %) and `n`; questions are taken as independent, as lm-eval does; `clustered` are the error and interval
    with the subject as the cluster. `answers` has a line for each question, so that two policies can be compared
    question by question; those in free words keep the `reply`, and `guessed` is true where it has no letter.
    `truncated` counts prompts that are longer than the model's context: lm-eval cuts their beginning off. `letters`
    tells how often each letter was chosen. `template` is the prompt of the generation, `seed` that of its guesses
    (another for each policy); `device` is the GPU if there is one.
    """
    test = read_test(settings)
    harness = Harness(base, adapter, device, batch_size)
    wanted = ("likelihood", "generation") if settings.way == "both" else (settings.way,)
    found: dict[str, dict[str, Any]] = {}
    for way in wanted:
        if way == "likelihood":
            answers, truncated = _by_likelihood(harness, test, settings.shots)
        else:
            assert template is not None, "an answer in free words needs a prompt"
            answers, truncated = _by_generation(harness, test, template, settings.tokens, seed)
        found[way] = summary(answers, truncated)
    first, *others = wanted
    common = {"chance": 1 / len(LETTERS), "shots": settings.shots, **test.facts, **harness.facts}
    also = {"also": {way: found[way] for way in others}} if others else {}
    return {"way": first, **common, **also, **found[first]}


def ways(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The parts of a result by the way in which they were measured."""
    return {result.get("way", "likelihood"): result, **result.get("also", {})}


def summary(answers: list[Answer], truncated: int) -> dict[str, Any]:
    """Accuracies over the answers of one way, by category and subject."""
    guessed = {"guessed": sum(answer["guessed"] for answer in answers)} if "guessed" in answers[0] else {}
    return {
        "overall": {**_accuracy(answers), "clustered": _clustered(answers)},
        "categories": _split(answers, "category"),
        "subjects": _split(answers, "subject"),
        "truncated": truncated,
        "letters": {letter: sum(answer["chosen"] == letter for answer in answers) for letter in LETTERS},
        **guessed,
        "answers": answers,
    }


def gap(result: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The accuracy of `result` minus that of `base`, paired by question, with Tango's interval and test (`t` is his score).

    Raises `ParleyError` if the two did not answer the same questions.
    """
    first, second, questions = paired(result, base)
    n, (gained, lost) = len(questions), changes(first, second)
    found = dict(vars(paired_difference(first, second, questions)))
    if n > 1:
        found["low"], found["high"] = score_bounds(gained, lost, n, (1 + CONFIDENCE) / 2)
        found["t"], found["p"] = score_test(gained, lost, n)
    return found


def paired(result: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[list[float], list[float], list[str]]:
    """Right (1) or wrong (0) of two results of the same way, question by question, and the questions.

    Raises `ParleyError` if the two did not answer the same questions.
    """
    keys = [[answer["question"] for answer in one["answers"]] for one in (result, base)]
    if keys[0] != keys[1]:
        raise ParleyError("the two knowledge results are on different questions; run both with the same test file")
    right = [[float(answer["right"]) for answer in one["answers"]] for one in (result, base)]
    return right[0], right[1], keys[0]


def _by_likelihood(harness: Harness, test: Quiz, shots: int) -> tuple[list[Answer], int]:
    found, truncated = harness.likelihoods(test, shots)
    answers = []
    for item in test.asked:
        values = found[item.id]
        answers.append(_answer(item, LETTERS[max(range(len(LETTERS)), key=values.__getitem__)]))
    return answers, truncated


def _by_generation(harness: Harness, test: Quiz, template: Prompt, tokens: int, seed: int) -> tuple[list[Answer], int]:
    replies, truncated = harness.replies(test, template, tokens)
    answers = []
    for item in test.asked:
        letter = first_letter(replies[item.id])
        told = {"guessed": letter is None, "reply": replies[item.id]}
        answers.append(_answer(item, letter or guess(item, seed)) | told)
    return answers, truncated


def _answer(item: Item, chosen: str) -> Answer:
    return {
        "question": item.id,
        "category": item.category,
        "subject": item.subject,
        "chosen": chosen,
        "right": chosen == LETTERS[item.answer],
    }


def _split(answers: Sequence[Answer], key: str) -> dict[str, Any]:
    """Accuracies by category or subject, in the order in which they come up."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer[key], []).append(answer)
    return {name: _accuracy(group) for name, group in groups.items()}


def _accuracy(answers: Sequence[Answer]) -> dict[str, Any]:
    return _share(answers, range(len(answers)))


def _clustered(answers: Sequence[Answer]) -> dict[str, Any]:
    """With the subject as the cluster: what a policy knows of one subject is no independent draw."""
    subjects = [answer["subject"] for answer in answers]
    return {**_share(answers, subjects), "clusters": len(set(subjects))}


def _share(answers: Sequence[Answer], clusters: Iterable[Any]) -> dict[str, Any]:
    share = clustered_share([answer["right"] for answer in answers], list(clusters))
    return {"acc": share.mean, "se": share.se, "low": share.low, "high": share.high, "n": share.n}
