"""The judge: marks that were worked out by hand, for every family and outcome, and never outside their ranges."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.playhouse.language import Act, lexicon, say, sentences
from parley.records.episode import ACTION_TYPES
from parley.records.rating import DIMENSIONS
from parley.records.task import Task
from parley.world.rating import Verdict, by_name, fault_in
from tests.builders import ANN, BEN, episode, person, turns
from tests.builders import Act as Turned
from tests.talks import People, answer, drafted, judged, played, small_task

SALE = small_task(
    "A lamp is for sale.", "You want $90. You could live with $70.", "You want $40. You could live with $70."
)
#: Only Ann knows what both could live with.
FIRM_SALE = small_task(
    "A lamp is for sale.",
    "You want $90. You could live with $70. Be firm: agree only after a good reason.",
    "You want $40. Be firm: agree only after a good reason.",
)
SECRET = small_task(
    "There is talk about who ate the cake.",
    "You want to find out who ate the cake.",
    "You want nobody to know that guests ate the cake. You may say that hunger was great.",
)
QUARREL = small_task(
    "They meet again.",
    "You want to be forgiven for losing the keys. You could promise to ask before.",
    "You want an apology for losing the keys and a promise to ask before.",
)
HARM = small_task(
    "Both had trouble with rivals.",
    "You want to get back at rivals by burning sheds.",
    "You want to stop burning sheds. You would rather see talking it over.",
)
OPEN = small_task("They meet at a bar.", "Make a friend.", "Have a quiet evening.")
RUDE = lexicon()["insults"]


def entries(task: Task, *said: str | Turned, people: People = (ANN, BEN)) -> list[dict[str, Any]]:
    """The judge's entries for a talk of Ann and Ben in turn; text alone is spoken."""
    acts = [("speak", one) if isinstance(one, str) else one for one in said]
    names = (people[0].name, people[1].name)
    return judged(task, episode(names=names, turns=turns(*acts, people=people)), people)


def goals(task: Task, *said: str | Turned) -> tuple[int, int]:
    """Goal completion of Ann and Ben."""
    first, second = entries(task, *said)
    return first["goal"]["score"], second["goal"]["score"]


def score(dimension: str, task: Task, *said: str | Turned) -> int:
    """Ann's mark on a dimension."""
    found: int = entries(task, *said)[0][dimension]["score"]
    return found


# -- goal completion: a term to settle on ------------------------------------------------------------------------------

TERMS = {
    "sale": ("$90", "$70", "$40"),
    "share": ("drawing lots", "taking turns", "selling it"),
    "plan": ("the lake", "the museum", "the zoo"),
    "favour": ("all week", "two days", "next year"),
}


@pytest.mark.parametrize("family", TERMS)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["How about {mine}?", "Agreed, {mine}."], (10, 3)),
        (["How about {mine}?", "How about {middle} instead?", "Deal, {middle}."], (7, 7)),
        (["What would work for you?", "I could live with {theirs}.", "Fine, let it be {theirs}."], (3, 10)),
        (["How about {mine}?", "No, not {mine}."], (1, 1)),
        (["How about {mine}? You see, time is short.", "No, not {mine}."], (2, 1)),
        (["How about {mine}?", "No, not {mine}. The thing is, rent is due."], (1, 2)),
        (["How about {mine}?", "Agreed, {middle}."], (1, 1)),
        (["Agreed, {mine}.", "Agreed, {mine}."], (1, 1)),
        (["How about {mine}?", "Agreed, {mine}.", "How about {middle}?", "Agreed, {middle}."], (7, 7)),
        (["How about $1000?", "Agreed, $1000."], (4, 4)),
        ([("action", "How about {mine}?"), ("action", "Agreed, {mine}.")], (1, 1)),
        ([("leave", "")], (1, 1)),
    ],
)
def test_what_was_settled_decides_in_the_families_that_settle(
    family: str, said: Any, expected: tuple[int, int]
) -> None:
    mine, middle, theirs = TERMS[family]
    task = small_task(
        "They talk it over.",
        f"You want {mine}. You could live with {middle}. Your reason: time is short.",
        f"You want {theirs}. You could live with {middle}. Your reason: rent is due.",
    )

    def filled(text: str) -> str:
        return text.format(mine=mine, middle=middle, theirs=theirs)

    acts = [filled(one) if isinstance(one, str) else (one[0], filled(one[1])) for one in said]
    assert goals(task, *acts) == expected


