"""Training: the loss is on the answers, nothing is cut, the same input gives the same bytes, and PEFT can load it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from parley.config import Training
from parley.errors import ParleyError
from parley.learning.order import WINDOW, training_order
from parley.learning.tokens import IGNORED, encode
from parley.learning.training import TrainingSummary, train
from parley.records.message import Message
from parley.records.sample import SCHEMA
from tests.builders import ROOT
from tests.tiny import CHATML, tiny_model, tiny_tokenizer

SETTINGS = Training(epochs=2, batch_size=4, learning_rate=5e-2, max_length=128, rank=2, alpha=4)
ADAPTER = "adapter_model.safetensors"


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def write_samples(folder: Path, prompts: list[str], answers: list[str]) -> Path:
    rows = [
        {
            "prompt": user(prompt),
            "completion": assistant(answer),
            "episode": "e",
            "task": "t",
            "seat": 0,
            "turn": number,
        }
        for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
    ]
    folder.mkdir(parents=True)
    pl.DataFrame(rows, schema=SCHEMA).write_parquet(folder / "train.parquet")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def base(home: Path) -> Path:
    return tiny_model(home / "base")


@pytest.fixture(scope="module")
def data(home: Path) -> Path:
    prompts = [f"Turn {number}. {'word ' * (number % 5)}" for number in range(12)]
    return write_samples(home / "data", prompts, [f'{{"argument": "yes {number % 2}"}}' for number in range(12)])


@pytest.fixture(scope="module")
def first(home: Path, base: Path, data: Path) -> tuple[Path, TrainingSummary]:
    """An adapter that several tests look at."""
    return home / "first", train(base, None, data, SETTINGS, home / "first")


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_the_prompt_is_tokenised_as_the_chat_template_renders_it_for_play() -> None:
    tokenizer = tiny_tokenizer()
    system: Message = {"role": "system", "content": "Be kind."}
    prompts = [user("Grüße, 你好\nGoal: {x}"), [system, *user("Hi")]]
    for prompt, sample in zip(prompts, encode(tokenizer, prompts, [assistant("a"), assistant("b")]), strict=True):
        served = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True)["input_ids"]
        assert sample.ids[: sample.prompt] == served


def test_the_labels_are_the_answer_with_its_end_mark_and_nothing_else() -> None:
    tokenizer = tiny_tokenizer()
    (sample,) = encode(tokenizer, [user("Say yes.")], [assistant('{"argument": "yes"}')])
    assert len(sample.labels) == len(sample.ids)
    assert sample.labels[: sample.prompt] == [IGNORED] * sample.prompt
    learned = [label for label in sample.labels if label != IGNORED]
    assert tokenizer.decode(learned) == '{"argument": "yes"}<|im_end|>'  # without the template's line break after it


def test_an_end_mark_is_added_where_the_template_writes_none() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}[{{ message.content }}]{% endfor %}"
    (sample,) = encode(tokenizer, [user("q")], [assistant("a")])
    assert tokenizer.decode(sample.ids) == "[q][a]<|im_end|>"


def test_a_token_that_would_span_the_border_does_not_change_the_prompt() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    joined = tokenizer("user", add_special_tokens=False)["input_ids"]
    assert len(joined) < len(tokenizer("us")["input_ids"]) + len(tokenizer("er")["input_ids"])  # "user" merges
    (sample,) = encode(tokenizer, [user("us")], [assistant("er")])
    assert sample.ids[: sample.prompt] == tokenizer("us", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(sample.ids) == "user<|im_end|>"


def test_a_template_that_rewrites_the_prompt_is_an_error() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ messages | length }}" + CHATML
    with pytest.raises(ParleyError, match="its chat template writes a prompt differently once the answer follows"):
        encode(tokenizer, [user("q")], [assistant("a")])


def test_a_tokenizer_without_a_template_is_an_error() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(ParleyError, match="has no chat template"):
        encode(tokenizer, [user("q")], [assistant("a")])


# -- order -------------------------------------------------------------------------------------------------------------

LENGTHS = random.Random(0).choices(range(10, 200), k=1000)


@pytest.mark.parametrize(("epochs", "least", "most", "total"), [(1, 1, 1, 1000), (3, 3, 3, 3000), (1.25, 1, 2, 1250)])
def test_every_epoch_holds_every_sample_once(epochs: float, least: int, most: int, total: int) -> None:
    counts = Counter(training_order(LENGTHS, 16, epochs, 1))
    assert len(counts) == 1000 and sum(counts.values()) == total
    assert set(counts.values()) <= set(range(least, most + 1))


def test_a_part_of_an_epoch_is_at_least_one_sample() -> None:
    assert len(training_order(LENGTHS, 16, 0.25, 1)) == 250
    assert len(training_order([5, 5], 16, 0.01, 1)) == 1


def test_batches_hold_samples_of_like_length_and_come_in_no_order_of_length() -> None:
    order = training_order(LENGTHS, 16, 1, 1)
    batches = [[LENGTHS[index] for index in order[start : start + 16]] for start in range(0, len(order), 16)]
    padded = sum(len(batch) * max(batch) for batch in batches)
    assert padded < 1.1 * sum(LENGTHS)  # shuffled without grouping it is about 1.8
    means = [sum(batch) / len(batch) for batch in batches[:WINDOW]]
    assert means not in (sorted(means), sorted(means, reverse=True))


def test_the_order_depends_on_the_seed_alone() -> None:
    assert training_order(LENGTHS, 16, 2, 1) == training_order(LENGTHS, 16, 2, 1)
    assert training_order(LENGTHS, 16, 2, 1) != training_order(LENGTHS, 16, 2, 2)


# -- training ----------------------------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(
    first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path
) -> None:
    folder, summary = first
    assert train(base, None, data, SETTINGS, tmp_path / "first") == summary
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["README.md", "adapter_config.json", ADAPTER, "manifest.json", "training_log.jsonl"]
    assert [(tmp_path / "first" / name).read_bytes() for name in names] == [(folder / n).read_bytes() for n in names]


def test_another_seed_gives_another_adapter(
    first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path
) -> None:
    other = train(base, None, data, SETTINGS.model_copy(update={"seed": 2}), tmp_path / "other")
    assert other.adapter != first[1].adapter


def test_a_longer_schedule_is_followed_as_far_as_the_training_goes(base: Path, data: Path, tmp_path: Path) -> None:
    rates = {}
    for name, changes in (
        ("whole", {"epochs": 4}),
        ("part", {"epochs": 2, "schedule_epochs": 4}),
        ("short", {"epochs": 2}),
    ):
        settings = SETTINGS.model_copy(update=changes)
        train(base, None, data, settings, tmp_path / name)
        log = (tmp_path / name / "training_log.jsonl").read_text(encoding="utf-8").splitlines()
        rates[name] = [json.loads(line)["learning_rate"] for line in log]
    assert rates["part"] == rates["whole"][: len(rates["part"])]
    assert rates["part"][-1] > 5 * rates["short"][-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_base_in_four_bits_needs_a_gpu(base: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"training.quantization: nf4 needs a CUDA GPU and bitsandbytes"):
        train(base, None, data, SETTINGS.model_copy(update={"quantization": "nf4"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_training_lowers_the_loss_and_counts_what_it_did(first: tuple[Path, TrainingSummary], data: Path) -> None:
    summary = first[1]
    assert summary.last_loss < summary.first_loss - 0.1
    assert (summary.samples, summary.too_long, summary.steps) == (12, 0, 6)  # 2 epochs of 12 samples by 4
    tokenizer = tiny_tokenizer()
    table = pl.read_parquet(data / "train.parquet")
    answers = tokenizer([row[0]["content"] + "<|im_end|>" for row in table["completion"].to_list()])["input_ids"]
    assert summary.answer_tokens == sum(len(ids) for ids in answers)


def test_the_first_loss_is_that_of_the_base_on_the_answers_alone(base: Path, tmp_path: Path) -> None:
    """Computed here by hand: mean negative log-likelihood over answer tokens, the prompt left out."""
    import torch
    from transformers import AutoModelForCausalLM

    data = write_samples(tmp_path / "data", ["Hello", "A longer question?"], ["yes", "no, never"])
    summary = train(base, None, data, SETTINGS, tmp_path / "out")
    model, total, count = AutoModelForCausalLM.from_pretrained(base), 0.0, 0
    samples = encode(
        tiny_tokenizer(), [user("Hello"), user("A longer question?")], [assistant("yes"), assistant("no, never")]
    )
    for sample in samples:
        with torch.no_grad():
            scores = model(torch.tensor([sample.ids])).logits[0].log_softmax(-1)
        for position in range(sample.prompt, len(sample.ids)):
            total -= float(scores[position - 1, sample.ids[position]])
            count += 1
    assert summary.first_loss == pytest.approx(total / count, abs=1e-4)


def test_peft_loads_the_adapter_and_it_changes_the_answers(first: tuple[Path, TrainingSummary], base: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([encode(tiny_tokenizer(), [user("Turn 1. ")], [assistant('{"argument": "yes 1"}')])[0].ids])
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        before = float(model(ids, labels=ids).loss)
        after = float(PeftModel.from_pretrained(model, str(first[0]))(input_ids=ids, labels=ids).loss)
    assert after < before


def test_a_parent_is_trained_on(first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path) -> None:
    summary = train(base, first[0], data, SETTINGS.model_copy(update={"learning_rate": 1e-2}), tmp_path / "second")
    assert summary.parent == first[1].adapter != summary.adapter
    # The first step starts where the parent stopped, not at the base.
    assert summary.first_loss == pytest.approx(first[1].last_loss, abs=0.1)
    assert summary.last_loss < first[1].last_loss


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 4}, "training.rank: 4 is asked for, but the parent's adapter has 2; give both the same"),
        ({"alpha": 8.0}, "training.alpha: 8.0 is asked for, but the parent's adapter has 4"),
        ({"target_modules": ("q_proj",)}, r"training.target_modules: \['q_proj'\] is asked for"),
    ],
)
def test_a_parent_of_another_size_is_an_error(
    first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParleyError, match=message):
        train(base, first[0], data, SETTINGS.model_copy(update=change), tmp_path / "out")


def test_samples_that_are_too_long_are_left_out_and_counted(base: Path, tmp_path: Path) -> None:
    data = write_samples(tmp_path / "data", ["short", "long " * 200, "x"], ["yes"] * 3)
    kept = write_samples(tmp_path / "kept", ["short", "x"], ["yes"] * 2)
    summary = train(base, None, data, SETTINGS, tmp_path / "out")
    assert (summary.samples, summary.too_long) == (2, 1)
    assert summary.adapter == train(base, None, kept, SETTINGS, tmp_path / "only").adapter


def test_the_models_own_context_is_a_limit_too(base: Path, tmp_path: Path) -> None:
    data = write_samples(tmp_path / "data", ["short", "n" * 600], ["yes"] * 2)
    wide = SETTINGS.model_copy(update={"max_length": 4096})
    assert train(base, None, data, wide, tmp_path / "out").too_long == 1  # more than the 512 of the tiny model


def test_a_dataset_of_nothing_but_long_samples_is_an_error(base: Path, tmp_path: Path) -> None:
    data = write_samples(tmp_path / "data", ["long " * 200], ["yes"])
    with pytest.raises(ParleyError, match=r"all 1 samples are longer than 128 tokens \(the shortest has \d+\); raise"):
        train(base, None, data, SETTINGS, tmp_path / "out")


def test_an_empty_dataset_is_an_error_with_a_remedy(base: Path, tmp_path: Path) -> None:
    data = write_samples(tmp_path / "data", [], [])
    with pytest.raises(ParleyError, match="no samples to learn from; keep more in `selection`"):
        train(base, None, data, SETTINGS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_named(base: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ParleyError, match=r"nowhere/train.parquet: no such dataset; build it first"):
        train(base, None, tmp_path / "nowhere", SETTINGS, out)
    with pytest.raises(ParleyError, match="nowhere: no checkpoint"):
        train(tmp_path / "nowhere", None, data, SETTINGS, out)
    with pytest.raises(ParleyError, match="nowhere: no adapter"):
        train(base, tmp_path / "nowhere", data, SETTINGS, out)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "train.parquet").write_text("no parquet")
    with pytest.raises(ParleyError, match=r"broken/train.parquet: not a dataset"):
        train(base, None, tmp_path / "broken", SETTINGS, out)


def test_a_loss_that_is_no_number_ends_the_training(base: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ParleyError, match=r"the loss is (nan|inf) at step \d; lower training.learning_rate"):
        train(base, None, data, SETTINGS.model_copy(update={"learning_rate": 1e30}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_progress_and_the_live_log_tell_each_step(base: Path, data: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, float]] = []
    log = tmp_path / "logs" / "bc.jsonl"
    summary = train(
        base, None, data, SETTINGS, tmp_path / "out", log, lambda step, steps, loss: seen.append((step, steps, loss))
    )
    assert [(step, steps) for step, steps, _ in seen] == [(number, 6) for number in range(1, 7)]
    assert seen[-1][2] == summary.last_loss
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    kept = [json.loads(line) for line in (tmp_path / "out" / "training_log.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines] == [line["loss"] for line in kept] == [loss for *_, loss in seen]
    assert [line["epoch"] for line in kept] == [0.3333, 0.6667, 1.0, 1.3333, 1.6667, 2.0]
    assert set(kept[0]) == {"step", "epoch", "loss", "accuracy", "learning_rate", "tokens"}


def stop_at(step: int) -> Callable[[int, int, float], None]:
    def progress(now: int, steps: int, loss: float) -> None:
        if now == step:
            raise InterruptedError("killed")

    return progress


def test_an_interrupted_training_goes_on_and_ends_with_the_same_bytes(
    first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path
) -> None:
    state, out = tmp_path / "state", tmp_path / "first"
    with pytest.raises(InterruptedError):
        train(base, None, data, SETTINGS, out, on_progress=stop_at(4), checkpoints=state, save_every=0)
    assert not out.exists()
    steps: list[int] = []
    train(base, None, data, SETTINGS, out, on_progress=lambda step, *_: steps.append(step), checkpoints=state)
    assert steps == [4, 5, 6]
    names = [path.name for path in first[0].iterdir()]
    assert [(out / name).read_bytes() for name in names] == [(first[0] / name).read_bytes() for name in names]
    assert list(state.iterdir()) == []


#: A training with pauses, so that it can be hit at any moment of its life.
KILLED = """
import json, sys, time
from pathlib import Path
from parley.config import Training
from parley.learning.training import train
base, data, out, log, state, settings = sys.argv[1:]
def pause(step, *_):
    time.sleep(0.2)
