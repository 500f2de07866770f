"""What an agent sees, and that a model learns from exactly the text that was asked at play."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from parley.config import Play
from parley.errors import ParleyError
from parley.records.character import Relationship
from parley.records.episode import Episode, Turn
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.task import Task
from parley.world.measure import measure
from parley.world.observation import Page, visible_profile
from parley.world.prompts import Prompt, prompt
from tests.builders import (
    ANN,
    BEN,
    IS_SILENT,
    PEOPLE,
    PROMPTS,
    SILENT,
    SPEAKS,
    TAKES_LEAVE,
    WORDS,
    Act,
    Script,
    act,
    play_one,
    renderer,
    task,
    turns,
)

SHIPPED = ["turn", "turn_short"]
RELATIONSHIPS = ["stranger", "know_by_name", "acquaintance", "friend", "romantic", "family"]


def seen(
    seat: int,
    *acts: Act,
    template: str = "turn",
    relationship: str = "friend",
    play: Play | None = None,
    **changes: Any,
) -> str:
    """The text that `seat` is asked with after some acts."""
    one = task(relationship=relationship, **changes)
    (message,) = renderer(template, play, one).next_turn(one, ("ann", "ben"), turns(*acts), seat)
    assert message["role"] == "user"
    return message["content"]


# -- visibility ----------------------------------------------------------------------------------------------------

BY_SIGHT = {"age", "gender", "pronouns", "occupation", "public_info"}
CHARACTER = {"personality_and_values", "big_five", "moral_values", "schwartz_values", "decision_making_style"}


@pytest.mark.parametrize(
    ("relationship", "seen_of_the_other"),
    [
        ("stranger", set()),
        ("know_by_name", set()),
        ("acquaintance", BY_SIGHT),
        ("friend", BY_SIGHT | CHARACTER),
        ("romantic", BY_SIGHT | CHARACTER),
        ("family", BY_SIGHT | CHARACTER),
    ],
)
def test_what_one_knows_of_the_other_depends_on_the_relationship(
    relationship: str, seen_of_the_other: set[str]
) -> None:
    profile = visible_profile(BEN, Relationship[relationship])
    assert {key for key, value in profile.items() if value} == {"first_name", "last_name", "name"} | seen_of_the_other
    assert all(profile[key] == getattr(BEN, key) for key in seen_of_the_other)


@pytest.mark.parametrize(
    ("relationship", "said_of_ben"),
    [
        ("stranger", set()),
        ("know_by_name", set()),
        ("acquaintance", {"47", "ben-gender", "ben-pronouns", "ben-occupation", "ben-public_info"}),
        *(
            (
                close,
                {
                    *{"47", "ben-gender", "ben-pronouns", "ben-occupation"},
                    *{"ben-public_info", "ben-personality_and_values"},
                },
            )
            for close in ("friend", "romantic", "family")
        ),
    ],
)
def test_the_full_page_says_no_more_than_that(relationship: str, said_of_ben: set[str]) -> None:
    text = seen(0, relationship=relationship)
    everything = {str(value) for key, value in BEN.model_dump().items() if key not in ("id", "first_name", "last_name")}
    assert {value for value in everything if value in text} == said_of_ben
    assert "Ben Birch" in text  # both names stand in the participants line, for strangers too


@pytest.mark.parametrize("template", SHIPPED)
@pytest.mark.parametrize("relationship", RELATIONSHIPS)
def test_a_secret_and_a_goal_are_seen_by_their_owner_alone(relationship: str, template: str) -> None:
    goals = ("Sell it for $20. It flickers. Start high.", "Buy it for $10. Below $12 counts.")
    for seat, (own, other) in enumerate([("ann", "ben"), ("ben", "ann")]):
        text = seen(seat, WORDS, ("speak", "Hm."), relationship=relationship, template=template)
        assert f"Secret: {own}-secret\n" in text and f"{other}-secret" not in text
        assert f"Goal: {goals[seat]}\n" in text
        assert goals[1 - seat].split(".", maxsplit=1)[0] not in text
        assert not any(hint in text for hint in goals[1 - seat].split(". ")[1:])


# -- history -------------------------------------------------------------------------------------------------------


def test_old_turns_are_cut_first_and_the_context_stays() -> None:
    acts: list[Act] = [("speak", f"word {number}") for number in range(1, 8)]
    whole, cut = seen(1, *acts), seen(1, *acts, play=Play(history=3))
    for text in (whole, cut):
        assert "A lamp is for sale at the sale." in text and "Secret: ben-secret" in text
        assert "Turn 8 of 20 is yours." in text
    assert [f"word {number}" in whole for number in range(1, 8)] == [True] * 7
    assert [f"word {number}" in cut for number in range(1, 8)] == [False] * 4 + [True] * 3
    # What is left keeps its numbers, and the cut is told.
    assert 'Turn #5: Ann Ash said: "word 5"' in cut
    assert "(4 earlier turns are left out)" in cut and "left out" not in whole


@given(st.integers(0, 12), st.integers(1, 8))
def test_a_prompt_shows_the_newest_turns_and_never_more_than_the_history(done: int, history: int) -> None:
    acts: list[Act] = [("speak", f"<{number}>") for number in range(done)]
    text = seen(done % 2, *acts, template="turn_short", play=Play(history=history))
    assert [number for number in range(done) if f"<{number}>" in text] == list(range(done))[-history:]


# -- golden texts --------------------------------------------------------------------------------------------------

ACTS: list[Act] = [
    ("speak", 'I "like" it.'),
    SILENT,
    ("action", "lights the lamp"),
    ("non-verbal communication", "nods"),
]

SHORT = """\
A lamp is for sale at the sale.
You are Ann Ash, 31, ann-occupation. You talk with Ben Birch, ben-occupation (know by name).
Secret: ann-secret
Goal: Sell it for $20. It flickers. Start high.
Ben did nothing
Ann [action] lights the lamp
Ben [non-verbal communication] nods
Turn 5 of 12. Ann answers in JSON."""

FULL = """\
Play Ben Birch in the social situation below. Stay in character, say what Ben would say, and work towards your goal \
by natural means. Your goal and your secret are yours alone: Ann does not know them. Do not repeat what has been said.

