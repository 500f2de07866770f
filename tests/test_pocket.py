"""The pocket model: the recipe's training text is what is asked at play, and the shipped checkpoint has learned it."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from random import Random
from typing import Any

import pytest

from parley.config import load
from parley.playhouse import pocket
from parley.playhouse.families import read_goal
from parley.playhouse.language import hear, lexicon
from parley.playhouse.pocket import (
    CHAT_TEMPLATE,
    PLAY,
    SPECIALS,
    batches,
    build_tokenizer,
    drill,
    encode,
    lessons,
    talk,
)
from parley.playhouse.reading import read_scene
from parley.records.episode import Action, Turn
from parley.records.message import Message
from parley.world.observation import Renderer
from parley.world.playing import fault_in, settled
from parley.world.prompts import Prompt
from tests.builders import ANN, BEN, PEOPLE, PROMPTS, ROOT
from tests.talks import asked, drafted

FOLDER = ROOT / "resources" / "pocket"
WORDS = ["a late train", "a lost dog", "a quiet Sunday"]
PHRASES = {
    *(f"${10 * number}" for number in range(1, 23)),
    *lexicon()["share_ways"],
    *(f"the {place}" for place in lexicon()["outings"]),
    *lexicon()["help"],
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the recipe is run from there


# -- the training text -------------------------------------------------------------------------------------------------


def test_examples_depend_on_the_seed_alone() -> None:
    assert pocket.examples(24, 5, WORDS) == pocket.examples(24, 5, WORDS)
    assert pocket.examples(24, 5, WORDS) != pocket.examples(24, 6, WORDS)


@pytest.mark.parametrize("count", [1, 7, 24])
def test_as_many_examples_are_made_as_wanted(count: int) -> None:
    assert len(pocket.examples(count, 5, WORDS)) == count


def test_no_talk_gives_more_than_four_examples() -> None:
    talks: Counter[tuple[str, ...]] = Counter()
    for text, _ in pocket.examples(200, 5, WORDS):
        scene = read_scene(text)
        talks[(text.split("\n", 1)[0], *sorted((scene.me, scene.other)))] += 1
    assert len(talks) >= 50 and max(talks.values()) == 4


def test_every_answer_is_an_action_spelled_as_a_target_of_training() -> None:
    kinds = set()
    for _, text in pocket.examples(400, 5, WORDS):
        action = Action.model_validate_json(text)
        assert fault_in(action) is None
        assert settled(action) == action
        assert action.as_json() == text
        kinds.add(action.action_type)
    assert kinds == {"speak", "none", "leave", "action", "non-verbal communication"}


def test_the_training_text_follows_the_rules_of_the_default_experiment() -> None:
    experiment = load(ROOT / "config.yaml")
    assert experiment.play == PLAY
    assert experiment.prompts.turn == "prompts/turn_short.jinja"


def recorded(monkeypatch: pytest.MonkeyPatch, seed: int) -> list[tuple[str, Action, str]]:
    """The prompts and answers of one talk, each with the prompt as it would be asked at play."""
    template, at_play = Prompt(PROMPTS / "turn_short.jinja"), []

    def record(_: Prompt, task: Any, people: Any, turns: list[Turn], seat: int, __: Any) -> str:
        renderer = Renderer(template, load(ROOT / "config.yaml").play, {task.name: task}, PEOPLE)
        (message,) = renderer.next_turn(task, ("ann", "ben"), list(turns), seat)
        assert people == (ANN, BEN)
        at_play.append(message["content"])
        return real(_, task, people, turns, seat, __)

    real = pocket.turn_text
    with monkeypatch.context() as patch:
        patch.setattr(pocket, "turn_text", record)
        made = list(talk(Random(seed), (ANN, BEN), "a late train"))
    return [(text, Action.model_validate_json(said), play) for (text, said), play in zip(made, at_play, strict=True)]


def test_prompts_are_those_of_play_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(8):
        for text, _, at_play in recorded(monkeypatch, seed):
            assert text == at_play


def short(name: str, action: Action) -> str:
    """An action as a line of the short prompt."""
    match action.action_type:
        case "speak":
            return f"{name}: {action.argument}"
        case "none":
            return f"{name} did nothing"
        case kind:
            return f"{name} [{kind}] {action.argument}"


def test_prompts_show_the_newest_turns_as_they_were_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(8):
        made = recorded(monkeypatch, seed)
        assert len(made) == 12 or made[-1][1].action_type == "leave"
        assert all(action.action_type != "leave" for _, action, _ in made[:-1])
        for number, (text, _, _) in enumerate(made):
            first = max(0, number - 4)
            history = [short("Ann" if n % 2 == 0 else "Ben", made[n][1]) for n in range(first, number)]
            me = "Ben" if number % 2 else "Ann"
            tail = [*history, f"Turn {number + 1} of 12. {me} answers in JSON."]
            assert text.split("\n")[-len(tail) :] == tail
            assert text.split("\n")[-len(tail) - 1].startswith("Goal: ")
            assert "The talk comes after a late train.\nYou are " in text


def test_a_drill_is_a_goal_a_line_and_an_answer_that_repeats_a_part_of_them() -> None:
    rng, kinds = Random(5), set()
    for _ in range(200):
        text, said = drill(rng)
        goal, offered = text.split("\n")
        assert goal.startswith("Goal: You want ")
        (offer,) = hear(offered)
        want = read_goal(goal.removeprefix("Goal: "))
        assert offer.kind == "propose" and {want.wish, want.middle, offer.about} <= PHRASES
        assert len({want.wish, want.middle, offer.about}) == 3
        action = Action.model_validate_json(said)
        assert action.as_json() == said and action.action_type == "speak"
        (act,) = hear(action.argument)
        told = {"propose": want.wish, "open": want.middle, "accept": offer.about, "reason": want.reason}
        assert act.about == told[act.kind]
        kinds.add(act.kind)
    assert kinds == {"propose", "open", "accept", "reason"}
    assert drill(Random(9)) == drill(Random(9))


# -- tokens and batches ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> Any:
    """A tokenizer built by the recipe from a few drills."""
    rng = Random(1)
    return build_tokenizer(["\n".join(drill(rng)) for _ in range(60)], 400)


def test_the_tokenizer_keeps_every_text_and_knows_the_marks_of_a_chat(small: Any) -> None:
    assert small.convert_ids_to_tokens(range(len(SPECIALS))) == list(SPECIALS)
    assert len(small) <= 400
    assert (small.eos_token, small.pad_token) == ("<|im_end|>", "<pad>")
    for text in ("How about $70?", 'Käse 茶\n{"a": "…"}', "  two  spaces "):
        assert small.decode(small(text, add_special_tokens=False)["input_ids"]) == text


def test_a_row_is_prompt_and_answer_with_the_place_where_the_answer_starts(small: Any) -> None:
    made = [drill(Random(seed)) for seed in range(5)]
    for (text, said), (ids, start) in zip(made, encode(small, made), strict=True):
        assert small.decode(ids[:start]) == f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
        assert small.decode(ids[start:]) == f"{said}<|im_end|>"
        assert ids[-1] == small.eos_token_id and small.pad_token_id not in ids


def test_batches_are_full_of_a_like_length_and_use_no_row_twice() -> None:
    rng = Random(3)
    rows = [([number] * rng.randint(5, 300), 0) for number in range(330)]
    made = list(batches(rows, 4, Random(1)))
    assert {len(batch) for batch in made} == {4}
    used = [ids[0] for batch in made for ids, _ in batch]
    assert len(set(used)) == len(used) == 328  # 128 and 128 and 72 of the last 74
    assert sum(max(len(ids) for ids, _ in batch) - min(len(ids) for ids, _ in batch) for batch in made) / len(made) < 25
    longest = [max(len(ids) for ids, _ in batch) for batch in made]
    assert longest != sorted(longest)
    assert list(batches(rows, 4, Random(1))) == made


def test_too_few_rows_make_no_batch() -> None:
    assert list(batches([([1], 0)] * 3, 4, Random(0))) == []
    assert len(list(batches([([1], 0)] * 4, 4, Random(0)))) == 1


def test_drills_come_before_talk_in_as_many_steps_as_asked(small: Any) -> None:
    made = list(lessons(small, (2, 3), 4, Random(1)))
    assert [(lesson, len(rows)) for lesson, rows in made] == [("drills", 8)] * 2 + [("talk", 4)] * 3
    lengths = [[len(ids) for ids, _ in rows] for _, rows in made]
    assert max(map(max, lengths[:2])) < min(map(min, lengths[2:]))
    assert all(0 < start < len(ids) for _, rows in made for ids, start in rows)


def defaults(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `make pocket` trains with."""
    called: list[dict[str, Any]] = []
    with monkeypatch.context() as patch:
        patch.setattr(pocket, "train", lambda **options: called.append(options))
        patch.setattr(sys, "argv", ["pocket"])
        pocket.main()
    return called[0]


