"""The shipped resources are sound: enough of everything, nothing twice, and every cast can play its task."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

from parley.evaluation.safety import family_of
from parley.playhouse.families import read_goal
from parley.records.character import Character, Relationship, read_characters, read_relationships
from parley.records.jsonl import read_jsonl
from parley.records.task import Keyword, Task, read_tasks
from parley.world.casting import check_casts, draw_casts, fits
from parley.world.duplicates import fingerprint, similarity
from parley.world.judging import SafetyVerdict, check_roles, fault_in, instigator_seat, judging_text
from parley.world.prompts import prompt
from tests.builders import ANN, BEN, PROMPTS, ROOT, task
from tests.talks import answer, played

HERE = ROOT / "resources"
PEOPLE = read_characters(HERE / "characters.jsonl")
PAIRS = read_relationships(HERE / "relationships.jsonl", PEOPLE)
EVALUATION = read_tasks(HERE / "tasks/evaluation.jsonl")
SAFETY = read_tasks(HERE / "tasks/safety.jsonl")


def test_there_are_enough_characters_with_whole_profiles() -> None:
    assert len(PEOPLE) >= 40
    for person in PEOPLE.values():
        assert all(getattr(person, key) for key in Character.model_fields), person.id
        assert 18 <= person.age <= 70, person.id  # the ages that tasks ask for


def test_no_two_characters_can_be_taken_for_each_other() -> None:
    # Ratings are mapped by whole names in any case, and talk shows first names.
    for key in ("name", "first_name", "secret"):
        values = [getattr(person, key).casefold() for person in PEOPLE.values()]
        assert len(set(values)) == len(values), key
    assert all(" " not in person.first_name for person in PEOPLE.values())


def test_there_are_enough_relationships_of_every_kind() -> None:
    assert len(PAIRS) >= 100
    counts = Counter(pair.relationship for pair in PAIRS)
    assert set(counts) == set(Relationship) and min(counts.values()) >= 10
    for kind in Relationship:  # five casts a task, as the default experiment draws
        assert len(draw_casts(task(relationship=kind.name), 5, PEOPLE, PAIRS, seed=1)) == 5


def test_there_are_enough_keywords_of_three_sources() -> None:
    keywords = read_jsonl(HERE / "keywords.jsonl", Keyword)
    assert len(keywords) >= 300
    assert min(Counter(keyword.source for keyword in keywords).values()) >= 100
    assert len({keyword.name for keyword in keywords}) == len(keywords)
    assert len({keyword.text.casefold().strip() for keyword in keywords}) == len(keywords)


def test_there_are_enough_evaluation_tasks_and_enough_hard_ones() -> None:
    assert len(EVALUATION) >= 30
    hard = [one for one in EVALUATION if "hard" in one.tags]
    assert len(hard) >= 10
    assert all(len(one.casts) >= 2 for one in EVALUATION) and all(len(one.casts) >= 4 for one in hard)


def test_no_evaluation_task_is_like_another() -> None:
    marks = {one.name: fingerprint(one) for one in [*EVALUATION, *SAFETY]}
    assert len(marks) == len(EVALUATION) + len(SAFETY)
    for one, other in combinations(marks, 2):
        assert similarity(marks[one], marks[other]) < 0.85, (one, other)


def test_safety_tasks_have_both_roles() -> None:
    assert len(SAFETY) >= 2
    for one in SAFETY:
        assert set(one.roles or ()) == {"instigator", "bystander"}, one.name
        assert len(one.casts) >= 8


def plays(one: Task, cast: tuple[str, str]) -> bool:
    """True if the two know each other as the task asks and suit their seats."""
    knows = any(set(pair.characters) == set(cast) and pair.relationship == one.relationship for pair in PAIRS)
    return knows and all(fits(one, seat, PEOPLE[cast[seat]]) for seat in (0, 1))


def test_every_cast_can_play_its_task() -> None:
    for one in [*EVALUATION, *SAFETY]:
        check_casts(one, PEOPLE, "shipped")
        assert all(plays(one, cast) for cast in one.casts), one.name


def questions(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_there_are_enough_questions_of_four_categories_and_none_is_shown_before() -> None:
    test, dev = questions(HERE / "knowledge/test.jsonl"), questions(HERE / "knowledge/dev.jsonl")
    assert len(test) >= 60
    counts = Counter(one["category"] for one in test)
    assert set(counts) == {"stem", "humanities", "social_sciences", "other"} and min(counts.values()) >= 15
    assert len({one["question"] for one in [*test, *dev]}) == len(test) + len(dev)
    # The place of the right answer tells nothing.
    places = Counter(one["answer"] for one in test)
    assert set(places) == {0, 1, 2, 3} and max(places.values()) <= 2 * min(places.values())


# -- the set of risks ----------------------------------------------------------------------------------------------

RISKS = read_tasks(HERE / "tasks/risks.jsonl")
FAMILIES = ("system_operational", "content_safety", "societal", "legal_rights", "targeted")


def test_there_are_four_tasks_of_each_family_of_risks_two_in_either_order_of_the_roles() -> None:
    check_roles(HERE / "tasks/risks.jsonl", RISKS)
    counts = Counter((family_of(one), one.roles) for one in RISKS)
    orders = (("instigator", "bystander"), ("bystander", "instigator"))
    assert counts == {(family, order): 2 for family in FAMILIES for order in orders}


def test_no_risk_is_like_another_or_like_a_task_of_the_safety_set() -> None:
    prints = [(one.name, fingerprint(one)) for one in (*RISKS, *SAFETY)]
    for (first, a), (second, b) in combinations(prints, 2):
        assert first != second and similarity(a, b) < 0.85, (first, second)


def test_every_risk_can_be_cast_and_played_in_the_small_world() -> None:
    """Whoever gives in is heard to, whoever does not is heard to go on, and the judge's answer has no fault."""
    template = prompt(str(PROMPTS / "safety.jinja"))
    for one in RISKS:
        assert len(draw_casts(one, 2, PEOPLE, PAIRS, seed=1)) == 2
        assert {read_goal(goal.text).kind for goal in one.goals} == {"harm", "prevent"}
        heard = Counter[str]()
        for seed, players in enumerate((("expert", "partner"), ("partner", "expert"), ("wanderer", "wanderer"))):
            episode = played(one, players, seed)
            told = answer("judge", judging_text(template, one, (ANN, BEN), episode))
            verdict = SafetyVerdict.model_validate_json(told)
            assert fault_in(verdict, episode, instigator_seat(one)) is None
            heard.update({"harm": verdict.harm.answer, "prevention": verdict.prevention.answer})
        assert heard["prevention"] >= 2, one.name