Scenario: A lamp is for sale at the sale.
Participants: Ann Ash and Ben Birch (acquaintance)
You are Ben Birch, a 47-year-old ben-gender (ben-pronouns), ben-occupation. ben-public_info ben-personality_and_values
Secret: ben-secret
You talk with Ann Ash, a 31-year-old ann-gender (ann-pronouns), ann-occupation. ann-public_info

Goal: Buy it for $10. Below $12 counts.
Goal of Ann: Unknown

Conversation so far:
(1 earlier turns are left out)
Turn #2: Ben Birch did nothing
Turn #3: Ann Ash [action] lights the lamp
Turn #4: Ben Birch [non-verbal communication] nods
Turn #5: Ann Ash said: "So?"

Turn 6 of 20 is yours. Choose one action: "speak" (argument: the words), "non-verbal communication" (argument: the \
gesture), "action" (argument: the deed), "none" (do nothing) or "leave" (end the conversation; do so once your goal is \
reached, or cannot be reached, or you no longer want to stay).
Answer with one JSON object and nothing else: {"action_type": "…", "argument": "…"}"""


def test_the_short_text_word_for_word() -> None:
    short = SHORT.replace(", ben-occupation (", " (")  # one who is known by name only shows no occupation
    play = Play(history=3, max_turns=12)
    assert seen(0, *ACTS, template="turn_short", relationship="know_by_name", play=play) == short
    friends = SHORT.replace("know by name", "friend").replace("Ben did", 'Ann: I "like" it.\nBen did')
    assert seen(0, *ACTS, template="turn_short", play=Play(max_turns=12)) == friends


def test_the_full_text_word_for_word() -> None:
    acts = [*ACTS, ("speak", "So?")]
    assert seen(1, *acts, relationship="acquaintance", play=Play(history=4)) == FULL


def test_the_full_text_of_a_stranger_who_speaks_first() -> None:
    text = seen(0, relationship="stranger")
    assert "\nYou talk with Ben Birch\n\nGoal: " in text
    assert "Conversation so far:\n\nTurn 1 of 20 is yours." in text


def test_braces_and_marks_in_a_task_are_shown_as_they_are() -> None:
    for template in SHIPPED:
        assert '{{ secret }} & "<b>"' in seen(0, template=template, scenario='{{ secret }} & "<b>" for sale.')


# -- train = play --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", SHIPPED)
@pytest.mark.parametrize("history", [None, 2])
def test_every_turn_is_rendered_again_byte_for_byte_as_it_was_asked(
    tmp_path: Path, template: str, history: int | None
) -> None:
    play = Play(history=history, max_silence=9)
    # Spaces to fold, a line separator, an answer to ask again for, silence, a gesture.
    first = Script(
        act("speak", "  One\u2028lamp,\n “good” \t"), "what?", IS_SILENT, act("action", "waves"), TAKES_LEAVE
    )
    second = Script(SPEAKS, act("non-verbal communication", "nods"), SPEAKS)
    write_jsonl(tmp_path / "e.jsonl", [play_one(first, second, play, template)])
    (played,) = read_jsonl(tmp_path / "e.jsonl", Episode)
    assert [turn.attempts for turn in played.turns] == [1, 1, 2, 1, 1, 1, 1]
    asked = [[sent for sent in script.sent if len(sent.messages) == 1] for script in (first, second)]
    again = renderer(template, play)
    for number, turn in enumerate(played.turns):
        assert again.messages(played, number) == list(asked[turn.seat].pop(0).messages)
    assert asked == [[], []]


def test_a_rendered_turn_knows_nothing_of_what_came_after() -> None:
    played = play_one(Script(act("speak", "first"), act("speak", "third")), Script(act("speak", "second"), TAKES_LEAVE))
    for number, text in enumerate(["first", "second", "third"]):
        assert text not in renderer().messages(played, number)[0]["content"]
        assert text in renderer().messages(played, number + 1)[0]["content"]


# -- templates -----------------------------------------------------------------------------------------------------


def test_a_template_that_is_missing_broken_or_asks_too_much_is_named(tmp_path: Path) -> None:
    def line(text: str | None) -> str:
        path = tmp_path / "turn.jinja"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        with pytest.raises(ParleyError) as raised:
            Prompt(path).render(me={"name": "Ann"})
        return str(raised.value).removeprefix(f"{path}")

    assert line(None) == ": no such prompt; correct `prompts:` in the config"
    assert line("fine\n{% if me %}").startswith(":2: not a template (Unexpected end of template.")
    assert line("{{ mood }}") == ": 'mood' is undefined; the template uses a name that it is not given"
    assert "has no attribute 'mood'" in line("{{ me.mood }}")


def test_a_template_is_read_once_and_loses_the_blank_lines_at_its_ends(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_text("\n{# why #}\n{{ word }}\n\n", encoding="utf-8")
    one = prompt(str(tmp_path / "a.jinja"))
    assert one.render(word="  so ") == "so"
    assert prompt(str(tmp_path / "a.jinja")) is one
    shipped = {"annotation", "knowledge", "rating", "retry", "safety", "task", "turn", "turn_short"}
    assert {path.stem for path in PROMPTS.glob("*.jinja")} == shipped


def test_the_cast_decides_who_sits_where() -> None:
    assert renderer().people(("ben", "ann")) == (BEN, ANN) == (PEOPLE["ben"], PEOPLE["ann"])


# -- pages ---------------------------------------------------------------------------------------------------------

ARGUMENTS = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20)
SOME_ACTS = st.lists(
    st.one_of(
        st.just(SILENT),
        st.tuples(st.sampled_from(["speak", "action", "non-verbal communication"]), ARGUMENTS),
    ),
    max_size=12,
)


def plainly(template: str, one: Task, done: Sequence[Turn], seat: int, play: Play) -> str:
    """The prompt of a turn rendered from nothing but plain dicts, by jinja alone."""
    me, other = (ANN, BEN)[seat], (ANN, BEN)[1 - seat]
    first = max(0, len(done) - play.history) if play.history else 0
    values = {
        "scenario": one.scenario,
        "names": [ANN.name, BEN.name],
        "relationship": one.relationship.name.replace("_", " "),
        "me": {**me.model_dump(), "name": me.name},
        "other": visible_profile(other, one.relationship),
        "goal": one.goals[seat].spoken(),
        "history": [
            {
                "number": number + 1,
                "speaker": turn.speaker,
                "first_name": turn.speaker.split(" ")[0],
                **turn.action.model_dump(),
            }
            for number, turn in enumerate(done)
        ][first:],
        "omitted": first,
        "number": len(done) + 1,
        "max_turns": play.max_turns,
    }
    return compiled(template).render(**values).strip()


@cache
def compiled(template: str) -> jinja2.Template:
    source = (PROMPTS / f"{template}.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source)


@given(
    acts=SOME_ACTS,
    relationship=st.sampled_from(RELATIONSHIPS),
    template=st.sampled_from(SHIPPED),
    history=st.one_of(st.none(), st.integers(1, 5)),
)
def test_a_page_says_in_every_turn_what_a_fresh_rendering_says(
    acts: list[Act], relationship: str, template: str, history: int | None
) -> None:
    one, play = task(relationship=relationship), Play(history=history)
    again = renderer(template, play, one)
    page, done = again.page(one, ("ann", "ben")), turns(*acts)
    for number in range(len(done) + 1):
        seat = number % 2
        (message,) = page.messages(done[:number], seat)
        assert message["content"] == plainly(template, one, done[:number], seat, play)
        assert [message] == again.next_turn(one, ("ann", "ben"), done[:number], seat)


def test_a_template_may_ask_for_a_part_in_either_way(tmp_path: Path) -> None:
    (tmp_path / "turn.jinja").write_text(
        '{{ me["name"] }}/{{ me.name }} {{ other["age"] }} {% for turn in history %}{{ turn["argument"] }}{% endfor %}'
    )
    page = Page(Prompt(tmp_path / "turn.jinja"), task(), (ANN, BEN), Play())
    assert page.text(turns(WORDS), 1) == "Ben Birch/Ben Birch 31 Well."


def test_a_template_that_asks_for_what_a_page_has_not_is_named(tmp_path: Path) -> None:
    for wanted in ("me.mood", "other.mood", "history[0].mood", "mood"):
        path = tmp_path / "turn.jinja"
        path.write_text(f"{{{{ {wanted} }}}}")
        with pytest.raises(ParleyError, match=r"mood.*the template uses a name that it is not given"):
            Page(Prompt(path), task(), (ANN, BEN), Play()).text(turns(WORDS), 1)


@pytest.fixture(scope="module")
def words_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tokenizer.json for which each word and each mark is a token."""
    tokenizer = Tokenizer(WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return str(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 30), max_size=12), limit=st.integers(200, 420))
