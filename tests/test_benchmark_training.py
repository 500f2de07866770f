"""The benchmark of training: what it counts is counted right, and its table comes from Parley's own training."""

import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, MistralConfig

from benchmarks import training
from benchmarks.flops import LINEAR, PEAKS, asked, peak, sizes
from benchmarks.training import SHAPES, Figures, checkpoint, compare, measure, recipes, row, samples, through
from parley.config import Training, load
from parley.learning.passage import Passage
from parley.learning.tokens import Encoded
from tests.builders import ROOT

SEVEN = MistralConfig()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("benchmark"), "tiny")


# -- arithmetic --------------------------------------------------------------------------------------------------------


def test_the_linear_maps_are_those_of_the_model(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    layer = model.model.layers[0]
    found = {
        name: (module.in_features, module.out_features)
        for path, module in layer.named_modules()
        if (name := path.rpartition(".")[2]) in LINEAR
    }
    assert found == sizes(model.config)


def test_seven_billion_weights_cost_four_operations_a_token_each() -> None:
    assert sum(inputs * outputs for inputs, outputs in sizes(SEVEN).values()) * 32 == 6_979_321_856
    sample = Encoded([1] * 1_000, 999)
    frozen = 4 * 6_979_321_856 * 1_000
    attention = 32 * 6 * 1_000**2 * 4_096
    head = 4 * 4_096 * 32_000
    assert asked(SEVEN, [sample], 0) == frozen + attention + head
    assert asked(SEVEN, [sample] * 3, 0) == 3 * asked(SEVEN, [sample], 0)


def test_an_adapter_costs_six_operations_a_weight_where_it_is() -> None:
    sample = Encoded([1] * 100, 99)
    plain = asked(SEVEN, [sample], 0)
    assert asked(SEVEN, [sample], 8, ("q_proj", "v_proj")) - plain == 6 * 100 * 32 * 8 * (2 * 4096 + 4096 + 1024)
    assert asked(SEVEN, [sample], 8) - plain == 6 * 100 * 20_971_520  # the weights of such an adapter by peft


def test_what_is_counted_is_what_torch_computes(base: Path) -> None:
    """Torch's own counter over a forward and a backward pass of a frozen base, where nothing but inputs is passed on."""
    from torch.utils.flop_counter import FlopCounterMode

    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
    model.requires_grad_(False)
    tokens = 64
    inputs = model.get_input_embeddings()(torch.arange(5, 5 + tokens)[None]).requires_grad_(True)
    with FlopCounterMode(display=False) as counter:
        model(inputs_embeds=inputs).logits.sum().backward()
    # Torch computes logits of every token and attention without the causal half.
    everything = asked(model.config, [Encoded([1] * tokens, 0)], 0)
    half = model.config.num_hidden_layers * 6 * tokens**2 * sizes(model.config)["q_proj"][1]
    assert counter.get_total_flops() == pytest.approx(everything + half, rel=0.01)


@pytest.mark.parametrize(
    ("card", "flops"),
    [
        ("NVIDIA H200", 989.5e12),
        ("NVIDIA H100 80GB HBM3", 989.5e12),
        ("NVIDIA H100 PCIe", 756.5e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("AMD EPYC", None),
    ],
)
def test_a_card_is_known_by_the_name_that_its_driver_gives(card: str, flops: float | None) -> None:
    assert peak(card) == flops
    assert all(peak(name) == value for name, value in PEAKS.items())


# -- samples and recipes -----------------------------------------------------------------------------------------------


def test_samples_have_the_lengths_of_turns() -> None:
    drawn = samples(800, 32_000)
    lengths = [len(sample.ids) for sample in drawn]
    assert 1_000 < sum(lengths) / len(lengths) < 1_200
    assert 300 < min(lengths) < 400 and 1_900 < max(lengths) < 3_000
    answers = [len(sample.ids) - sample.prompt for sample in drawn]
    assert 65 < sum(answers) / len(answers) < 80
    assert samples(50, 500) == samples(50, 500) and samples(50, 500) != samples(50, 500, seed=2)
    short = samples(500, 500, 1 / 8)
    assert all(0 < sample.prompt < len(sample.ids) for sample in short)
    assert 110 < sum(len(sample.ids) for sample in short) / 500 < 160


def test_the_papers_recipe_is_that_of_its_config() -> None:
    given = load(ROOT / "configs/paper.yaml").policies["bc"].training
    recipe = recipes(gpu=True, attention="sdpa", longest=2_000)["paper"]
    kept = ("batch_size", "quantization", "rank", "alpha", "dropout", "target_modules", "learning_rate")
    assert {name: getattr(recipe.settings, name) for name in kept} == {name: getattr(given, name) for name in kept}
    assert recipe.passage is not None
    assert (recipe.passage.samples, recipe.passage.checkpointing, recipe.passage.packed) == (4, True, False)


def test_on_a_gpu_parleys_rows_are_its_defaults() -> None:
    found = recipes(gpu=True, attention="sdpa", longest=2_000)
    assert found["lora"].settings == Training() and found["lora"].passage is None
    assert found["qlora"].settings == Training(quantization="nf4")


def test_padding_is_what_goes_through_beside_the_samples() -> None:
    rows = [Encoded([1] * length, 1) for length in (10, 20, 30, 40)]
    assert through(rows, 4, Passage(False, 2, 0, False)) == 2 * 20 + 2 * 40
    assert through(rows, 4, Passage(True, 2, 64, False)) == 100


# -- the table ---------------------------------------------------------------------------------------------------------


def test_a_row_gives_speed_and_utilisation() -> None:
    figures = Figures(2.0, 10_000, 10, 12_500, 200e12, 40e9, "packed")
    recipe = recipes(True, "sdpa", 1)["lora"]
    assert (
        row(recipe, figures, 1e15) == "| Parley's defaults | unquantised | packed | 5000 | 5.00 | 10.0% | 40.0 | 20% |"
    )
    assert "| – |" in row(recipe, figures, None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_table_is_made_by_trainings_and_says_that_no_gpu_was_measured(
    base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(training, "finished", lambda name, _, steps: measure(name, base, steps))
    compare("tiny", 1, None)
    told = capsys.readouterr().out
    assert told.count("No GPU was measured") == 2
    paper, parley = (line.split(" | ") for line in told.splitlines() if re.match(r"\| (the paper|Parley)", line))
    assert paper[2] == "padded, 4 samples, sdpa, computed twice" and parley[2] == "packed, 2048 tokens, sdpa"
    assert float(paper[3]) > 0 and float(parley[3]) > 0
    assert paper[5] == parley[5] == "–"
    assert int(paper[-1].strip("% |")) > 10 and parley[-1] == "0% |"
    assert re.search(r"Parley's defaults: \d+\.\d\d times the paper's recipe", told)


def test_a_recipe_that_fails_is_left_out_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> Figures:
        raise RuntimeError("training: not enough memory")

    monkeypatch.setattr(training.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(training, "finished", fails)
    compare("7b", 1, "NVIDIA H200")
    told = capsys.readouterr()
    assert [line.split(" left out")[0] for line in told.err.splitlines()] == ["paper", "lora", "qlora"]
    assert "times the paper's" not in told.out and "NVIDIA H200; shape 7b" in told.out


def test_every_shape_is_a_model() -> None:
    for sizes_of in SHAPES.values():
        config = MistralConfig(**sizes_of)
        assert config.hidden_size % config.num_attention_heads == 0
