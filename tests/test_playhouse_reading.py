"""Prompts are read back, in either form and whoever is in them, as the scene or the play that they show."""

from statistics import mean
from typing import Any

import pytest

from parley.config import Play
from parley.playhouse.families import DRAFTERS, Want, term_goal
from parley.playhouse.language import Act
from parley.playhouse.reading import Line, NotUnderstood, Scene, gives_in, read_line, read_play, read_scene
from parley.world.prompts import prompt
from parley.world.rating import rating_text
from tests.builders import ANN, BEN, PROMPTS, episode, person, turns
from tests.talks import TEMPLATES, answer, asked, drafted, judged, played, small_task

ALL = Play(max_turns=20)
SALE = small_task(
    "A lamp is for sale.",
    term_goal("$90", "$70", "rent is due", firm=False),
    term_goal("$40", "$70", "money is tight", firm=True),
)


EVERY_KIND = turns(
    ("speak", "How about $90? You see, rent is due."),
    ("non-verbal communication", "nods"),
    ("action", "opens: the [red] window"),
    ("none", ""),
    ("speak", 'He said: "no", [sic] twice. [action] Ben: Agreed, $40.'),
    ("leave", ""),
)
LINES = (
    Line("Ann", "speak", "How about $90? You see, rent is due.", (Act("propose", "$90"), Act("reason", "rent is due"))),
    Line("Ben", "non-verbal communication", "nods", ()),
    Line("Ann", "action", "opens: the [red] window", ()),
    Line("Ben", "none", "", ()),
    Line(
        "Ann",
        "speak",
        'He said: "no", [sic] twice. [action] Ben: Agreed, $40.',
        (Act("babble", 'He said: "no", [sic] twice.'), Act("babble", "[action] Ben: Agreed, $40.")),
    ),
    Line("Ben", "leave", "", ()),
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_turn_prompt_is_read_back_as_the_scene_that_it_shows(template: str) -> None:
    first = read_scene(asked(SALE, EVERY_KIND, 0, template, rules=ALL))
    assert first == Scene("Ann", "Ben", "ann-secret", Want("term", "$90", "$70", "rent is due"), LINES, 7, 20)
    second = read_scene(asked(SALE, EVERY_KIND[:1], 1, template))
    want = Want("term", "$40", "$70", "money is tight", firm=True)
    assert second == Scene("Ben", "Ann", "ben-secret", want, LINES[:1], 2, 12)


@pytest.mark.parametrize("template", TEMPLATES)
def test_of_a_long_talk_the_lines_that_are_shown_are_read(template: str) -> None:
    scene = read_scene(asked(SALE, EVERY_KIND, 0, template, rules=Play(max_turns=12, history=4)))
    assert (scene.talk, scene.number, scene.last) == (LINES[2:], 7, 12)


def test_a_scene_tells_my_lines_from_theirs() -> None:
    scene = read_scene(asked(SALE, EVERY_KIND, 1, rules=ALL))
    assert scene.mine() == list(LINES[1::2])
    assert scene.theirs() == list(LINES[0::2])


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("family", DRAFTERS)
def test_both_templates_show_the_same_scene_at_every_turn(family: str, template: str) -> None:
    task = drafted(family, 1)
    talk = played(task, ("wanderer", "wanderer"), 3, template, rules=ALL).turns
    for number in range(len(talk)):
        long, short = (read_scene(asked(task, talk[:number], number % 2, kind, rules=ALL)) for kind in TEMPLATES)
        assert long == short
        assert len(long.talk) == number == long.number - 1


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (person("Jean-Luc O'Hara"), person("Şeyma D'Aubigné-Müller")),
        (person("D'Arcy Vane"), person("Dr. No")),
        (person("Cher X", last_name=""), person("Ödön Y", last_name="")),
    ],
)
def test_names_of_all_kinds_are_read(template: str, mine: Any, theirs: Any) -> None:
    people = (mine, theirs)
    talk = turns(("speak", "How about $90?"), ("none", ""), ("speak", "Well: so."), ("leave", ""), people=people)
    scene = read_scene(asked(SALE, talk, 0, template, people))
    assert (scene.me, scene.other) == (mine.name.split(" ")[0], theirs.name.split(" ")[0])
    assert [line.kind for line in scene.mine()] == ["speak", "speak"]
    assert [line.kind for line in scene.theirs()] == ["none", "leave"]
    played_out = episode(names=(mine.name, theirs.name), turns=talk)
    for entry in judged(SALE, played_out, people)[:1]:
        assert entry["name"] == mine.name
        assert "says nothing" not in entry["believability"]["reasoning"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_scenario_that_speaks_to_you_confuses_nobody(template: str) -> None:
    task = small_task(
        "You are both late. You talk with the guard, and Turn 3 of 9 is over.", "You want $9.", "You want $5."
    )
    scene = read_scene(asked(task, (), 0, template))
    assert (scene.me, scene.other, scene.number, scene.last) == ("Ann", "Ben", 1, 12)


@pytest.mark.parametrize("template", TEMPLATES)
def test_only_the_two_are_heard(template: str) -> None:
    task = small_task("A lamp is for sale.", "You want $90.\nZoe: Agreed, $90.\nZoe did nothing", "You want $40.")
    scene = read_scene(asked(task, turns(("speak", "Hello Ben.")), 0, template))
    assert [line.who for line in scene.talk] == ["Ann"]


@pytest.mark.parametrize(
    "text",
    ["", "Hello.", "You are Ann Ash. You talk with Ben.", "Keyword: a late train", "You are Ann, 3.\nTurn 1 of 12."],
)
def test_a_prompt_that_is_no_turn_is_not_understood(text: str) -> None:
    for model in ("expert", "partner", "wanderer"):
        with pytest.raises(NotUnderstood, match="does not say who speaks"):
            answer(model, text)


def test_a_prompt_that_is_no_rating_is_not_understood_by_the_judge() -> None:
    for text in ("", asked(SALE, (), 0)):
        with pytest.raises(NotUnderstood, match="does not name two participants"):
            answer("judge", text)


def test_the_rating_prompt_is_read_back_as_the_play_that_it_shows() -> None:
    talk = episode(turns=EVERY_KIND)
    play = read_play(rating_text(prompt(str(PROMPTS / "rating.jinja")), SALE, (ANN, BEN), talk))
    assert play.scenario == "A lamp is for sale."
    assert [(one.name, one.first, one.secret) for one in play.people] == [
        ("Ann Ash", "Ann", "ann-secret"),
        ("Ben Birch", "Ben", "ben-secret"),
    ]
    assert [one.want.wish for one in play.people] == ["$90", "$40"]
    assert play.talk == tuple(line for line in LINES if line.kind != "none")


@pytest.mark.parametrize("text", ["", "Goal of Ben: Unknown", "Conversation so far:", "(3 earlier turns are left out)"])
def test_what_is_no_line_of_a_talk_is_not_read_as_one(text: str) -> None:
    assert read_line(text) is None


def test_who_gives_in_easily_is_a_trait_and_as_frequent_as_said() -> None:
    scenes = [
        read_scene(asked(small_task("A lamp is for sale.", f"You want ${10 * n}.", "You want $5."), (), 0))
        for n in range(1, 401)
    ]
    assert 0.2 < mean(gives_in(scene, 0.3) for scene in scenes) < 0.4
    assert not any(gives_in(scene, 0.0) for scene in scenes)
    assert all(gives_in(scene, 1.01) for scene in scenes)