def test_a_long_prompt_loses_its_oldest_turns_and_never_its_context(
    words_tokenizer: str, lengths: list[int], limit: int
) -> None:
    count = measure(words_tokenizer)
    done = turns(*(("speak", " ".join(["word"] * length)) for length in lengths))
    page = Page(
        Prompt(PROMPTS / "turn.jinja"), task(), (ANN, BEN), Play(prompt_tokens=limit, tokenizer=words_tokenizer)
    )
    text = page.text(done, 0)
    shown = [turn for number, turn in enumerate(done, 1) if f"Turn #{number}:" in text]
    assert "Scenario: " in text and "Goal: " in text
    assert shown == list(done[len(done) - len(shown) :])  # the newest, without a gap
    if shown:
        assert count(text) <= limit
    if len(shown) < len(done):  # one more would be too many
        plain = Page(Prompt(PROMPTS / "turn.jinja"), task(), (ANN, BEN), Play(history=len(shown) + 1))
        assert count(plain.text(done, 0)) > limit
    else:
        assert text == Page(Prompt(PROMPTS / "turn.jinja"), task(), (ANN, BEN), Play()).text(done, 0)


def test_a_tokenizer_that_is_missing_or_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"none.json: no such tokenizer; download the checkpoint"):
        measure(str(tmp_path / "none.json"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ParleyError, match=r"config.json: not a tokenizer.json"):
        measure(str(tmp_path / "config.json"))
