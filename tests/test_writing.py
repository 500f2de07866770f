"""Writing: which tasks stand in the end, what was dropped and why, whoever answers first."""

import asyncio
import json
from collections.abc import Callable
from itertools import repeat
from typing import Any

import pytest

from parley.errors import ParleyError
from parley.llm.call import CallFailed
from parley.records.task import Goal, Keyword, Task
from parley.world.prompts import Prompt
from parley.world.writing import Written, WrittenTask, as_task, fault_in, write_tasks
from tests.builders import PROMPTS, RETRY, Script, Sent, draft, keyword, task

TEMPLATE = Prompt(PROMPTS / "task.jinja")
KEYWORDS = [keyword(number) for number in range(8)]
#: Eight scenarios that have little in common.
SCENES = [
    "A canoe drifts away while two people argue about lunch.",
    "Someone has painted the shared fence bright orange overnight.",
    "The last ticket for the opera lies on the counter.",
    "A borrowed drill comes back without its battery.",
    "Rain has flooded the cellar of a small bookshop.",
    "Two cousins inherit one violin and no money.",
    "The kitchen smells of smoke and nobody ordered fish.",
    "A dog has chosen to sleep in the wrong garden.",
]


def of(sent: Sent) -> int:
    """The number of the keyword that a prompt is about."""
    first = sent.messages[0]["content"]
    return next(number for number in range(len(KEYWORDS)) if f"Keyword: the norms {number}\n" in first)


def writer(**odd: str | Exception) -> Script:
    """Answers each keyword with its scene, or with what `k3=…` says for that of keyword 3."""

    async def answer(sent: Sent) -> str:
        number = of(sent)
        special = odd.get(f"k{number}", draft(SCENES[number]))
        if isinstance(special, Exception):
            raise special
        return special

    return Script(then=repeat(answer))


def write(
    script: Any,
    count: int,
    keywords: list[Keyword] = KEYWORDS,
    known: list[Task] | None = None,
    on_task: Callable[[int], None] = lambda done: None,
) -> Written:
    return asyncio.run(
        asyncio.wait_for(
            write_tasks(script, TEMPLATE, RETRY, keywords, count, known or [], 0.85, 1, on_task), timeout=10
        )
    )


def names(written: Written) -> list[str]:
    return [one.name for one in written.tasks]


BAD = "I cannot think of anything."


# -- a good answer -------------------------------------------------------------------------------------------------


def test_an_answer_becomes_a_task_named_after_its_keyword() -> None:
    (one,) = write(Script(draft("A lamp\n is for  sale.", relationship="family")), 1).tasks
    assert one == Task.model_validate(
        {
            "name": "norms0",
            "scenario": "A lamp is for sale.",
            "goals": [
                Goal(text="Win in A lamp\n is for  sale."),
                Goal(text="Do not lose in A lamp\n is for  sale.", extra_info="Be kind."),
            ],
            "relationship": "family",
            "ages": [[20, 60], [18, 70]],
            "occupations": [["baker"], []],
            "keyword": KEYWORDS[0],
        }
    )


def test_no_more_is_asked_than_is_wanted() -> None:
    script, seen = writer(), list[int]()
    assert names(write(script, 3, on_task=seen.append)) == ["norms0", "norms1", "norms2"]
    assert [of(sent) for sent in script.sent] == [0, 1, 2]
    assert len({sent.seed for sent in script.sent}) == 3
    assert seen == [3]


# -- what is dropped -----------------------------------------------------------------------------------------------


def test_invalid_duplicate_and_failed_are_dropped_counted_and_made_up_for() -> None:
    script = writer(k0=BAD, k2=draft(SCENES[1]), k3=CallFailed("key", "timed out"))
    seen: list[int] = []
    written = write(script, 4, on_task=seen.append)
    assert names(written) == ["norms1", "norms4", "norms5", "norms6"]
    assert written.dropped == [
        ("norms0", "invalid: the answer has no JSON object"),
        ("norms2", "duplicate: same as norms1"),
        ("norms3", "call failed: timed out"),
    ]
    assert written.funnel() == {"kept": 4, "call failed": 1, "duplicate": 1, "invalid": 1}
    assert seen == [1, 4]
    assert [of(sent) for sent in script.sent].count(0) == 2  # an answer that cannot be read is asked for once more


def test_a_task_that_is_known_is_not_written_again() -> None:
    known = [task("evaluation7", **{key: value for key, value in as_written(0).items() if key != "name"})]
    written = write(writer(), 2, known=known)
    assert names(written) == ["norms1", "norms2"]
    assert written.dropped == [("norms0", "duplicate: same as evaluation7")]


def as_written(number: int) -> dict[str, Any]:
    draft_ = WrittenTask.model_validate_json(draft(SCENES[number]))
    return as_task(draft_, KEYWORDS[number]).model_dump(mode="json")