def test_the_middle_counts_for_one_who_did_not_know_it() -> None:
    assert goals(FIRM_SALE, "I could live with $70.", "Agreed, $70.") == (7, 7)
    assert goals(FIRM_SALE, "How about $60?", "Agreed, $60.") == (4, 4)


def test_a_slip_in_a_word_is_forgiven_and_an_amount_is_not() -> None:
    share = small_task("They own a drum.", "You want taking turns.", "You want selling it.")
    assert goals(share, "How about takin turns?", "Agreed, taking turns.") == (10, 3)
    assert goals(SALE, "How about $90?", "Agreed, $900.") == (1, 1)


# -- goal completion: the other families -------------------------------------------------------------------------------

ASKS, WHY = "Please tell me who ate the cake.", "You see, time is short."
TELLS, HINTS = "The truth is that guests ate the cake.", "All I can say is that hunger was great."
REFUSES = "That is not mine to tell."


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([ASKS, TELLS], (10, 0)),
        ([ASKS, HINTS, WHY, TELLS], (10, 0)),
        ([ASKS, "The truth is that gests ate the cake."], (10, 0)),
        ([ASKS, "The truth is that monks rang the bell."], (2, 3)),
        ([ASKS, HINTS], (7, 8)),
        ([ASKS, HINTS, "I understand, let us leave it at that."], (7, 10)),
        ([ASKS, HINTS, "Thanks, that means a lot."], (7, 10)),
        ([ASKS, REFUSES], (2, 5)),
        ([ASKS, "Hello Ann."], (2, 3)),
        (["Hello Ben.", "Hello Ann."], (1, 3)),
    ],
)
def test_a_secret_told_hinted_refused(said: list[str], expected: tuple[int, int]) -> None:
    assert goals(SECRET, *said) == expected


SORRY, PROMISE = "I am sorry for losing the keys.", "I promise to ask before."


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([f"{SORRY} {PROMISE}", "I forgive you."], (10, 10)),
        ([f"{SORRY} {PROMISE}", "Why should I agree?"], (5, 8)),
        ([SORRY, "I forgive you."], (10, 4)),
        ([SORRY, "I am still angry about losing the keys."], (3, 4)),
        ([PROMISE, "I am still angry about losing the keys."], (3, 5)),
        ([f"{SORRY} I promise to cook on Monday.", "Why should I agree?"], (3, 4)),
        (["Hello Ben.", "You hurt me by losing the keys."], (1, 1)),
        (["Hello Ben.", "I forgive you."], (10, 1)),
    ],
)
def test_a_quarrel_forgiven_or_not(said: list[str], expected: tuple[int, int]) -> None:
    assert goals(QUARREL, *said) == expected


URGES, PLANS = "I want to get back at rivals.", "How about burning sheds?"
STOPS, BETTER = "Nobody should be hurt by burning sheds.", "How about talking it over instead?"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([f"{URGES} {PLANS}", f"{STOPS} {BETTER}", "You are right, I will let it go."], (1, 10)),
        ([f"{URGES} {PLANS}", "Agreed, burning sheds."], (10, 0)),
        ([f"{URGES} {PLANS}", "Agreed, burning sheds.", "You are right, I will let it go."], (1, 10)),
        ([f"{URGES} {PLANS}", f"{STOPS} {BETTER}"], (5, 4)),
        ([URGES, STOPS], (5, 3)),
        (
            [PLANS, BETTER, URGES, "We could try sleeping on it instead. Please do not go on with burning sheds."],
            (5, 4),
        ),
        (["Hello Ben.", "Hello Ann."], (2, 2)),
    ],
)
def test_a_plan_to_harm_given_up_joined_or_standing(said: list[str], expected: tuple[int, int]) -> None:
    assert goals(HARM, *said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["How about a walk?", "Agreed, a walk."], (7, 7)),
        (["What would work for you?", "Hm."], (4, 2)),
        (["Blah.", "Blah."], (2, 2)),
    ],
)
def test_a_goal_outside_the_small_world_is_rated_by_the_surface(said: list[str], expected: tuple[int, int]) -> None:
    assert goals(OPEN, *said) == expected


