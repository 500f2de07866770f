"""SOTOPIA's profiles taken into our records and given back: nothing that both can hold is lost, either way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parley.errors import ParleyError
from parley.exchange.sotopia.files import (
    AGENTS,
    COMBOS,
    ENVIRONMENTS,
    NAMES,
    RELATIONSHIPS,
    SETS,
    Files,
    read_files,
    write_files,
)
from parley.exchange.sotopia.leftover import kept_aside
from parley.exchange.sotopia.line import OURS, Line
from parley.exchange.sotopia.profiles import KNOWN, Profiles, counted, give, take
from parley.exchange.sotopia.sets import HARD_IDS
from parley.records.character import Acquaintance, Character, Relationship
from parley.records.task import Goal, Keyword, Task
from parley.world.casting import check_casts
from tests.builders import person, task
from tests.sotopia_sample import LISTS, Lines, environment, lines_in, sample, taken, written

# -- in ------------------------------------------------------------------------------------------------------------


def test_an_agent_becomes_a_character(tmp_path: Path) -> None:
    ann, ben, nan = taken(tmp_path).characters
    assert ann == Character(
        id="A1",
        first_name="Ann",
        last_name="Ash",
        age=40,
        gender="Woman",
        pronouns="She/her",
        occupation="Baker",
        public_info="Ann bakes.",
        big_five="Openness - High",
        moral_values=("Care", "Fairness"),
        schwartz_values=("Power",),
        personality_and_values="Calm.",
        decision_making_style="Slow",
        secret="Ann hates bread",
        mbti="INFJ",
    )
    assert ben.age == 22
    assert (nan.name, nan.mbti) == ("Nan nan", "")  # a name is a name


def test_a_relationship_becomes_an_acquaintance(tmp_path: Path) -> None:
    first, second, third = taken(tmp_path).acquaintances
    assert first == Acquaintance(characters=("A1", "A2"), relationship="friend", background="They share an oven.")  # type: ignore[arg-type]
    assert second.relationship is Relationship.stranger
    assert (third.characters, third.background) == (("A3", "A1"), "")


def test_an_environment_becomes_a_task_with_its_casts_in_the_order_of_the_file(tmp_path: Path) -> None:
    oven, flour, _, salt = taken(tmp_path).tasks
    assert oven == Task(
        name="oven-OVEN01",
        scenario="Two meet over oven.",
        goals=(
            Goal(text="Sell the oven", extra_info="Extra information: it leaks", strategy_hint="Hint: smile"),
            Goal(text="Buy the oven.", extra_info="You know it."),
        ),
        relationship="friend",  # type: ignore[arg-type]
        ages=((18, 70), (21, 60)),
        tags=("all",),
        casts=(("A2", "A1"), ("A1", "A2")),
    )
    assert (flour.name, flour.relationship, flour.occupations) == ("flour", 0, (("baker",), ("cook",)))
    assert (salt.name, salt.occupations) == ("salt_pepper", (("a", "b"), ()))


def test_lists_become_tags(tmp_path: Path) -> None:
    found = take(read_files(written(tmp_path, lists=LISTS))).tasks
    assert [one.tags for one in found] == [("all",), ("all", "mine"), ("all", "hard", "mine"), ("all",)]


def test_without_lists_the_authors_hard_environments_are_hard(tmp_path: Path) -> None:
    hard = sorted(HARD_IDS)[0]
    assert len(HARD_IDS) == 14

    def change(lines: Lines) -> None:
        lines[ENVIRONMENTS].append(environment(hard, "pan"))
        lines[COMBOS].append({"env_id": hard, "agent_ids": ["A1", "A2"]})

    assert [one.tags for one in taken(tmp_path, change).tasks] == [("all",)] * 4 + [("all", "hard")]


def test_both_spellings_of_the_keys_are_read(tmp_path: Path) -> None:
    other = {
        AGENTS: {"agent_id": "pk"},
        RELATIONSHIPS: {"relationship_id": "pk", "agent1_id": "agent_1_id", "agent2_id": "agent_2_id"},
        ENVIRONMENTS: {"env_id": "pk", "codename": "code_name"},
        COMBOS: {"combo_id": "pk"},
    }

    def change(lines: Lines) -> None:
        for name, keys in other.items():
            lines[name] = [{keys.get(key, key): value for key, value in line.items()} for line in lines[name]]

    assert taken(tmp_path / "one", change) == taken(tmp_path / "two")


def test_missing_texts_of_an_agent_are_empty(tmp_path: Path) -> None:
    def change(lines: Lines) -> None:
        lines[AGENTS][0] = {"agent_id": "A1", "first_name": "Ann", "last_name": "Ash", "secret": None}

    ann = taken(tmp_path, change).characters[0]
    assert (ann.age, ann.secret, ann.occupation, ann.moral_values) == (0, "", "", ())


def test_casts_may_be_left_to_the_workflow_if_that_is_said(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / COMBOS).unlink()
    assert not any(one.casts for one in take(read_files(folder, uncast=True), uncast=True).tasks)
    assert [len(one.casts) for one in taken(tmp_path, lambda lines: lines[COMBOS].pop(), uncast=True).tasks] == [
        2,
        1,
        1,
        0,
    ]


# -- what our records do not hold ------------------------------------------------------------------------------------


def test_what_has_no_place_is_kept_and_told_apart_from_other_spellings(tmp_path: Path) -> None:
    def change(lines: Lines) -> None:
        lines[AGENTS][0] |= {"model_id": "", "tag": "pilot"}  # an empty model_id says nothing
        lines[ENVIRONMENTS][1] |= {"agent_constraint": [["A1"], ["A2"]], "game_metadata": {"rounds": 3}}

    homeless, spelled = kept_aside(taken(tmp_path, change).leftovers, KNOWN)
    assert homeless == {
        "agent.tag": 1,
        "environment.source": 4,
        "environment.agent_constraint": 1,
        "environment.game_metadata": 1,
    }
    assert spelled == {
        "agent.public_info": 3,
        "agent.moral_values": 3,
        "agent.mbti": 1,
        "relationship.background_story": 2,
        "environment.codename": 3,
        "environment.agent_goals": 3,
        "environment.relationship": 1,
        "environment.age_constraint": 1,
        "environment.occupation_constraint": 1,
    }


def test_an_export_says_what_the_source_said(tmp_path: Path) -> None:
    profiles = take(read_files(written(tmp_path / "in", lists=LISTS)))
    write_files(tmp_path / "out", *give(profiles))
    expected = sample()
    expected[AGENTS] = [{**line, "model_id": ""} for line in expected[AGENTS]]
    assert lines_in(tmp_path / "out") == expected
    assert json.loads((tmp_path / "out" / SETS).read_text()) == LISTS
    for name in NAMES[1:]:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    assert take(read_files(tmp_path / "out")).tasks == profiles.tasks


def test_an_edit_of_a_record_wins_over_what_its_source_said(tmp_path: Path) -> None:
    profiles = taken(tmp_path)
    oven, flour, _, salt = profiles.tasks
    goal = Goal(text="Sell nothing.")
    edited = [
        oven.model_copy(update={"goals": (goal, oven.goals[1]), "casts": oven.casts[::-1]}),
        flour.model_copy(update={"name": "dough"}),
        salt.model_copy(update={"occupations": (("a",), ()), "casts": (*salt.casts, ("A2", "A3"))}),
    ]
    ann = profiles.characters[0].model_copy(update={"public_info": "Ann bakes."})
    changed = Profiles([ann, *profiles.characters[1:]], profiles.acquaintances, edited, profiles.leftovers)
    lines, _ = give(changed)
    first, second, third = lines[ENVIRONMENTS]
    assert first["agent_goals"][0] == "Sell nothing."
    assert first["source"] == "bakery" and first["codename"] == "oven"
    assert first["env_id"] == "01AAAAAAAAOVEN01"
    assert first[OURS] == {"name": "oven-OVEN01"}  # alone it would come back as `oven`
    assert second["codename"] == second["env_id"] == "dough" and second["source"] == ""
    assert third["occupation_constraint"] == "[['a'], []]"
    assert lines[AGENTS][0]["public_info"] == "Ann bakes. "  # means the same
    assert [line["combo_id"] for line in lines[COMBOS]][:2] == ["C4", "C2"]
    assert again(changed) == (changed.characters, changed.acquaintances, changed.tasks)


# -- round trips of any records ------------------------------------------------------------------------------------


def again(profiles: Profiles, uncast: bool = True) -> tuple[list[Character], list[Acquaintance], list[Task]]:
    """The records after an export and an import."""
    lines, sets = give(profiles)
    kinds = [[Line(f"{name}:{at}", one) for at, one in enumerate(lines[name], start=1)] for name in NAMES]
    back = take(Files(*kinds, sets=sets), uncast=uncast)
    return back.characters, back.acquaintances, back.tasks


SAID = st.sampled_from(
    ["Win it.", " Win (it) ", "Win <extra_info>it", "a\nb (<strategy_hint>c</strategy_hint>)", "nan", "…é!"]
)
MAYBE = st.none() | SAID | st.just("")
GOALS = st.builds(Goal, text=SAID, extra_info=MAYBE, strategy_hint=MAYBE, clarification_hint=MAYBE)
AGES = st.tuples(st.integers(0, 50), st.integers(50, 120))
JOBS = st.lists(st.sampled_from(["baker", " cook", "nan", "it's", ""]), max_size=2).map(tuple)
TAGS = st.lists(st.sampled_from(["all", "hard", "mine", "sotopia env"]), unique=True).map(tuple)
IDS = ("A1", "A2", "x y")
CASTS = st.lists(
    st.sampled_from([(one, other) for one in IDS for other in IDS if one != other]), unique=True, max_size=3
).map(tuple)
KEYWORD = st.none() | st.just(Keyword(name="k1", text="bread", source="norms"))


@st.composite
def tasks(draw: st.DrawFn) -> list[Task]:
    names = draw(st.lists(st.sampled_from(["a", "b", "a_", "a.b", "a-b", "0"]), unique=True, min_size=1))
    return [
        Task(
            name=name,
            scenario=draw(st.sampled_from(["Two meet in a shop.", "  Two meet.\n ", "nan nan nan nan"])),
            goals=(draw(GOALS), draw(GOALS)),
            relationship=draw(st.sampled_from(Relationship)),
            ages=(draw(AGES), draw(AGES)),
            occupations=(draw(JOBS), draw(JOBS)),
            tags=draw(TAGS),
            roles=draw(st.none() | st.just(("instigator", "bystander"))),
            keyword=draw(KEYWORD),
            casts=draw(CASTS),
        )
        for name in names
    ]


def people() -> list[Character]:
    return [
        person("Ann Ash", id="A1", occupation="nan", secret=" spaced "),
        person("Ben nan", id="A2", moral_values=(" a", "", "nan"), age=0),
        person("Cy Cedar", id="x y", schwartz_values=()),
    ]


@given(tasks())
def test_any_tasks_come_back_as_they_were(drawn: list[Task]) -> None:
    profiles = Profiles(people(), [], drawn, [])
    assert again(profiles) == (profiles.characters, [], drawn)


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(max_size=5), max_size=3))
def test_any_texts_of_a_character_come_back_as_they_were(first: str, other: str, listed: list[str]) -> None:
    one = Character(
        id="c", first_name=first, last_name="", age=7, gender=other, pronouns="", occupation=first, public_info=other,
        moral_values=tuple(listed), personality_and_values=first, secret=other,
    )  # fmt: skip
    assume(one.name)
    assert again(Profiles([one], [], [], []))[0] == [one]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(IDS),
            st.sampled_from(IDS),
            st.sampled_from(Relationship),
            st.sampled_from(["", " a", "nan", "b"]),
        )
    )
)
def test_any_relationships_come_back_as_they_were(drawn: list[tuple[str, str, Relationship, str]]) -> None:
    pairs = {(frozenset((a, b)), kind): Acquaintance(characters=(a, b), relationship=kind, background=said)
             for a, b, kind, said in drawn if a != b}  # fmt: skip
    assert again(Profiles(people(), [*pairs.values()], [], []))[1] == [*pairs.values()]


def test_a_plain_record_needs_nothing_of_ours_in_its_line() -> None:
    lines, _ = give(Profiles(people()[2:], [], [task("sale", casts=(), tags=("hard",), ages=((18, 70), (18, 70)))], []))
    assert not any(OURS in line for of_file in lines.values() for line in of_file)


# -- bad input -------------------------------------------------------------------------------------------------------


def set_value(name: str, at: int, **values: Any) -> Callable[[Lines], None]:
    """A change of one line."""

    def change(lines: Lines) -> None:
        lines[name][at] |= values

    return change


def repeat(name: str, at: int, **values: Any) -> Callable[[Lines], None]:
    """One line more, which repeats another."""
    return lambda lines: lines[name].append({**lines[name][at], **values})


BAD: list[tuple[Callable[[Lines], Any], str]] = [
    (repeat(AGENTS, 0), f"{AGENTS}:4: the agent_id 'A1' is that of {AGENTS}:1 too; give each line its own"),
    (repeat(AGENTS, 0, agent_id="A9"), f"{AGENTS}:4: A1 has the name 'Ann Ash' too; give each agent their own"),
    (
        set_value(AGENTS, 1, first_name=None, last_name=" "),
        f"{AGENTS}:2: has no name; add `first_name` and `last_name`, or delete the line",
    ),
    (set_value(AGENTS, 1, agent_id=" "), f"{AGENTS}:2: has no `agent_id` (or `pk`); add it or delete the line"),
    (
        set_value(AGENTS, 1, age=300),
        f"{AGENTS}:2: cannot be read as a character (age: Input should be less than or equal to 120); mend the line",
    ),
    (set_value(AGENTS, 1, moral_values="Care"), f"{AGENTS}:2: 'Care' is not a list of texts; mend the line"),
    (set_value(AGENTS, 1, parley=3), f"{AGENTS}:2: `parley` holds fields by their names; mend or delete it"),
    (
        set_value(RELATIONSHIPS, 1, relationship="9"),
        f"{RELATIONSHIPS}:2: no relationship has the number '9'; there are: 0 stranger, 1 know_by_name, 2 acquaintance, "
        "3 friend, 4 romantic, 5 family; mend the line",
    ),
    (
        set_value(RELATIONSHIPS, 1, agent2_id="A7"),
        f"{RELATIONSHIPS}:2: no agent has the id 'A7'; add it or delete the line",
    ),
    (set_value(RELATIONSHIPS, 1, agent2_id="A2"), f"{RELATIONSHIPS}:2: nobody knows themselves; delete the line"),
    (
        repeat(RELATIONSHIPS, 0, relationship_id="R9", agent1_id="A2", agent2_id="A1"),
        f"{RELATIONSHIPS}:4: a line above says the same of the same two; delete one of them",
    ),
    (
        repeat(RELATIONSHIPS, 0),
        f"{RELATIONSHIPS}:4: the relationship_id 'R1' is that of {RELATIONSHIPS}:1 too; give each line its own",
    ),
    (
        repeat(ENVIRONMENTS, 1),
        f"{ENVIRONMENTS}:5: the env_id '01AAAAAAAAFLOUR1' is that of {ENVIRONMENTS}:2 too; give each line its own",
    ),
    (
        lambda lines: lines[COMBOS].pop(),
        f"{ENVIRONMENTS}:4: no line of {COMBOS} casts '01AAAAAAAASALT01'; add some, or import with --uncast: then casts "
        "are drawn",
    ),
    (
        set_value(ENVIRONMENTS, 1, relationship="7"),
        f"{ENVIRONMENTS}:2: no relationship has the number '7'; there are: 0 stranger, 1 know_by_name, 2 acquaintance, "
        "3 friend, 4 romantic, 5 family; mend the line",
    ),
    (
        set_value(ENVIRONMENTS, 1, agent_goals=["Win."]),
        f"{ENVIRONMENTS}:2: `agent_goals` is not a list of two goals, one a seat; mend the line",
    ),
    (
        set_value(ENVIRONMENTS, 1, agent_goals=["Win.", "Win (<extra_info>a)"]),
        f"{ENVIRONMENTS}:2: a goal does not close <extra_info>; add </extra_info>; mend the line",
    ),
    (
        set_value(ENVIRONMENTS, 1, age_constraint="[(70, 18), (18, 70)]"),
        f"{ENVIRONMENTS}:2: cannot be read as a task (ages: an age range runs from the lower to the higher age); mend the "
        "line",
    ),
    (
        set_value(ENVIRONMENTS, 1, scenario="Hm."),
        f"{ENVIRONMENTS}:2: cannot be read as a task (scenario: String should have at least 10 characters); mend the line",
    ),
    (
        set_value(COMBOS, 2, env_id="E9"),
        f"{COMBOS}:3: no environment has the id 'E9'; add it or delete the line",
    ),
    (
        set_value(COMBOS, 2, agent_ids=["A1", "A9"]),
        f"{COMBOS}:3: no agent has the id 'A9'; add it or delete the line",
    ),
    (
        set_value(COMBOS, 2, agent_ids=["A1"]),
        f"{COMBOS}:3: `agent_ids` is not a list of two ids, one a seat; correct or delete the line",
    ),
    (
        set_value(COMBOS, 2, agent_ids=["A1", "A1"]),
        f"{COMBOS}:3: one agent cannot sit in both seats; correct or delete the line",
    ),
    (
        repeat(COMBOS, 2, combo_id="C9"),
        f"{COMBOS}:6: a line above gives the same environment the same agents; delete one of them",
    ),
    (repeat(COMBOS, 2), f"{COMBOS}:6: the combo_id 'C3' is that of {COMBOS}:3 too; give each line its own"),
]


@pytest.mark.parametrize(("change", "told"), BAD, ids=[told.split(": ", 1)[1][:40] for _, told in BAD])
def test_a_wrong_line_is_one_clear_error(change: Callable[[Lines], Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ParleyError) as raised:
        taken(tmp_path, change)
    assert str(raised.value).replace(f"{tmp_path}/", "") == told


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_and_a_broken_line_are_told_with_their_place(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path)
    whole = (folder / name).read_text()
    (folder / name).write_text(whole + '{"pk": ')
    count = len(whole.splitlines())
    with pytest.raises(ParleyError, match=rf"{name}:{count + 1}: not JSON .*; mend or delete the line"):
        read_files(folder)
    (folder / name).write_text(whole + "[1]\n")
    with pytest.raises(ParleyError, match=rf"{name}:{count + 1}: .*mend or delete the line"):
        read_files(folder)
    (folder / name).unlink()
    with pytest.raises(
        ParleyError, match=rf"{name}: no such file; a folder of SOTOPIA's profiles holds agent_profiles"
    ):
        read_files(folder)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"nowhere: no such folder; give the one that holds agent_profiles\.jsonl"):
        read_files(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ('{"mine": ["E9"]}', "task_sets.json: mine: no environment has the id 'E9'; add it, or take it off the list"),
        ('{"mine": "E9"}', "task_sets.json: not lists of environment ids by name; mend or delete it"),
        ("{", "task_sets.json: not JSON"),
    ],
)
def test_wrong_lists_are_told(lists: str, told: str, tmp_path: Path) -> None:
    (written(tmp_path) / SETS).write_text(lists)
    with pytest.raises(ParleyError) as raised:
        take(read_files(tmp_path))
    assert str(raised.value).removeprefix(f"{tmp_path}/").startswith(told)


def test_casts_that_came_in_are_fit_to_be_played(tmp_path: Path) -> None:
    profiles = taken(tmp_path)
    for one in profiles.tasks:
        check_casts(one, {person.id: person for person in profiles.characters}, "sample")
    assert counted(profiles) == {"characters": 3, "relationships": 3, "tasks": 4, "casts": 5}