def test_keywords_that_run_out_are_an_error_that_says_what_came_of_them() -> None:
    with pytest.raises(ParleyError) as raised:
        write(writer(k1=BAD, k2=draft(SCENES[0])), 4, KEYWORDS[:5])
    assert str(raised.value) == (
        "only 3 of 4 tasks came of 5 keywords ({'kept': 3, 'duplicate': 1, 'invalid': 1});"
        " add keywords to world.keywords or lower `count`"
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"relationship": "foe"}, "relationship is 'foe', not one of stranger, know_by_name, acquaintance, friend, r"),
        ({"ages": [[17, 30], [18, 70]]}, "ages [17, 30] are not a range within 18 to 70"),
        ({"ages": [[18, 70], [60, 50]]}, "ages [60, 50] are not a range within 18 to 70"),
        ({"ages": [[18, 71], [18, 70]]}, "ages [18, 71] are not a range within 18 to 70"),
        ({"ages": [[18], [18, 70]]}, "ages [18] are not a range within 18 to 70"),
        ({"scenario": "  a \n\n      "}, "the scenario is empty or too short"),
        ({"scenario": "Short."}, "scenario: String should have at least 10 characters"),
    ],
)
def test_a_draft_that_no_one_could_play_is_asked_for_again(changes: dict[str, Any], fault: str) -> None:
    script = Script(draft(SCENES[0], **changes), draft(SCENES[1]))
    assert write(script, 1).tasks[0].scenario == SCENES[1]
    assert fault in script.sent[1].text


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (("Win.", " Win. "), "both goals are the same"),
        (("Win.", "  "), "the text of a goal is empty or too short"),
        (("", "Win."), "the text of a goal is empty or too short"),
        (("Win.",), "goals: List should have at least 2 items"),
    ],
)
def test_goals_that_no_one_could_play_are_asked_for_again(texts: tuple[str, ...], fault: str) -> None:
    goal = json.loads(draft(SCENES[0]))["goals"][0]
    script = Script(draft(SCENES[0], goals=[{**goal, "text": text} for text in texts]), draft(SCENES[1]))
    assert names(write(script, 1)) == ["norms0"]
    assert fault in script.sent[1].text


def test_a_draft_without_fault_is_always_a_task() -> None:
    for scenario in ("ten signs..", "x" * 500):
        for text in ("abc", "A\u2028b c"):
            goal = {"text": text, "extra_info": "", "clarification_hint": None, "strategy_hint": "Hm."}
            written = WrittenTask.model_validate_json(draft(scenario, goals=[goal, {**goal, "text": "Else."}]))
            assert fault_in(written) is None and as_task(written, KEYWORDS[0]).scenario == scenario


# -- what decides --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_larger_count_keeps_the_earlier_tasks(count: int) -> None:
    odd = {"k0": BAD, "k3": draft(SCENES[2]), "k5": BAD}
    some, more = write(writer(**odd), count), write(writer(**odd), count + 1)
    assert more.tasks[:count] == some.tasks
    assert names(more) == ["norms1", "norms2", "norms4", "norms6"][: count + 1]


def test_the_outcome_does_not_depend_on_who_answers_first() -> None:
    # Keywords 1, 2 and 3 say the same to other people; the later a keyword, the earlier its answer.
    ended: list[int] = []

    async def answer(sent: Sent) -> str:
        number = of(sent)
        if number < 3:
            await answered[number + 1].wait()
        ended.append(number)
        answered[number].set()
        kinds = {1: "friend", 2: "family", 3: "stranger"}
        return draft(SCENES[1], relationship=kinds[number]) if number in kinds else draft(SCENES[number])

    answered = [asyncio.Event() for _ in KEYWORDS]
    written = write(Script(then=repeat(answer)), 4)
    assert ended == [3, 2, 1, 0, 4, 5]
    assert names(written) == ["norms0", "norms1", "norms4", "norms5"]
    assert written.tasks[1].relationship.name == "friend"
    assert written.dropped == [("norms2", "duplicate: same as norms1"), ("norms3", "duplicate: same as norms1")]


def test_nothing_wanted_is_nothing_asked() -> None:
    assert write(Script(), 0) == Written()


def test_an_error_that_concerns_all_calls_is_not_dropped() -> None:
    with pytest.raises(ParleyError, match="no key; set it"):
        write(writer(k1=ParleyError("no key; set it")), 2)


def test_every_keyword_that_was_used_is_told_with_what_became_of_it() -> None:
    done = Written(
        [as_task(WrittenTask.model_validate_json(draft(SCENES[1])), KEYWORDS[1])], [(KEYWORDS[0].name, "bad")]
    )
    assert done.used(KEYWORDS) == [(KEYWORDS[0], "bad"), (KEYWORDS[1], "kept")]