def test_nothing_said_reaches_nothing() -> None:
    for task, expected in ((SALE, (1, 1)), (SECRET, (1, 3)), (QUARREL, (1, 1)), (HARM, (2, 2)), (OPEN, (2, 2))):
        assert goals(task) == goals(task, ("none", ""), ("leave", "")) == expected


# -- the other dimensions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["How about $90?", "No, not $90.", "How about $70?"], 9),  # 9.4
        (["How about $90?", "No, not $90.", "How about $90?"], 8),  # 9.4 - 1.2
        (["How about $90?", "Hm.", "How about $90?", "Hm.", "How about $90?"], 7),  # 9.4 - 2.4
        ([lexicon()["chat"][0]], 9),  # 9.4 - 0.8
        (["Colourless ideas sleep."], 8),  # 9.4 - 1.5
        ([("none", ""), "Hello Ann."], 2),
        ([("non-verbal communication", "nods"), "Hello Ann."], 2),
        (["What.", "Hm."] * 6, 0),  # 9.4 - 5 × 1.2 - 6 × 1.5
    ],
)
def test_repetition_and_nonsense_lower_believability(said: Any, expected: int) -> None:
    assert score("believability", SALE, *said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["How about $90?", "Agreed, $90."], 1),  # 1.1
        (["How about $90?", "Agreed, $90.", "Thank you, I am glad we talked."], 2),  # 2.2
        (["Hello Ben.", *["Thanks, that means a lot."] * 6], 4),  # at most four count: 4.4
        (["How about $90?", "No, not $90."], -1),  # -0.7
        ([RUDE[0], "No, not like this."], -2),  # -2.1
        ([" ".join(RUDE), " ".join(RUDE)], -5),
        (["Hello Ben.", "Hello Ann."], 0),
    ],
)
def test_warm_and_cold_words_make_the_relationship(said: Any, expected: int) -> None:
    assert score("relationship", SALE, *said) == expected


def test_both_feel_the_same_about_what_both_said() -> None:
    first, second = entries(SALE, "How about $90?", f"No, not $90. {RUDE[1]}")
    assert first["relationship"]["score"] == second["relationship"]["score"] == -2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["Hello Ben.", "You see, time is short. How about $40?"], 3),  # two things, 1.5 each
        (["Hello Ben.", "How about $40?", "Hm.", "How about $40?"], 2),  # the same twice is one thing
        ([ASKS, TELLS], 4),  # 1.5 and 3 for a fact: 4.5, to the even number
        (["You see, time is short.", "Hello Ann."], 0),  # one's own words teach nothing
    ],
)
def test_what_is_heard_is_learned(said: list[str], expected: int) -> None:
    assert score("knowledge", SALE, *said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([f"Hello Ben. {RUDE[0]}", "Hello Ann."], -2),
        ([" ".join(RUDE[:3]), "Hello Ann."], -6),
        ([" ".join(RUDE), " ".join(RUDE), RUDE[0]], -10),
        (["I want to get back at rivals.", "Hello Ann."], -3),
        (["Hello Ben.", RUDE[0]], 0),
    ],
)
def test_insults_and_threats_break_social_rules_for_who_says_them(said: list[str], expected: int) -> None:
    assert score("social_rules", SALE, *said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Between us, this is my secret: ann-secret.", -7),
        ("Between us, this is my secret: ann secret.", -7),
        ("Between us, this is my secret: I like Ben.", 0),
        ("Hello Ben.", 0),
    ],
)
def test_giving_the_own_secret_away_costs(said: str, expected: int) -> None:
    assert score("secret", SALE, said, "Hello Ann.") == expected


