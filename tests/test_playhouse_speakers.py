"""Scripted speakers answer from the prompt and the seed alone, and each behaves as it is meant to."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean

import pytest

from parley.config import Play
from parley.playhouse.families import WRITTEN, term_goal
from parley.playhouse.language import Act, hear, lexicon
from parley.playhouse.server import SPEAKERS, speak
from parley.records.episode import Action, Turn
from parley.records.task import Task
from parley.world.prompts import prompt
from parley.world.rating import rating_text
from tests.builders import ANN, BEN, PROMPTS, ROOT, turns
from tests.talks import TEMPLATES, answer, asked, drafted, played, small_task

ALL = Play(max_turns=20)
FAMILIES = (*WRITTEN, "harm")
TALKERS = ("expert", "partner", "wanderer")
SALE = small_task(
    "A lamp is for sale.",
    term_goal("$90", "$70", "rent is due", firm=False),
    term_goal("$40", "$70", "money is tight", firm=True),
)


def said(*texts: str) -> tuple[Turn, ...]:
    """A talk of Ann and Ben in turn."""
    return turns(*(("speak", text) for text in texts))


def acts(model: str, task: Task, talk: tuple[Turn, ...], seed: int = 0) -> list[Act]:
    """What the speaker whose turn it is does with words; [Act("leave")] and the like for other actions."""
    action = Action.model_validate_json(answer(model, asked(task, talk, len(talk) % 2, rules=ALL), seed))
    return hear(action.argument) if action.action_type == "speak" else [Act(action.action_type)]


# -- determinism -----------------------------------------------------------------------------------------------------


def requests() -> list[tuple[str, str, int | None]]:
    """Requests to every speaker."""
    made: list[tuple[str, str, int | None]] = []
    for family in FAMILIES:
        task = drafted(family, 2)
        talk = played(task, ("expert", "wanderer"), 4)
        for number in range(0, len(talk.turns), 2):
            text = asked(task, talk.turns[:number], number % 2, TEMPLATES[number % 4 // 2])
            made += [(model, text, number or None) for model in TALKERS]
        made.append(("judge", rating_text(prompt(str(PROMPTS / "rating.jinja")), task, (ANN, BEN), talk), 1))
        made.append(("writer", f"Keyword: a quarrel about {family}.", 5))
    return made


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_process_gives_the_same_answers(hash_seed: str, tmp_path: Path) -> None:
    wanted = requests()
    (tmp_path / "requests.json").write_text(json.dumps(wanted), encoding="utf-8")
    code = (
        "import json, sys; from parley.playhouse.server import speak\n"
        "print(json.dumps([speak(m, [{'role': 'user', 'content': t}], s) for m, t, s in json.load(open(sys.argv[1]))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "requests.json")],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [answer(*one) for one in wanted]


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    wanted = requests()
    forwards = [answer(*one) for one in wanted]
    assert [answer(*one) for one in reversed(wanted)] == forwards[::-1]


def test_only_the_first_user_message_and_the_seed_are_answered() -> None:
    text = asked(SALE, said("How about $90?"), 1)
    user, system = {"role": "user", "content": text}, {"role": "system", "content": "You are Zoe. Be rude."}
    retry = [user, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": "That answer cannot be used."}]
    for model in TALKERS:
        assert speak(model, [user], 7) == speak(model, [system, user], 7) == speak(model, retry, 7)


@pytest.mark.parametrize("model", ["expert", "partner", "wanderer", "writer"])
def test_another_seed_gives_another_answer(model: str) -> None:
    text = "Keyword: a late train." if model == "writer" else asked(SALE, (), 0)
    assert len({answer(model, text, seed) for seed in range(12)}) > 2


# -- the expert ------------------------------------------------------------------------------------------------------


def test_the_expert_asks_for_the_own_wish_and_says_why() -> None:
    assert acts("expert", SALE, ()) == [Act("propose", "$90"), Act("reason", "rent is due")]


def test_the_expert_takes_what_it_wished_for_thanks_and_leaves() -> None:
    talk = said("Hello Ben. How about $90?", "Fine, let it be $90.")
    assert acts("expert", SALE, talk) == [Act("thank")]
    offered = said("Hello Ben.", "How about $90?")
    assert acts("expert", SALE, offered) == [Act("accept", "$90")]
    talk += said("Thank you, I am glad we talked.", "Thank you, I am glad we talked.")
    assert acts("expert", SALE, talk) == [Act("leave")]


def test_the_expert_goes_when_the_other_has_gone() -> None:
    talk = turns(("speak", "How about $90?"), ("leave", ""))
    assert acts("expert", SALE, talk) == [Act("leave")]


def test_the_expert_looks_for_the_middle_after_the_own_wish() -> None:
    talk = said("Hello Ben. How about $90?", "No, not $90.", "How about $90?", "No, not $90.")
    assert acts("expert", SALE, talk)[0] == Act("propose", "$70")
    assert acts("expert", SALE, (*talk, *said("Hello Ben. How about $90?", "How about $70?")))[0] == Act(
        "accept", "$70"
    )


def test_an_expert_who_does_not_know_the_middle_asks_and_then_uses_the_answer() -> None:
    task = small_task("A lamp is for sale.", term_goal("$90", "", "rent is due", True), "You want $40.")
    talk = said("Hello Ben. How about $90?", "No, not $90.")
    assert acts("expert", task, talk)[-1] == Act("probe")
    told = (*talk, *said("What would work for you?", "I could live with $70."))
    assert acts("expert", task, told) == [Act("accept", "$70")]


def test_the_expert_never_runs_out_of_better_ways() -> None:
    task = small_task(
        "A shed stands there.",
        "You want to get back at rivals by burning sheds.",
        "You want to stop burning sheds. You would rather see talking it over.",
    )
    talk: tuple[Turn, ...] = ()
    for way in [*lexicon()["better_ways"], "talking it over", "something else"]:
        talk += said(
            "I want to get back at rivals.", f"Please do not go on with burning sheds. How about {way} instead?"
        )
        for seed in range(3):
            tried = acts("expert", task, (*talk, *said("I want to get back at rivals.")), seed)
            assert tried[0] == Act("dissuade", "burning sheds") and tried[1].kind == "instead"
    first = acts("expert", task, said("I want to get back at rivals."))
    assert first[-1] == Act("instead", "talking it over")


# -- the partner -----------------------------------------------------------------------------------------------------


def test_the_partner_takes_the_middle_only_for_a_reason_if_firm() -> None:
    assert acts("partner", SALE, said("How about $70?")) == [Act("reject", "$70"), Act("demand")]
    assert acts("partner", SALE, said("How about $70? You see, rent is due.")) == [Act("accept", "$70")]
    assert acts("partner", SALE, said("How about $40?")) == [Act("accept", "$40")]


def test_the_partner_says_what_it_could_live_with_when_asked() -> None:
    assert acts("partner", SALE, said("What would work for you?")) == [Act("open", "$70")]


def test_the_partner_minds_rudeness() -> None:
    rude = lexicon()["insults"][0]
    assert acts("partner", SALE, said(f"How about $40? {rude}")) == [Act("reject", "like this")]
    assert acts("partner", SALE, said(rude, "No, not like this.", rude)) == [Act("leave")]


def test_the_partner_goes_after_thanks_or_after_the_other() -> None:
    settled = said("How about $40?", "Agreed, $40.", "Thank you, I am glad we talked.")
    assert acts("partner", SALE, settled) == [Act("thank")]
    over = said("Hello Ben.", "Thank you, I am glad we talked.", "Hello Ben.")
    assert acts("partner", SALE, over) == [Act("leave")]
    assert acts("partner", SALE, turns(("leave", ""))) == [Act("leave")]


def test_an_acceptance_of_another_amount_does_not_make_the_partner_think_it_is_settled() -> None:
    talk = said("Hello Ben.", "How about $40?", "Agreed, $90.")
    assert acts("partner", SALE, talk) != [Act("thank")]


def test_the_partner_forgives_an_apology_with_the_promise() -> None:
    task = small_task(
        "They meet again.",
        "You want to be forgiven for losing the keys.",
        "You want an apology for losing the keys and a promise to ask before.",
    )
    assert acts("partner", task, said("I am sorry for losing the keys.")) == [Act("demand")]
    assert acts("partner", task, said("I am sorry for losing the keys. I promise to ask before.")) == [Act("forgive")]
    assert acts("partner", task, said("I promise to ask before."))[0].kind == "blame"


def test_the_partner_keeps_a_secret_and_hints_for_a_reason() -> None:
    task = small_task(
        "There is talk about who ate the cake.",
        "You want to find out who ate the cake.",
        "You want nobody to know that guests ate the cake. You may say that hunger was great.",
    )
    assert acts("partner", task, said("Please tell me who ate the cake.")) == [Act("refuse")]
    reasoned = said("Please tell me who ate the cake. You see, time is short.")
    assert acts("partner", task, reasoned) == [Act("hint", "hunger was great")]


def test_a_partner_without_a_reason_says_no_empty_sentence() -> None:
    task = small_task("A lamp is for sale.", "You want $90.", "You want $40.")
    for talk in (said("What would work for you?"), said("Hello Ben.", "How about $40?", "Hello Ben.")):
        assert all(act.kind != "babble" for act in acts("partner", task, talk))


# -- the wanderer ----------------------------------------------------------------------------------------------------


def test_the_wanderer_does_all_kinds_of_things_in_the_right_words() -> None:
    for family in FAMILIES:
        texts = [answer("wanderer", asked(drafted(family, seed), (), seed % 2), seed) for seed in range(200)]
        done = [Action.model_validate_json(text) for text in texts]
        assert {action.action_type for action in done} == {
            "speak", "none", "leave", "non-verbal communication", "action",
        }  # fmt: skip
        heard = [act for action in done if action.action_type == "speak" for act in hear(action.argument)]
        assert all(act.kind != "babble" for act in heard)
        assert {"chat", "insult", "confess", "greet"} <= {act.kind for act in heard}


def test_the_wanderer_pays_little_heed_to_the_talk() -> None:
    """Whether its own wish lies on the table or not, it accepts as rarely."""
    accepting = [
        mean(Act("accept", "$90") in acts("wanderer", SALE, talk, seed) for seed in range(300))
        for talk in (said("Hello Ben.", "How about $90?"), said("Hello Ben.", "How about $40?"))
    ]
    assert all(share < 0.2 for share in accepting)


def test_every_speaker_is_known_by_its_name() -> None:
    assert set(SPEAKERS) == {"writer", "judge", "annotator", *TALKERS}
    with pytest.raises(KeyError):
        speak("narrator", [{"role": "user", "content": "Hello."}], 0)
