"""The knowledge test: questions that can be trusted, MMLU's prompt, and lm-eval's answers as data."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from parley.config import Knowledge
from parley.errors import ParleyError
from parley.evaluation.knowledge import gap, measure, ways
from parley.evaluation.letters import first_letter, guess
from parley.evaluation.questions import Question, Quiz, read_questions, read_test
from parley.evaluation.statistics import paired_difference
from parley.world.prompts import Prompt
from tests.builders import PROMPTS
from tests.test_mmlu import published
from tests.tiny import tiny_model

QUESTIONS = Path(__file__).parents[1] / "resources" / "knowledge"
Write = Callable[..., Knowledge]


def question(number: int, subject: str = "sums", category: str = "stem", **changes: Any) -> dict[str, Any]:
    fields = {"category": category, "subject": subject, "question": f"What is {number} + {number}?"}
    return {**fields, "choices": [str(2 * number + step) for step in range(4)], "answer": number % 4, **changes}


TEST = [*(question(n) for n in range(6)), *(question(n, "kings", "humanities") for n in range(10, 14))]
DEV = [
    question(20, "other_sums"),
    question(21),
    question(22),
    question(23, "kings", "humanities"),
    question(24, "popes", "humanities"),
]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the two files and gives the settings that name them."""

    def write(test: list[dict[str, Any]] = TEST, dev: list[dict[str, Any]] = DEV, shots: int = 2) -> Knowledge:
        for name, rows in (("test", test), ("dev", dev)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) or "\n")
        return Knowledge(test=str(tmp_path / "test.jsonl"), dev=str(tmp_path / "dev.jsonl"), shots=shots)

    return write


# -- questions -------------------------------------------------------------------------------------------------------


def test_the_projects_own_questions_are_sound() -> None:
    settings = Knowledge(test=str(QUESTIONS / "test.jsonl"), dev=str(QUESTIONS / "dev.jsonl"))
    test, dev = read_questions(settings)
    assert len(test) >= 80
    assert {one.category for one in test} == {"stem", "humanities", "social_sciences", "other"}
    right = [sum(one.answer == place for one in [*test, *dev]) / (len(test) + len(dev)) for place in range(4)]
    assert max(right) < 0.35, "always choosing one letter must not look like knowledge"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"choices": ["1", "2", "3"]}, "choices"),
        ({"choices": ["1", "2", "3", "3"]}, "the whole: two choices are the same"),
        ({"answer": 4}, "answer: Input should be less than or equal to 3"),
        ({"category": "cooking"}, "category: Input should be"),
        ({"subject": "High Kings"}, "subject: "),
        ({"hint": "two"}, "hint: Extra inputs"),
    ],
)
def test_a_broken_question_is_named_by_file_and_line(write: Write, change: dict[str, Any], fault: str) -> None:
    settings = write(test=[TEST[0], {**TEST[1], **change}])
    with pytest.raises(ParleyError, match=rf"test\.jsonl:2: not a question \({fault}"):
        read_questions(settings)


def test_a_question_asked_twice_is_an_error(write: Write) -> None:
    with pytest.raises(ParleyError, match=r"asks 'What is 0 \+ 0\?' twice"):
        read_questions(write(test=[TEST[0], {**TEST[0], "answer": 2}]))


def test_a_shown_question_is_never_asked(write: Write) -> None:
    with pytest.raises(ParleyError, match=r"dev\.jsonl: shows the answer to the test question 'What is 21 \+ 21\?'"):
        read_questions(write(test=[question(21, "kings", "humanities")]))


def test_a_subject_has_one_category(write: Write) -> None:
    with pytest.raises(ParleyError, match="the subject 'sums' is in two categories"):
        read_questions(write(test=[TEST[0], question(9, "sums", "other")]))


def test_an_empty_test_is_an_error(write: Write) -> None:
    folder = write(test=[])
    for text, fault in (("", "not whole"), ("\n", "has no question")):
        Path(folder.test).write_text(text)
        with pytest.raises(ParleyError, match=fault):
            read_questions(folder)


def test_too_few_questions_to_show_are_an_error_before_anything_is_loaded(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="3 shots need as many questions on humanities, there are 2"):
        measure(tmp_path / "nothing", None, write(shots=3))


def test_a_folder_without_a_model_is_an_error_that_names_it(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match="nothing: is not a checkpoint"):
        measure(tmp_path / "nothing", None, write())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ParleyError, match="nothing: is not a PEFT adapter"):
        measure(tmp_path, tmp_path / "nothing", write())


