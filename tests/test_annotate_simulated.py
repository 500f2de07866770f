"""Simulated raters: through the app's own pages, the same each time, and a model that fails stops nobody."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from parley.annotate.simulated import Clock, Outcome, simulate
from parley.annotate.study import Settings, Study
from parley.annotate.tokens import foretold
from parley.records.annotation import Annotation, Marks
from parley.records.item import Item
from parley.world.annotating import annotate, annotation_text
from parley.world.prompts import Prompt
from tests.annotating import item, marks, some
from tests.builders import PROMPTS, RETRY, Script, verdict
from tests.builders import marks as answered

TEMPLATE = Prompt(PROMPTS / "annotation.jinja")


def held(folder: Path, ask: object, count: int = 6, seed: int = 1) -> tuple[Study, Outcome]:
    """A study that was rated by whom `ask` gives."""
    clock = Clock()
    study = Study(folder / "study.sqlite", settings=Settings(simulated=True), clock=clock, mint=foretold(seed))
    study.add(*some(count))
    return study, asyncio.run(simulate(study, clock, ask, seed))  # type: ignore[arg-type]


async def kind(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
    """Qualifies, then gives the middle, and a goal that depends on the rater."""
    if item.id == "qualification":
        return marks(6, believability=8, relationship=2, knowledge=2, secret=0, social_rules=0), marks(
            6, believability=8, relationship=2, knowledge=2, secret=0, social_rules=0
        )
    return marks(5 + int(rater[1:]) % 3), marks(2)


def test_a_study_is_rated_to_its_end_and_labelled(tmp_path: Path) -> None:
    study, outcome = held(tmp_path, kind)
    given = study.work.annotations()
    assert study.work.open_places() == 0 and outcome.failures == ()
    # The mark of one rater in forty is given in a hurry, which brings in a third.
    assert set(Counter(one.item for one in given if "too_fast" not in one.flags).values()) == {2}
    assert all(one.simulated for one in given) and all(one.seconds and one.seconds > 0 for one in given)
    assert {rater["step"] for rater in study.raters.listed()} <= {"done", "rate"}


def test_the_same_seed_gives_the_same_annotations_and_another_gives_others(tmp_path: Path) -> None:
    first, again, other = (
        held(tmp_path / str(number), kind, seed=seed)[0].work.annotations() for number, seed in enumerate((1, 1, 2))
    )
    assert first == again != other


def test_raters_in_doubt_bring_in_a_third(tmp_path: Path) -> None:
    async def torn(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
        given = await kind(item, rater, attempt)
        assert not isinstance(given, str)
        if item.id == "i00":
            return marks(10 if int(rater[1:]) % 2 else 0), given[1]
        return given

    study, _ = held(tmp_path, torn, 3)
    given = [one for one in study.work.annotations() if one.item == "i00"]
    goals = [one.marks[0]["goal"].score for one in given]
    assert len(given) == (3 if len(set(goals[:2])) > 1 or "apart" in given[0].flags else 2)


def test_who_gives_no_answer_leaves_and_the_item_goes_to_the_next(tmp_path: Path) -> None:
    async def shaky(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
        return "no answer" if rater == "r001" and item.id != "qualification" else await kind(item, rater, attempt)

    study, outcome = held(tmp_path, shaky, 3)
    assert len(outcome.failures) == 1 and outcome.failures[0].startswith("r001 on i0")
    assert study.work.open_places() == 0 and "r001" not in {one.rater for one in study.work.annotations()}


def test_a_model_that_never_answers_ends_it(tmp_path: Path) -> None:
    async def never(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
        return "no answer"

    study, outcome = held(tmp_path, never, 3)
    assert study.work.annotations() == [] and outcome.raters == len(outcome.failures) > 0


def test_who_does_not_qualify_rates_nothing(tmp_path: Path) -> None:
    tries: list[int] = []

    async def careless(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
        tries.append(attempt)
        return marks(0, believability=0, relationship=-5), marks(0, believability=0)

    study, _ = held(tmp_path, careless, 2)
    assert {rater["step"] for rater in study.raters.listed()} == {"unqualified"} and set(tries) == {0, 1}


def test_a_reason_that_is_left_out_is_left_out(tmp_path: Path) -> None:
    async def silent(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
        given = await kind(item, rater, attempt)
        assert not isinstance(given, str)
        return given[0], {**given[1], "goal": given[1]["goal"].model_copy(update={"reasoning": ""})}

    study, _ = held(tmp_path, silent, 1)
    given: list[Annotation] = study.work.annotations()
    assert len(given) == 3 and all("no_reason" in one.flags for one in given)


# -- the model ---------------------------------------------------------------------------------------------------------


def given_by(*answers: str) -> tuple[object, Script]:
    script = Script(*answers)
    found = asyncio.run(annotate(item("i1"), "r007", script, TEMPLATE, RETRY, 1))  # type: ignore[arg-type]
    return found, script


def test_a_model_is_shown_what_people_see() -> None:
    text = annotation_text(TEMPLATE, item("i1"), "r007")
    assert "You are rater r007" in text and "Secret of Nora Lind: has owed her brother money for years" in text
    assert 'Turn #5: Nora Lind said: "Deal, $50."' in text and "i1" not in text.split()


def test_its_marks_are_found_by_name_and_a_bad_answer_is_asked_for_again() -> None:
    good = verdict(answered("Omar Vance", goal=3), answered("Nora Lind", goal=9))
    found, script = given_by("nonsense", good)
    assert [side["goal"].score for side in found] == [9, 3]  # type: ignore[attr-defined]
    assert len(script.sent) == 2 and script.sent[0].seed == script.sent[1].seed


def test_after_two_bad_answers_there_is_a_reason_and_no_marks() -> None:
    outside = verdict(answered("Omar Vance", goal=11), answered("Nora Lind"))
    found, _ = given_by(outside, outside)
    assert isinstance(found, str) and "goal of Omar Vance is 11" in found


@pytest.mark.parametrize("rater", ["r001", "r002"])
def test_raters_are_asked_apart(rater: str) -> None:
    script = Script(verdict(answered("Omar Vance"), answered("Nora Lind")))
    asyncio.run(annotate(item("i1"), rater, script, TEMPLATE, RETRY, 1))  # type: ignore[arg-type]
    assert rater in script.sent[0].text
