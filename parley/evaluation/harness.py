"""The harness: one checkpoint, with or without an adapter, asked through lm-eval in either way.

Both ways use the same loaded weights. The free answers come from lm-eval's own model too, through the checkpoint's chat
template (which is what engines serve a policy with) and greedily, and not from the experiment's engines: a test of
14,042 questions then loads the model once, is the same on every machine that has the weights, and needs no server.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parley.errors import ParleyError
from parley.evaluation import mmlu
from parley.evaluation.item import Item
from parley.evaluation.questions import Quiz
from parley.world.prompts import Prompt

Sample = dict[str, Any]


class Harness:
    """A loaded model. Raises `ParleyError` if a folder or a library is missing."""

    def __init__(self, base: Path, adapter: Path | None, device: str | None, batch_size: int) -> None:
        _folder(base, "config.json", "a checkpoint")
        if adapter is not None:
            _folder(adapter, "adapter_config.json", "a PEFT adapter")
        try:
            import lm_eval
            import torch
            from lm_eval.models.huggingface import HFLM
        except ImportError as error:
            raise ParleyError(f"the knowledge test needs {error.name}; install parley[train,knowledge]") from None
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = "float32" if device == "cpu" else "auto"
        self.facts = {"lm_eval": lm_eval.__version__, "device": torch.device(device).type, "dtype": dtype}
        with quiet():
            self._model: Any = HFLM(
                pretrained=str(base),
                peft=str(adapter) if adapter else None,
                device=device,
                dtype=dtype,
                batch_size=batch_size,
            )

    def likelihoods(self, test: Quiz, shots: int) -> tuple[dict[str, list[float]], int]:
        """By item, the log-likelihoods of " A" to " D" after MMLU's prompt; and how many prompts were cut."""
        subjects = dict.fromkeys(item.subject for item in test.asked)
        configs = [_likelihood_task(test, subject, shots) for subject in subjects]
        samples = self._samples(configs, chat=False)
        # The last token is only predicted, never read.
        longest = [max(self._tokens(context + choice) for context, choice in s["arguments"]) - 1 for s in samples]
        found = {s["doc"]["id"]: [likelihood for likelihood, _ in s["filtered_resps"]] for s in samples}
        return found, sum(length > self._model.max_length for length in longest)

    def replies(self, test: Quiz, template: Prompt, tokens: int) -> tuple[dict[str, str], int]:
        """By item, what the model writes after the instruction, `tokens` of it at most; and how many prompts were cut."""
        samples = self._samples([_generation_task(test, template, tokens)], chat=self._chats)
        longest = [max(self._tokens(argument[0]) for argument in s["arguments"]) for s in samples]
        room = self._model.max_length - tokens
        return {s["doc"]["id"]: str(s["filtered_resps"][0]) for s in samples}, sum(length > room for length in longest)

    @property
    def _chats(self) -> bool:
        return bool(getattr(self._model.tokenizer, "chat_template", None))

    def _tokens(self, text: str) -> int:
        return len(self._model.tok_encode(text))

    def _samples(self, configs: Sequence[dict[str, Any]], chat: bool) -> list[Sample]:
        import lm_eval
        from lm_eval.api.task import ConfigurableTask
        from lm_eval.tasks import TaskManager

        with quiet():
            # Errors are taken from the answers: no bootstrap. The default manager would first index thousands of tasks.
            results = lm_eval.simple_evaluate(
                model=self._model,
                tasks=[ConfigurableTask(config=config) for config in configs],
                task_manager=TaskManager(include_defaults=False),
                bootstrap_iters=0,
                log_samples=True,
                apply_chat_template=chat,
            )
        return [sample for rows in results["samples"].values() for sample in rows]


def _likelihood_task(test: Quiz, subject: str, shots: int) -> dict[str, Any]:
    """The task of one subject: lm-eval's own for MMLU, and for other questions the same with another name."""
    config = mmlu.task(subject) if test.facts["source"] == "mmlu" else {**mmlu.task("anatomy"), **_named(subject)}
    asked = [_row(item) for item in test.asked if item.subject == subject]
    shown = [_row(item) for item in test.shown[subject]]
    # An empty split has no columns; zero shots read none of it.
    return {**config, "num_fewshot": shots, "custom_dataset": _dataset({"test": asked, "dev": shown or asked[:1]})}


def _named(subject: str) -> dict[str, Any]:
    about = subject.replace("_", " ")
    return {
        "task": f"knowledge_{subject}",
        "task_alias": subject,
        "tag": "knowledge",
        "description": f"The following are multiple choice questions (with answers) about {about}.\n\n",
    }


def _generation_task(test: Quiz, template: Prompt, tokens: int) -> dict[str, Any]:
    rows = [{**_row(item), "prompt": _prompt(template, item, test.shown[item.subject])} for item in test.asked]
    return {
        "task": "knowledge_in_words",
        "custom_dataset": _dataset({"test": rows}),
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": tokens},
        "metric_list": [{"metric": "bypass"}],
    }


def _prompt(template: Prompt, item: Item, shown: list[Item]) -> str:
    return template.render(
        subject=item.subject.replace("_", " "), shots=shown, question=item.question.strip(), choices=item.choices
    )


def _row(item: Item) -> dict[str, Any]:
    return {**vars(item), "choices": list(item.choices)}


def _dataset(splits: dict[str, list[dict[str, Any]]]) -> Callable[..., Any]:
    def make(**_: Any) -> Any:
        from datasets import Dataset, DatasetDict

        return DatasetDict({name: Dataset.from_list(rows) for name, rows in splits.items()})

    return make


def _folder(path: Path, file: str, what: str) -> None:
    if not (path / file).is_file():
        raise ParleyError(f"{path}: is not {what} (no {file}); build it, or correct the path")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep lm-eval's remarks about settings that are meant out of the log; its errors stay."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
