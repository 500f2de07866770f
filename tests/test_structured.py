"""Answers of a given shape: what is read, what is mended, what is asked for again."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from parley.llm.call import Reply
from parley.llm.structured import Answer, Unreadable, ask, schema_of
from parley.llm.taken import Usage
from parley.records.message import Message

QUESTION = [Message(role="user", content="What do you do?")]
GOOD = '{"kind": "speak", "words": "hi"}'


class Act(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: str
    words: str = Field(max_length=20)


class Loose(BaseModel):
    """Everything has a default: an empty object would be valid."""

    words: str = "default"


class Script:
    """A speaker that gives prepared answers and notes what it was asked."""

    def __init__(self, *answers: str | tuple[str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[list[Message]] = []
        self.settings: list[tuple[Any, ...]] = []
        self.usage = Usage()

    async def chat(
        self, messages: Sequence[Message], *, schema: Any = None, seed: int | None = None, replicate: int = 0
    ) -> Reply:
        self.asked.append(list(messages))
        self.settings.append((schema, seed, replicate))
        answer = self.answers.pop(0)
        text, finish = answer if isinstance(answer, tuple) else (answer, "stop")
        return Reply(f"key{len(self.asked)}", text, finish, 10, 5, 0, 0.1)


def read(*answers: str | tuple[str, str], check: Any = None) -> tuple[Answer[Act], Script]:
    script = Script(*answers)
    answer = asyncio.run(
        ask(script, QUESTION, Act, retry=lambda bad, fault: f"again: {fault}", seed=5, replicate=2, check=check)
    )
    return answer, script


def fault_of(text: str, finish: str = "stop", check: Any = None) -> str:
    """Why an answer is not read: the second attempt is good and its question names the fault."""
    answer, script = read((text, finish), GOOD, check=check)
    assert answer.attempts == 2
    return script.asked[1][-1]["content"].removeprefix("again: ")


def test_a_clean_answer_is_read_as_it_is() -> None:
    answer, script = read(f"  {GOOD}\n")
    assert (answer.value.words, answer.attempts, answer.repaired, answer.reply.key) == ("hi", 1, False, "key1")
    assert script.settings == [(schema_of(Act), 5, 2)]


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}```",
        f"Sure, here it is: {GOOD}",
        f"{GOOD}\nI hope that helps {{smile}}.",
        f"In the form {{kind, words}} I say {GOOD}",
        f'The schema {{"type": "object"}} asks for\n```json\n{GOOD}\n```\nand nothing else.',
        '{"kind": "speak", "words": "hi",}',
        "{'kind': 'speak', 'words': 'hi'}",
        '{kind: "speak", words: "hi"}',
        'Well: {"kind": "speak", "words": "hi"',
    ],
)
def test_an_answer_that_is_nearly_right_is_mended(text: str) -> None:
    answer, _ = read(text)
    assert (answer.value, answer.attempts, answer.repaired) == (Act(kind="speak", words="hi"), 1, True)


def test_the_object_that_has_the_wanted_shape_is_taken() -> None:
    answer, _ = read(f'First {{"kind": 1}} then {GOOD}')
    assert answer.value.words == "hi"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("I would say hello.", "the answer has no JSON object"),
        ("", "the answer is empty"),
        ("   \n", "the answer is empty"),
        ("{}", "the answer has none of the wanted fields"),
        ("[1, 2]", "the answer has no JSON object"),
        ("null", "the answer has no JSON object"),
        ('{"kind": "speak"}', "words: Field required"),
        ('{"kind": "speak", "words": "hi", "mood": 1}', "mood: Extra inputs are not permitted"),
        ('{"kind": "speak", "words": "%s"}' % ("x" * 21), "words: String should have at most 20 characters"),
    ],
)
def test_a_bad_answer_is_named(text: str, fault: str) -> None:
    assert fault_of(text) == fault


@pytest.mark.parametrize("text", ["I think {so} it is", "no { brace", "{", "{{{{", "I feel {happy: yes} today"])
def test_prose_with_braces_is_no_object(text: str) -> None:
    with pytest.raises(Unreadable):
        asyncio.run(ask(Script(text, text), QUESTION, Loose, retry=lambda bad, fault: fault, seed=None))


def test_a_cut_answer_is_not_mended() -> None:
    assert fault_of('{"kind": "speak", "words": "he', "length") == "the answer was cut off after 5 tokens"


def test_an_inner_object_of_a_cut_answer_is_not_taken() -> None:
    assert fault_of('{"outer": {"kind": "speak", "words": "hi"}, "more": "', "length").startswith("the answer was cut")


def test_a_whole_object_is_read_even_if_the_limit_was_hit() -> None:
    answer, _ = read((GOOD, "length"))
    assert answer.attempts == 1


@pytest.mark.parametrize("finish", ["refusal", "content_filter"])
def test_a_refusal_is_never_read(finish: str) -> None:
    assert fault_of(GOOD, finish) == "the model refused to answer"


def test_a_check_may_refuse_what_the_schema_allows() -> None:
    def check(act: Act) -> str | None:
        return "say something" if act.words == "" else None

    assert fault_of('{"kind": "speak", "words": ""}', check=check) == "say something"


def test_the_second_question_shows_the_bad_answer_and_the_fault() -> None:
    _, script = read("nonsense", GOOD)
    assert script.asked[1] == [
        *QUESTION,
        Message(role="assistant", content="nonsense"),
        Message(role="user", content="again: the answer has no JSON object"),
    ]


def test_after_two_bad_answers_it_gives_up() -> None:
    script = Script("nonsense", "{}", GOOD)
    with pytest.raises(Unreadable) as caught:
        asyncio.run(ask(script, QUESTION, Act, retry=lambda bad, fault: fault, seed=1))
    assert (caught.value.reason, caught.value.key, caught.value.attempts) == (
        "the answer has none of the wanted fields",
        "key2",
        2,
    )
    assert len(script.asked) == 2


@pytest.mark.parametrize("around", ["%s", "```%s```", "I say %s", "%s,"])
def test_half_a_surrogate_pair_does_not_reach_a_file(around: str) -> None:
    answer, _ = read(around % '{"kind": "speak", "words": "so \\ud83d"}')
    answer.value.model_dump_json()
    assert (answer.value.words, answer.repaired) == ("so \ufffd", True)


def test_a_real_emoji_stays() -> None:
    answer, _ = read('{"kind": "speak", "words": "\\ud83d\\ude00"}')
    assert (answer.value.words, answer.repaired) == ("\U0001f600", False)


def test_the_schema_is_strict_at_every_depth() -> None:
    class Inner(BaseModel):
        default: int = 3
        title: str

    class Outer(BaseModel):
        inner: Inner
        many: list[Inner] = []

    schema = schema_of(Outer)
    inner = schema["$defs"]["Inner"]
    assert schema["required"] == ["inner", "many"]
    assert inner["required"] == ["default", "title"]
    assert schema["additionalProperties"] is inner["additionalProperties"] is False
    assert list(inner["properties"]) == ["default", "title"]
    assert "default" not in schema["properties"]["many"]


# -- what is counted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "counts", "reasons"),
    [
        ([GOOD], (1, 0, 0, 0), {}),
        ([f"```json\n{GOOD}\n```"], (1, 1, 0, 0), {}),
        (["I would say hello.", GOOD], (1, 0, 1, 0), {"no JSON": 1}),
        (["", f"```\n{GOOD}```"], (1, 1, 1, 0), {"empty": 1}),
        ([("no", "refusal"), "{}"], (1, 0, 1, 1), {"refused by the model": 1, "not of the form asked for": 1}),
    ],
)
def test_what_could_be_read_is_counted(
    answers: list[str | tuple[str, str]], counts: tuple[int, ...], reasons: dict[str, int]
) -> None:
    script = Script(*answers)
    with suppress(Unreadable):
        asyncio.run(ask(script, QUESTION, Act, retry=lambda bad, fault: fault, seed=5))
    found = script.usage.troubles
    assert (found.answers, found.repaired, found.asked_again, found.unreadable) == counts
    assert found.reasons == reasons and not script.answers