# -- the test itself -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LoRA adapter, not the zero one that training starts from."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(
        r=4, lora_alpha=256, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    folder = tmp_path_factory.mktemp("adapter")
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def likeliest(base: Path, prompt: str) -> str:
    """The letter that the model finds likeliest after `prompt`, computed without lm-eval."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base).eval()

    def likelihood(letter: str) -> float:
        start, whole = (tokenizer(text, return_tensors="pt").input_ids for text in (prompt, f"{prompt} {letter}"))
        with torch.no_grad():
            chances = model(whole).logits[0, :-1].log_softmax(-1)
        return float(sum(chances[place - 1, whole[0, place]] for place in range(start.shape[1], whole.shape[1])))

    return max("ABCD", key=likelihood)


@pytest.mark.slow
def test_answers_are_the_likeliest_letters_after_mmlus_prompt(base: Path, write: Write) -> None:
    found = measure(base, None, write(), device="cpu")
    shown = (
        "The following are multiple choice questions (with answers) about sums.\n\n"
        "What is 21 + 21?\nA. 42\nB. 43\nC. 44\nD. 45\nAnswer: B\n\n"
        "What is 22 + 22?\nA. 44\nB. 45\nC. 46\nD. 47\nAnswer: C\n\n"
    )
    asked = [
        f"{shown}What is {n} + {n}?\nA. {2 * n}\nB. {2 * n + 1}\nC. {2 * n + 2}\nD. {2 * n + 3}\nAnswer:"
        for n in range(6)
    ]
    assert [answer["chosen"] for answer in found["answers"][:6]] == [likeliest(base, prompt) for prompt in asked]
    assert [answer["question"] for answer in found["answers"]] == [Question(**row).id for row in TEST]
    for answer, row in zip(found["answers"], TEST, strict=True):
        assert answer["right"] == (answer["chosen"] == "ABCD"[row["answer"]])
        assert answer["subject"] == row["subject"]
    right = [answer["right"] for answer in found["answers"]]
    assert found["overall"]["acc"] == sum(right) / 10
    assert [(name, part["acc"], part["n"]) for name, part in found["categories"].items()] == [
        ("stem", sum(right[:6]) / 6, 6),
        ("humanities", sum(right[6:]) / 4, 4),
    ]
    assert found["overall"]["low"] <= found["overall"]["acc"] <= found["overall"]["high"]
    assert sum(found["letters"].values()) == 10
    assert (found["chance"], found["shots"], found["truncated"]) == (0.25, 2, 0)
    assert (found["lm_eval"], found["device"]) == (__import__("lm_eval").__version__, "cpu")


@pytest.mark.slow
def test_the_same_test_gives_the_same_file_whatever_the_batch(base: Path, write: Write) -> None:
    first, again = (measure(base, None, write(), device="cpu", batch_size=size) for size in (8, 3))
    assert json.dumps(first, allow_nan=False) == json.dumps(again)
    other = measure(base, None, write(test=TEST[:5]), device="cpu")
    assert (other["test_sha256"] != first["test_sha256"], other["dev_sha256"] == first["dev_sha256"]) == (True, True)


@pytest.mark.slow
def test_an_adapter_changes_answers_and_is_compared_question_by_question(
    base: Path, adapter: Path, write: Write
) -> None:
    plain, adapted = (measure(base, folder, write(), device="cpu") for folder in (None, adapter))
    assert [a["chosen"] for a in plain["answers"]] != [a["chosen"] for a in adapted["answers"]]
    right = [[float(answer["right"]) for answer in one["answers"]] for one in (adapted, plain)]
    expected, found = paired_difference(right[0], right[1], range(10)), gap(adapted, plain)
    assert (found["mean"], found["se"], found["n"]) == (expected.mean, expected.se, expected.n)
    assert found["low"] <= found["mean"] <= found["high"]
    with pytest.raises(ParleyError, match="on different questions"):
        gap(adapted, {**plain, "answers": plain["answers"][1:]})


@pytest.mark.slow
def test_prompts_that_do_not_fit_are_counted(base: Path, write: Write) -> None:
    long = question(5, question="Is this long? " * 60)
    found = measure(base, None, write(test=[TEST[0], long, TEST[1]]), device="cpu")
    assert found["truncated"] == 1
    assert found["overall"]["n"] == 3


@pytest.mark.slow
def test_without_shots_only_the_question_is_asked(base: Path, write: Write) -> None:
    found = measure(base, None, write(test=TEST[:2], dev=[], shots=0), device="cpu")
    prompt = (
        "The following are multiple choice questions (with answers) about sums.\n\n"
        "What is 1 + 1?\nA. 2\nB. 3\nC. 4\nD. 5\nAnswer:"
    )
    assert found["answers"][1]["chosen"] == likeliest(base, prompt)


# -- MMLU, and free answers ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mmlu_is_lm_eval_s_stock_group_on_the_same_files(base: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """lm-eval itself, asked for its own tasks with the folder where it looks for the dataset, says the same."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    folder = published(tmp_path / "cais" / "mmlu")
    subjects = sorted(path.name for path in folder.iterdir())
    configs = [
        {"config_name": subject, "data_files": [
            {"split": split, "path": f"{subject}/{split}-*.parquet"} for split in ("test", "dev")
        ]} for subject in subjects
    ]  # fmt: skip
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    found = measure(base, None, Knowledge(source="mmlu", path=str(folder), shots=3), device="cpu")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    own = Path(lm_eval.__file__).parent / "tasks/mmlu/default"
    stock = lm_eval.simple_evaluate(
        model=HFLM(pretrained=str(base), device="cpu", dtype="float32", batch_size=8),
        tasks=[f"mmlu_{subject}" for subject in subjects],
        num_fewshot=3,
        task_manager=TaskManager(include_path=str(own), include_defaults=False),
        bootstrap_iters=0,
        log_samples=True,
    )
    assert stock is not None
    for subject in subjects:
        samples = sorted(stock["samples"][f"mmlu_{subject}"], key=lambda sample: sample["doc_id"])
        mine = [answer["right"] for answer in found["answers"] if answer["subject"] == subject]
        assert mine == [sample["acc"] == 1.0 for sample in samples]
        assert found["subjects"][subject]["acc"] == stock["results"][f"mmlu_{subject}"]["acc,none"]
    assert (found["source"], len(found["missing_subjects"]), found["overall"]["n"]) == ("mmlu", 54, 18)
    assert found["overall"]["clustered"]["clusters"] == 3


