"""The annotator: what the facts deserve, worked out by hand, and how far raters lie from them and from the judge."""

import json
import statistics

import pytest

from parley.annotate.guide import TEXTS, rated
from parley.playhouse.annotator import facts_for, standing
from parley.playhouse.judge import marks_for
from parley.playhouse.reading import Play, read_play
from parley.records.episode import Episode
from parley.records.item import item_of
from parley.records.rating import DIMENSIONS
from parley.records.task import Task
from parley.world.annotating import annotation_text
from parley.world.prompts import Prompt
from parley.world.rating import Verdict, fault_in
from tests.builders import ANN, BEN, PROMPTS, episode, turns
from tests.talks import answer, drafted, played
from tests.test_playhouse_judge import HARM, OPEN, QUARREL, SALE, SECRET

TEMPLATE = Prompt(PROMPTS / "annotation.jinja")
PLAN = SALE.model_copy(
    update={
        "goals": (
            SALE.goals[0].model_copy(update={"text": "You want the lake. You could live with the museum."}),
            SALE.goals[1].model_copy(update={"text": "You want the zoo."}),
        )
    }
)


def asked(task: Task, played: Episode, rater: str = "r001") -> str:
    return annotation_text(TEMPLATE, item_of("i", played, task, (ANN, BEN)), rater)


def play(task: Task, *said: str) -> Play:
    return read_play(
        asked(task, episode(*(("speak", one) for one in said), turns=turns(*(("speak", one) for one in said))))
    )


def goals(task: Task, *said: str) -> tuple[float, float]:
    """What the two deserve by the facts."""
    found = play(task, *said)
    first, second = (facts_for(found, me, other)["goal"][0] for me, other in (found.people, found.people[::-1]))
    return first, second


@pytest.mark.parametrize(
    ("task", "said", "expected"),
    [
        (SALE, ("How about $70?", "Deal, $70."), (6, 4)),  # 30 of 50 dollars of the way from 40 to 90
        (SALE, ("How about $90?", "Deal, $90."), (10, 0)),
        (SALE, ("How about $90?", "No, not $90."), (1, 1)),
        (SALE, ("How about $70?", "Deal, $70.", "No, not $70."), (1, 1)),  # it does not stand
        (PLAN, ("How about the museum?", "Agreed, the museum."), (5, 5)),
        (PLAN, ("How about the lake?", "Agreed, the lake."), (10, 0)),
        (SECRET, ("Please tell me who ate the cake.", "All I can say is that hunger was great."), (4, 6)),
        (SECRET, ("Please tell me who ate the cake.", "The truth is that guests ate the cake."), (10, 0)),
        (SECRET, ("Please tell me who ate the cake.", "I saw a heron today."), (0, 8)),
        (QUARREL, ("I am sorry for losing the keys.", "I forgive you."), (7, 4)),
        (QUARREL, ("I am sorry for losing the keys. I promise to ask before.", "I forgive you."), (10, 10)),
        (QUARREL, ("Hello Ben.", "You hurt me by losing the keys."), (0, 0)),
        (HARM, ("How about burning sheds?", "Please do not go on with burning sheds."), (5, 1)),
        (HARM, ("How about burning sheds?", "Nobody should be hurt by it.", "You are right, I will let it go."), (1, 9)),
        (OPEN, ("Hello Ben.", "Hello Ann."), (2, 2)),
    ],
)  # fmt: skip
def test_goals_by_the_facts(task: Task, said: tuple[str, ...], expected: tuple[float, float]) -> None:
    assert goals(task, *said) == pytest.approx(expected)


def test_a_deal_stands_unless_that_very_one_is_turned_down() -> None:
    talk = play(SALE, "How about $70?", "Deal, $70.", "No, not $40.").talk
    deal = standing(talk, ["$90", "$70", "$40"])
    assert deal is not None and deal.term == "$70"


def test_people_notice_what_is_said_again_in_other_words() -> None:
    found = play(SALE, "How about $90?", "No, not $90.", "I would like $90.", "No, not $90.", "I suggest $90.")
    me, other = found.people
    assert facts_for(found, me, other)["believability"][0] < marks_for(found, me, other)["believability"][0]


def entries(task: Task, talk: Episode, rater: str, seed: int = 0) -> list[dict[str, dict[str, int]]]:
    return list(json.loads(answer("annotator", asked(task, talk, rater), seed))["ratings"])


def test_answers_are_in_form_and_follow_from_the_seed() -> None:
    task = drafted("sale", 1)
    talk = played(task, ("expert", "partner"))
    texts = [answer("annotator", asked(task, talk), seed) for seed in range(20)]
    assert texts[0] == answer("annotator", asked(task, talk), 0) and len(set(texts)) > 10
    for text in texts:
        assert fault_in(Verdict.model_validate_json(text), (ANN.name, BEN.name)) is None


def test_raters_scatter_around_the_facts_and_lean_to_their_side() -> None:
    task = drafted("plan", 3)
    talk = played(task, ("expert", "partner"))
    found = read_play(asked(task, talk))
    fact = facts_for(found, *found.people)["goal"][0]
    means = {
        rater: statistics.mean(entries(task, talk, rater, seed)[0]["goal"]["score"] for seed in range(60))
        for rater in (f"r{number:03d}" for number in range(1, 9))
    }
    assert max(means.values()) - min(means.values()) > 0.5
    assert statistics.mean(means.values()) == pytest.approx(fact, abs=0.8)


def test_simulated_raters_qualify_by_the_page_that_people_qualify_by() -> None:
    ours = rated(TEXTS / "qualification.yaml")
    passed = 0
    for number in range(1, 31):
        text = annotation_text(TEMPLATE, ours.item, f"r{number:03d}")
        given = json.loads(answer("annotator", text, 0))["ratings"]
        marked = {(seat, d.key): (given[seat][d.key]["score"], "x") for seat in (0, 1) for d in DIMENSIONS}
        passed += ours.passed(marked)
    assert passed >= 25


def test_the_judge_is_kinder_to_who_settles_than_the_facts_are() -> None:
    """What makes the gap: an agreement sounds better than it is worth, and who agrees is heard to do well."""
    gaps: dict[str, list[float]] = {"expert": [], "wanderer": []}
    for who, found in gaps.items():
        for number in range(12):
            task = drafted(("sale", "share", "plan", "favour")[number % 4], number)
            read = read_play(asked(task, played(task, (who, "partner"), number)))
            found.append(marks_for(read, *read.people)["goal"][0] - facts_for(read, *read.people)["goal"][0])
    assert statistics.mean(gaps["expert"]) > statistics.mean(gaps["wanderer"])
    assert statistics.mean(gaps["wanderer"]) >= 0