settings = Training.model_validate_json(settings)
train(Path(base), None, Path(data), settings, Path(out), Path(log), pause, checkpoints=Path(state), save_every=0)
"""


def test_a_training_that_is_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(
    first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path
) -> None:
    state, out, log = tmp_path / "state", tmp_path / "first", tmp_path / "log.jsonl"
    moment = random.SystemRandom().uniform(1.0, 4.5)  # steps, and a part of one
    words = [*map(str, (base, data, out, log, state)), SETTINGS.model_dump_json()]
    with subprocess.Popen([sys.executable, "-c", KILLED, *words], cwd=ROOT) as process:
        while not log.exists() or len(log.read_text().splitlines()) < int(moment):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2 * (moment % 1))
        process.kill()
    assert not out.exists(), moment
    steps: list[int] = []
    train(base, None, data, SETTINGS, out, on_progress=lambda step, *_: steps.append(step), checkpoints=state)
    assert steps[-1] == 6 and int(moment) <= steps[0] <= int(moment) + 2, (moment, steps)
    names = [path.name for path in first[0].iterdir()]
    assert [(out / name).read_bytes() for name in names] == [(first[0] / name).read_bytes() for name in names], moment


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_training_that_is_asked_to_stop_saves_first_and_loses_no_step(
    first: tuple[Path, TrainingSummary], base: Path, data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    state, out = tmp_path / "state", tmp_path / "first"
    steps: list[int] = []

    def asked(step: int, *_: object) -> None:
        steps.append(step)
        if step == 3:
            for _ in range(2):  # a cluster may say it twice
                os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        train(base, None, data, SETTINGS, out, on_progress=asked, checkpoints=state)
    assert not out.exists() and steps[-1] in (3, 4)
    train(base, None, data, SETTINGS, out, on_progress=lambda step, *_: steps.append(step), checkpoints=state)
    assert steps == [1, 2, 3, 4, 5, 6]  # none is done twice
    assert (out / ADAPTER).read_bytes() == (first[0] / ADAPTER).read_bytes()


@pytest.mark.parametrize(("where", "said"), [("_model", "for a base of"), ("training_step", "for 4 samples of up to")])
def test_a_training_that_runs_out_of_memory_says_what_to_change(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, said: str
) -> None:
    from parley.learning import sft

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")

    monkeypatch.setattr(sft if where == "_model" else sft._Trainer, where, full)
    with pytest.raises(ParleyError, match=f"not enough memory on .* {said}") as caught:
        train(base, None, data, SETTINGS, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    if where == "training_step":
        assert "set training.checkpointing: on, which costs time and changes nothing else; what" in str(caught.value)


def test_the_manifest_and_the_card_say_how_it_was_made(base: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bc"
    summary = train(base, None, data, SETTINGS, folder, note="**Simulated.** Learned from scripted talk.")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["adapter"] == summary.adapter and manifest["dataset"] == summary.dataset
    assert manifest["settings"]["batch_size"] == 4 and manifest["samples"] == 12
    assert set(manifest["files"]) == {"README.md", "adapter_config.json", ADAPTER, "training_log.jsonl"}
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nbase_model: base\n") and "# bc" in card
    assert card.index("Simulated") < card.index("A LoRA adapter for `base`")
    assert "| learning_rate | 0.05 |" in card


def test_nothing_written_names_a_folder_of_this_machine(first: tuple[Path, TrainingSummary], base: Path) -> None:
    for path in first[0].iterdir():
        assert str(base.parent).encode() not in path.read_bytes(), path.name
    assert json.loads((first[0] / "adapter_config.json").read_text())["base_model_name_or_path"] == "base"


def test_a_base_given_by_a_relative_path_keeps_it(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent.parent)
    relative = base.relative_to(base.parent.parent)
    train(relative, None, data, SETTINGS, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == relative.as_posix()
    assert config["target_modules"] == sorted(config["target_modules"])


@pytest.mark.parametrize(
    ("batch", "longest", "tokens", "part"),
    [(16, 100, 16_384, 16), (16, 4096, 16_384, 4), (12, 4096, 16_384, 4), (4, 9999, 8, 1)],
)
def test_a_batch_is_done_in_equal_parts_that_fit(batch: int, longest: int, tokens: int, part: int) -> None:
    from parley.learning.passage import micro_batch

    assert micro_batch(batch, longest, tokens) == part
