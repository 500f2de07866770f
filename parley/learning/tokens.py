"""Token ids of samples: the prompt as the chat template renders it at play, then the answer up to its end mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parley.errors import ParleyError
from parley.records.message import Message

#: A label that the loss ignores.
IGNORED = -100


@dataclass(frozen=True)
class Encoded:
    """One sample: all its token ids, and how many of the first ones are prompt."""

    ids: list[int]
    prompt: int

    @property
    def labels(self) -> list[int]:
        """What each position is to be predicted as: the answer's own ids, and nothing for the prompt."""
        return [IGNORED] * self.prompt + self.ids[self.prompt :]


def encode(tokenizer: Any, prompts: Sequence[list[Message]], completions: Sequence[list[Message]]) -> list[Encoded]:
    """The samples as token ids.

    The prompt's ids are exactly those that a server makes of the same messages. The answer ends with the tokenizer's
    end mark, so that the model learns to stop; what the template writes after the mark is left out. Raises
    `ParleyError` if the template has no such prompt, for then play and training would differ.
    """
    if not prompts:
        return []
    if tokenizer.chat_template is None:
        raise ParleyError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template; add chat_template.jinja to the checkpoint"
        )
    asked = tokenizer.apply_chat_template(list(prompts), add_generation_prompt=True, tokenize=False)
    dialogues = [[*prompt, *completion] for prompt, completion in zip(prompts, completions, strict=True)]
    whole = tokenizer.apply_chat_template(dialogues, tokenize=False)
    for question, text in zip(asked, whole, strict=True):
        if not text.startswith(question):
            raise ParleyError(
                f"{tokenizer.name_or_path}: its chat template writes a prompt differently once the answer follows; "
                "use a template that only appends"
            )
    asked_ids, whole_ids = _ids(tokenizer, asked), _ids(tokenizer, whole)
    answers = _ids(tokenizer, [text[len(question) :] for question, text in zip(asked, whole, strict=True)])
    return [
        _encoded(question, ids, answer, tokenizer.eos_token_id)
        for question, ids, answer in zip(asked_ids, whole_ids, answers, strict=True)
    ]


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    # The template has written the marks that begin a text already.
    return [list(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def _encoded(question: list[int], whole: list[int], answer: list[int], end: int | None) -> Encoded:
    """Prefer the answer as it is cut within the whole text; where a token spans the border, as it is cut alone."""
    if whole[: len(question)] == question:
        answer = whole[len(question) :]
    if end in answer:
        answer = answer[: len(answer) - answer[::-1].index(end)]
    elif end is not None:
        answer = [*answer, end]
    return Encoded(question + answer, len(question))