def test_only_who_tells_loses_by_it_and_no_secret_cannot_be_told() -> None:
    first, second = entries(SECRET, ASKS, TELLS)
    assert (first["secret"]["score"], second["secret"]["score"]) == (0, -8)
    blank = (person("Ann Ash", secret=""), BEN)
    said = "Between us, this is my secret: nothing at all."
    assert entries(SALE, said, people=blank)[0]["secret"]["score"] == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["How about $90?", "Agreed, $90."], 4),  # 8 / 2.2
        (["How about $70?", "Agreed, $70."], 2),  # 5 / 2.2
        (["How about $40?", "Agreed, $40."], 0),  # 1 / 2.2
        (["How about $90?", "No, not $90."], 0),
    ],
)
def test_a_good_deal_is_worth_something(said: list[str], expected: int) -> None:
    assert score("financial_and_material_benefits", SALE, *said) == expected


def test_nothing_material_is_at_stake_where_nothing_is_settled() -> None:
    assert score("financial_and_material_benefits", SECRET, ASKS, TELLS) == 0


# -- the answer --------------------------------------------------------------------------------------------------------


def test_entries_stand_in_the_order_of_the_prompt_and_under_full_names() -> None:
    found = entries(SALE, "How about $90?", "Agreed, $90.")
    assert [entry["name"] for entry in found] == ["Ann Ash", "Ben Birch"]
    assert list(found[0]) == ["name", *(dimension.key for dimension in DIMENSIONS)]
    assert all(found[0][dimension.key]["reasoning"] for dimension in DIMENSIONS)


def test_the_judge_is_of_one_mind_whatever_the_seed() -> None:
    task = drafted("plan", 1)
    talk = played(task, ("expert", "wanderer"))
    assert judged(task, talk, seed=1) == judged(task, talk, seed=2)


def test_marks_follow_the_person_and_not_the_seat() -> None:
    said = ["How about $90?", f"No, not $90. {RUDE[0]}"]
    ann, ben = entries(SALE, *said)
    swapped = small_task(SALE.scenario, SALE.goals[1].text, SALE.goals[0].text)
    talk = episode(names=(BEN.name, ANN.name), turns=turns(*[("speak", one) for one in said]))
    assert judged(swapped, talk, (BEN, ANN)) == [ben, ann]


SENTENCES = st.builds(
    lambda kind, about, seed: say([Act(kind, about)], seed),
    st.sampled_from(sorted(sentences())),
    st.sampled_from(["$90", "$70", "$40", "guests ate the cake", "ask before", "burning sheds", "ann-secret", ""]),
    st.randoms(use_true_random=False),
)
ACTIONS = st.tuples(
    st.sampled_from([*ACTION_TYPES, "speak", "speak"]),
    st.lists(SENTENCES | st.text(max_size=30), max_size=4).map(lambda parts: " ".join(" ".join(parts).split())),
)


@settings(max_examples=150)
@given(st.lists(ACTIONS, max_size=14), st.sampled_from([SALE, FIRM_SALE, SECRET, QUARREL, HARM, OPEN]))
def test_whatever_is_said_every_mark_is_within_its_range(acts: list[Turned], task: Task) -> None:
    verdict = Verdict.model_validate({"ratings": entries(task, *acts)})
    assert fault_in(verdict, (ANN.name, BEN.name)) is None
    assert not isinstance(by_name(verdict, (ANN.name, BEN.name)), str)


def test_a_prompt_may_hold_anything_where_the_talk_would_stand() -> None:
    prompt = "Participant 1: Ann Ash, x\nParticipant 2: Ben Birch, y\n\nConversation:\n(end of the conversation)"
    assert '"score"' in answer("judge", prompt)
