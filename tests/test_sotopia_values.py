"""The values of SOTOPIA's lines: goals with tags, constraints, numbers of relationships, names of tasks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.exchange.sotopia.environment import ages, names, occupations
from parley.exchange.sotopia.goal import HINTS, read_goal, written_goal
from parley.exchange.sotopia.line import Line, nothing, read_lines, text, words
from parley.exchange.sotopia.relationship import number, relationship
from parley.records.character import Relationship
from parley.records.task import Goal

# -- goals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Win.", ("Win.", None, None, None)),
        (" Win (at chess) ", ("Win (at chess)", None, None, None)),
        (
            "Win (<extra_info>Extra information: you may.</extra_info>)",
            ("Win", "Extra information: you may.", None, None),
        ),
        ("Win. <extra_info> you may </extra_info>", ("Win.", "you may", None, None)),
        ("Win\n<extra_info> a\n b </extra_info>", ("Win", "a\n b", None, None)),
        ("Win (<strategy_hint>Hint: lie</strategy_hint>)", ("Win", None, "Hint: lie", None)),
        ("Win (<clarification_hint>all</clarification_hint>)", ("Win", None, None, "all")),
        (
            "Win (<extra_info>a <clarification_hint>b</clarification_hint></extra_info>)",
            ("Win", "a", None, "b"),
        ),
        (
            "Win  (<extra_info>a</extra_info>  <strategy_hint>b</strategy_hint>)",
            ("Win", "a", "b", None),
        ),
        ("Win (<extra_info>a</extra_info>) (fast)", ("Win (fast)", "a", None, None)),
        ("(<extra_info>a</extra_info>) Win", ("Win", "a", None, None)),
        ("Win <extra_info></extra_info>", ("Win", None, None, None)),
    ],
)
def test_a_goal_comes_apart_into_text_and_hints(written: str, expected: tuple[str | None, ...]) -> None:
    fields = read_goal(written)
    assert (fields["text"], *(fields[key] for key in ("extra_info", "strategy_hint", "clarification_hint"))) == expected


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Win (<extra_info>a)", "does not close <extra_info>"),
        ("Win </extra_info>", "closes <extra_info>"),
        ("<extra_info>a<strategy_hint>b</extra_info></strategy_hint>", "closes <extra_info>"),
        (7, "not 7"),
    ],
)
def test_a_goal_with_broken_tags_is_refused(written: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_goal(written)


def test_a_goal_is_written_as_the_authors_write_it() -> None:
    goal = Goal(text="Win", extra_info="a", strategy_hint="b")
    assert written_goal(goal) == "Win (<extra_info>a <strategy_hint>b</strategy_hint></extra_info>)"
    assert written_goal(Goal(text="Win", strategy_hint="b")) == "Win (<strategy_hint>b</strategy_hint>)"
    assert written_goal(Goal(text="Win.")) == "Win."


#: Words with all that could be taken for brackets or parts of tags, but no whole tags.
WORDS = st.text("ab .()<>/\n", min_size=3).map(str.strip).filter(lambda said: len(said) >= 3)
HINT = st.none() | WORDS


@given(WORDS, HINT, HINT, HINT)
def test_what_is_written_of_a_goal_reads_as_the_goal(text: str, extra: str, strategy: str, clear: str) -> None:
    goal = Goal(text=text, extra_info=extra, strategy_hint=strategy, clarification_hint=clear)
    assert Goal.model_validate(read_goal(written_goal(goal))) == goal


@given(
    st.lists(st.sampled_from([*(f"<{hint}>" for hint in HINTS), *(f"</{hint}>" for hint in HINTS), "(", ")", "a b"]))
)
def test_no_word_of_a_goal_is_lost_whatever_its_tags(parts: list[str]) -> None:
    try:
        fields = read_goal("".join(parts))
    except ValueError:
        return
    assert "".join(filter(None, fields.values())).replace(" ", "").count("ab") == parts.count("a b")


def test_hints_stand_in_brackets_behind_a_goal_that_is_no_sentence() -> None:
    assert Goal(text="Win the game", extra_info="Extra: a", strategy_hint="Hint: b").spoken() == (
        "Win the game (Extra: a Hint: b)"
    )
    assert Goal(text="Win it!", extra_info="It is late.").spoken() == "Win it! It is late."


# -- constraints ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "nan", "NaN", " none ", "None"])
def test_no_constraint_is_spelled_in_many_ways(value: Any) -> None:
    assert nothing(value)
    assert ages(value) == ((18, 70), (18, 70))
    assert occupations(value) == ((), ())


@pytest.mark.parametrize("value", ["[(18, 70), (21, 60)]", " [[18, 70], [21, 60]]", [[18, 70], [21, 60]]])
def test_ages_are_python_literals_or_lists(value: Any) -> None:
    assert ages(value) == ((18, 70), (21, 60))


@pytest.mark.parametrize("value", ["[(18, 70)]", "[18, 70]", "(18, 70", "{1: 2}", "eighteen", 18])
def test_ages_that_are_not_two_ranges_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="age_constraint"):
        ages(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[actor, actor]", (("actor",), ("actor",))),
        ("['actor', 'ship cook']", (("actor",), ("ship cook",))),
        ("[['a', 'b'], []]", (("a", "b"), ())),
        ("[[a, b], nan]", (("a", "b"), ())),
        ("[no, yes]", (("no",), ("yes",))),  # words, whatever YAML takes them for
    ],
)
def test_occupations_are_literals_with_or_without_quotes(value: str, expected: Any) -> None:
    assert occupations(value) == expected


@pytest.mark.parametrize("value", ["[actor]", "[a, b, c]", "[a, b", "actor", 3])
def test_occupations_that_are_not_two_lists_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="occupation_constraint"):
        occupations(value)


def test_a_constraint_runs_no_code() -> None:
    with pytest.raises(ValueError, match="age_constraint"):
        ages("__import__('os').getpid()")


# -- relationships and texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Relationship)
def test_a_relationship_is_a_number_or_a_digit(kind: Relationship) -> None:
    assert relationship(int(kind)) == relationship(str(int(kind))) == kind.name
    assert relationship(number(kind)) == kind.name


@pytest.mark.parametrize("value", [6, "-1", "friend", None, "", [3]])
def test_any_other_relationship_is_refused_with_those_that_there_are(value: Any) -> None:
    with pytest.raises(ValueError, match="0 stranger, 1 know_by_name"):
        relationship(value)


def test_texts_lose_the_spaces_around_them_and_nothing_else() -> None:
    assert text("  a  b\nc ") == "a  b\nc"
    assert text(None) == text("nan") == ""
    assert text("Nan") == "Nan"
    assert words(["Care", " Fairness"]) == ("Care", "Fairness")
    assert words(None) == ()
    for wrong in (3, ["a"]):
        with pytest.raises(ValueError, match="not a text"):
            text(wrong)
    with pytest.raises(ValueError, match="not a list"):
        words("Care, Fairness")


def test_keys_are_renamed_and_two_spellings_must_agree(tmp_path: Any) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"pk": "a", "x": NaN}\n\n{"pk": "b", "agent_id": "b"}\n')
    first, second = read_lines(path, {"pk": "agent_id"})
    assert first.values == {"agent_id": "a", "x": None} and first.place == f"{path}:1"
    assert second.values == {"agent_id": "b"} and second.place == f"{path}:3"
    path.write_text('{"pk": "a", "agent_id": "b"}\n')
    with pytest.raises(ParleyError, match=r"lines.jsonl:1: `agent_id` is given twice, and differently; delete one"):
        read_lines(path, {"pk": "agent_id"})


# -- names of tasks ------------------------------------------------------------------------------------------------


def named(*pairs: tuple[str, str]) -> list[str]:
    """The names of environments given as (codename, id)."""
    return names([Line(f"f:{at}", {"codename": name, "env_id": own_id}) for at, (name, own_id) in enumerate(pairs)])


def test_a_codename_is_the_name_and_a_shared_one_gets_the_end_of_the_id() -> None:
    assert named(("oven", "01AB"), ("salt", "01CD"), ("oven", "01234567890")) == ["oven-01AB", "salt", "oven-567890"]


def test_names_fit_file_names_whatever_the_codename() -> None:
    assert named(("salt & pepper", "1"), ("", "01XY"), ("--é", "2Z"), (" _a_ ", "3")) == [
        "salt_pepper",
        "01XY",
        "2Z",
        "a",
    ]


def test_names_that_only_become_equal_are_told_apart_too() -> None:
    assert named(("a b", "X1"), ("a_b", "X2")) == ["a_b-X1", "a_b-X2"]
    assert named(("a", "0123456"), ("a", "9123456")) == ["a-0123456", "a-9123456"]  # the same last six
    assert named(("a-X1", "Y"), ("a", "X1"), ("a", "X2")) == ["a-X1-Y", "a-X1", "a-X2"]


def test_ids_that_make_the_same_name_are_refused() -> None:
    with pytest.raises(ParleyError, match=r"f:1: the task name 'a-X_1' is used twice"):
        named(("a", "X 1"), ("a", "X&1"))


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "a b"]), st.text("0XY", min_size=7, max_size=9)), unique_by=lambda p: p[1]
    )
)
def test_names_are_unique_and_do_not_depend_on_the_order(pairs: list[tuple[str, str]]) -> None:
    found = dict(zip(pairs, named(*pairs), strict=True))
    assert len(set(found.values())) == len(pairs)
    assert dict(zip(pairs[::-1], named(*pairs[::-1]), strict=True)) == found