def test_the_command_gives_the_recipe_all_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    options = defaults(monkeypatch)
    assert set(options) == set(signature(pocket.train).parameters)
    assert options["out"] == Path("resources/pocket")


# -- the shipped checkpoint --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> Iterator[tuple[Any, Any]]:
    """The shipped tokenizer and model."""
    if not (FOLDER / "model.safetensors").exists():
        pytest.skip("resources/pocket has no model.safetensors: it is being rebuilt, or `make pocket` was never run")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster at this size, and the same on every machine
    yield AutoTokenizer.from_pretrained(FOLDER), AutoModelForCausalLM.from_pretrained(FOLDER).eval()
    torch.set_num_threads(threads)


def answered(shipped: tuple[Any, Any], text: str) -> str:
    """The model's answer under greedy decoding, without the end mark."""
    import torch

    tokenizer, model = shipped
    messages: list[Message] = [{"role": "user", "content": text}]
    asked_for = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.inference_mode():
        ids = model.generate(**asked_for, do_sample=False, max_new_tokens=64)[0, asked_for["input_ids"].shape[1] :]
    assert ids[-1].item() == tokenizer.eos_token_id, "the answer does not end"
    said: str = tokenizer.decode(ids[:-1])
    return said


def test_the_checkpoint_is_small_and_of_the_present_recipe(
    shipped: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, model = shipped
    assert 500_000 < model.num_parameters() < 1_200_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 6 * 2**20
    assert len(tokenizer) == model.config.vocab_size == defaults(monkeypatch)["vocabulary"]
    wanted = pocket.build_model(tokenizer).config.to_dict()
    found = model.config.to_dict()
    for key in ("dtype", "_name_or_path", "architectures", "transformers_version"):
        wanted.pop(key, None)
        found.pop(key, None)
    assert found == wanted, "resources/pocket is of another recipe: run `make pocket`"


def test_its_weights_are_numbers(shipped: tuple[Any, Any]) -> None:
    import torch

    assert all(torch.isfinite(weight).all() for weight in shipped[1].parameters())


def test_its_tokenizer_is_the_recipes(shipped: tuple[Any, Any]) -> None:
    tokenizer, model = shipped
    assert tokenizer.convert_ids_to_tokens(range(len(SPECIALS))) == list(SPECIALS)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<pad>")
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


def test_the_chat_template_renders_what_was_trained_on(shipped: tuple[Any, Any]) -> None:
    tokenizer = shipped[0]
    for text, said in pocket.examples(12, 5, WORDS):
        user = {"role": "user", "content": text}
        ((ids, start),) = encode(tokenizer, [(text, said)])
        prompt = tokenizer.apply_chat_template([user], add_generation_prompt=True, return_dict=True)["input_ids"]
        assert prompt == ids[:start]
        whole = [user, {"role": "assistant", "content": said}]
        full = tokenizer.apply_chat_template(whole, return_dict=True, return_assistant_tokens_mask=True)
        assert tokenizer.decode(full["input_ids"]) == tokenizer.decode(ids) + "\n"
        masked = [one for one, mine in zip(full["input_ids"], full["assistant_masks"], strict=True) if mine]
        assert masked == ids[start:]


def test_every_prompt_of_training_fits_into_its_context(shipped: tuple[Any, Any]) -> None:
    tokenizer, model = shipped
    longest = max(len(ids) for ids, _ in encode(tokenizer, pocket.examples(400, 5, WORDS)))
    assert longest < model.config.max_position_embeddings


def test_it_answers_prompts_with_valid_actions(shipped: tuple[Any, Any]) -> None:
    for text, _ in pocket.examples(10, 77, WORDS):
        action = Action.model_validate_json(answered(shipped, text))
        assert fault_in(action) is None
        assert action.as_json() == json.dumps(action.model_dump(), ensure_ascii=False)


def test_it_answers_people_and_words_that_it_never_met(shipped: tuple[Any, Any]) -> None:
    action = Action.model_validate_json(answered(shipped, asked(drafted("sale", 3), (), 0)))
    assert fault_in(action) is None


def test_greedy_answers_are_the_same_every_time(shipped: tuple[Any, Any]) -> None:
    text = pocket.examples(1, 3, WORDS)[0][0]
    assert answered(shipped, text) == answered(shipped, text)


def test_it_repeats_terms_of_its_prompt_as_it_was_drilled_to(shipped: tuple[Any, Any]) -> None:
    """What it is about is read from the prompt more often than not: without that, nothing could be learned from it."""
    found = []
    for seed in range(12):
        text = asked(drafted(("sale", "share", "plan", "favour")[seed % 4], seed), (), 0)
        action = Action.model_validate_json(answered(shipped, text))
        found += [act.about in text for act in hear(action.argument) if act.kind in ("propose", "open")]
    assert sum(found) > len(found) / 2