@pytest.mark.slow
def test_free_answers_are_kept_and_guessed_where_they_have_no_letter(base: Path, write: Write) -> None:
    settings = write().model_copy(update={"way": "both", "tokens": 6})
    template = Prompt(PROMPTS / "knowledge.jinja")
    found = measure(base, None, settings, template, seed=1, device="cpu")
    words = ways(found)["generation"]
    assert [*ways(found)] == ["likelihood", "generation"] and "guessed" not in found
    test = read_test(settings)
    for answer, item in zip(words["answers"], test.asked, strict=True):
        letter = first_letter(answer["reply"])
        assert answer["guessed"] is (letter is None)
        assert answer["chosen"] == (letter or guess(item, 1))
        assert answer["right"] is (answer["chosen"] == "ABCD"[item.answer])
    assert words["guessed"] == sum(answer["guessed"] for answer in words["answers"])
    assert words["answers"][0]["reply"] == written(base, test, template, 6)
    alone = measure(base, None, settings.model_copy(update={"way": "generation"}), template, device="cpu")
    assert (alone["way"], alone["answers"]) == ("generation", words["answers"]) and "also" not in alone


def written(base: Path, test: Quiz, template: Prompt, tokens: int) -> str:
    """What the model writes to the first question through its chat template, without lm-eval."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    first = test.asked[0]
    text = template.render(
        subject=first.subject, shots=test.shown[first.subject], question=first.question, choices=first.choices
    )
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base).eval()
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(chat, return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        out = model.generate(ids, max_new_tokens=tokens, do_sample=False)[0, ids.shape[1] :]
    return str(tokenizer.decode(out, skip_special_tokens=True)).split("<|im_end|>")[0]


def test_the_prompt_for_free_answers_shows_answered_questions_and_ends_with_the_one_that_is_asked(write: Write) -> None:
    test = read_test(write())
    one = test.asked[0]
    text = Prompt(PROMPTS / "knowledge.jinja").render(
        subject="sums", shots=test.shown["sums"], question=one.question, choices=one.choices
    )
    assert text.startswith("Answer the last of these multiple-choice questions about sums.")
    assert "Question: What is 21 + 21?\nA. 42\nB. 43\nC. 44\nD. 45\nAnswer: B\n" in text
    assert text.endswith("Question: What is 0 + 0?\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer:")


@pytest.mark.parametrize("change", [{"path": "somewhere"}, {"revision": "main"}])
def test_where_mmlu_is_is_asked_for_mmlu_alone(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="`path` and `revision` are those of MMLU; write `source: mmlu`"):
        Knowledge.model_validate(change)
    assert Knowledge.model_validate({**change, "source": "mmlu"}).source == "mmlu"
