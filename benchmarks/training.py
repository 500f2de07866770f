"""How fast a policy is trained: the paper's recipe and Parley's defaults, one after the other on one GPU.

`python -m benchmarks.training` takes a Mistral of 7 billion parameters with random weights, made on the device and read
from a temporary folder (15 GB); `--shape 1b` a smaller one. Without a GPU it takes a tiny one, and samples an eighth as
long, and says that no GPU was measured. Every row is a process of its own that runs `parley.learning.sft.finetune`. The
first steps, in which memory is found and kernels are compiled, do not count. A recipe that fails is left out with a line.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import playing
from benchmarks.flops import LINEAR, asked, peak
from benchmarks.gauge import peak_megabytes
from benchmarks.machine import machine
from parley.config import Training
from parley.learning.order import training_order
from parley.learning.passage import Passage
from parley.learning.tokens import Encoded

ROOT = Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "resources/pocket"
LIBRARIES = ["torch", "transformers", "trl", "peft", "bitsandbytes", "flash-attn"]
#: Steps that do not count.
WARM = 2
#: `7b` are the sizes of Mistral-7B (Jiang et al. 2023, arXiv 2310.06825, table 1), `1b` those of TinyLlama.
SHAPES = {
    "7b": {},
    "1b": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_key_value_heads": 4},
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 224,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
    },
}
#: Tokens of a turn's prompt before anything is said: Parley's own page (prompts/turn.jinja) over its evaluation tasks has
#: 1,179 to 1,440 characters; at four a token.
PAGE = (295, 360)
#: Words of a turn of GPT-4 (Zhou et al. 2024, arXiv 2310.11667, section 5), tokens a word, and those around a turn.
WORDS, TOKENS_A_WORD, AROUND = 45.5, 4 / 3, 12
TURNS = 20
HEADER = (
    "| recipe | base | passage | tokens/s | samples/s | MFU | peak GB | padding |\n|---|---|---|---|---|---|---|---|"
)


def samples(count: int, vocabulary: int, share: float = 1.0, seed: int = 1) -> list[Encoded]:
    """Random tokens in the lengths of turns of an episode, of which each of `TURNS` is as likely as another.

    A page, what was said before, and an answer; a turn's words vary by half (log-normal). About 1,100 tokens in the
    mean, 400 for a first turn, 1,800 for a last one; or that `share` of them.
    """
    draw = random.Random(seed)

    def turn() -> int:
        return AROUND + round(WORDS * TOKENS_A_WORD * draw.lognormvariate(-0.125, 0.5))

    rows = []
    for _ in range(count):
        prompt = draw.randint(*PAGE) + sum(turn() for _ in range(draw.randrange(TURNS)))
        cut, tokens = max(1, round(share * prompt)), max(2, round(share * (prompt + turn())))
        rows.append(Encoded([draw.randrange(5, vocabulary) for _ in range(tokens)], min(cut, tokens - 1)))
    return rows


@dataclass(frozen=True)
class Recipe:
    """Settings, whether samples of like length share a batch, and how they go through, if not as Parley chooses."""

    title: str
    settings: Training
    sorted: bool = True
    passage: Passage | None = None


def recipes(gpu: bool, attention: str, longest: int) -> dict[str, Recipe]:
    """By name. `paper` is as configs/paper.yaml has it from the paper's appendix B.5 and the authors' code: four samples a
    GPU in the order of chance. Four bits and packing are for a GPU; without one there are no four bits, and Parley packs
    because it is told to.
    """
    four: dict[str, Any] = {"quantization": "nf4" if gpu else "none"}
    paper = Training(**four, learning_rate=5e-5, alpha=32, dropout=0.1, target_modules=("q_proj", "v_proj"))
    padded = Passage(packed=False, samples=4, tokens=4 * longest, checkpointing=True, attention=attention)
    here: dict[str, Any] = {} if gpu else {"packing": True}
    return {
        "paper": Recipe("the paper's: padded batches of 4, layers computed twice", paper, sorted=False, passage=padded),
        "lora": Recipe("Parley's defaults", Training(**here)),
        "qlora": Recipe("Parley's defaults with the base in 4 bits", Training(**here, **four)),
    }


@dataclass(frozen=True)
class Figures:
    """What one recipe did in its steps after the first ones. `flops` is what they asked for, `peak` bytes of memory."""

    seconds: float
    tokens: int
    samples: int
    padded: int
    flops: float
    peak: float
    passage: str


def checkpoint(folder: Path, shape: str) -> Path:
    """A Mistral of this shape with random weights in `folder`, made on the GPU if there is one; returns the folder."""
    import torch
    from transformers import AutoModelForCausalLM, MistralConfig

    config = MistralConfig(sliding_window=None, max_position_embeddings=4096, **SHAPES[shape])  # type: ignore[arg-type]
    torch.manual_seed(0)
    cuda = torch.cuda.is_available()
    with torch.device("cuda" if cuda else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16 if cuda else torch.float32)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(TOKENIZER / name, folder / name)
    return folder


def measure(name: str, base: Path, steps: int) -> Figures:
    """Train by a recipe for `steps` steps after the first ones, in this process."""
    import torch
    from transformers import AutoConfig

    from parley.learning.passage import Device
    from parley.learning.sft import finetune, passage_for

    config = AutoConfig.from_pretrained(str(base))
    gpu = torch.cuda.is_available()
    batch = Training().batch_size
    drawn = samples((WARM + steps) * batch, config.vocab_size, 1 if gpu else 1 / 8)
    recipe = recipes(gpu, Device.here().kernel(packed=False), max(len(row.ids) for row in drawn))[name]
    settings = recipe.settings
    order = training_order([len(row.ids) for row in drawn], batch, 1, 1) if recipe.sorted else range(len(drawn))
    rows = [drawn[index] for index in order]
    passage = recipe.passage or passage_for(base, settings, rows)
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        finetune(
            base, None, rows, settings, Path(folder), None, lambda _: times.append(time.perf_counter()), 0, passage
        )
    counted = rows[WARM * batch :]
    adapted = LINEAR if isinstance(settings.target_modules, str) else settings.target_modules
    return Figures(
        seconds=times[-1] - times[WARM - 1],
        tokens=sum(len(row.ids) for row in counted),
        samples=len(counted),
        padded=through(counted, batch, passage),
        flops=asked(config, counted, settings.rank, adapted),
        peak=float(torch.cuda.max_memory_reserved()) if gpu else peak_megabytes() * 1e6,
        passage=passage.words,
    )


def through(rows: Sequence[Encoded], batch: int, passage: Passage) -> int:
    """Tokens that go through the model, padding included."""
    if passage.packed:
        return sum(len(row.ids) for row in rows)
    parts = (rows[first : first + passage.samples] for first in range(0, len(rows), passage.samples))
    return sum(len(part) * max(len(row.ids) for row in part) for part in parts)


def row(recipe: Recipe, figures: Figures, flops: float | None) -> str:
    """A line of the table; `flops` is what the card could compute in a second."""
    cells = [
        recipe.title,
        recipe.settings.quantization if recipe.settings.quantization != "none" else "unquantised",
        figures.passage,
        f"{figures.tokens / figures.seconds:.0f}",
        f"{figures.samples / figures.seconds:.2f}",
        f"{figures.flops / figures.seconds / flops:.1%}" if flops else "–",
        f"{figures.peak / 1e9:.1f}",
        f"{1 - figures.tokens / figures.padded:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def finished(name: str, base: Path, steps: int) -> Figures:
    """What a process of its own measured. Raises `RuntimeError` with its last words if it fails."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.training",
        "--recipe",
        name,
        "--base",
        str(base),
        "--steps",
        str(steps),
    ]
    return Figures(**playing.finished(command))


def compare(shape: str, steps: int, card: str | None) -> None:
    """Print the table and how much faster Parley's defaults are than the paper's recipe. `card`: None without a GPU."""
    print(f"{machine(LIBRARIES)}\n\n{card or 'No GPU was measured: this is a tiny model on the CPU'}; shape {shape}.\n")
    print(HEADER, flush=True)
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="parley-benchmark-") as folder:
        make = [sys.executable, "-m", "benchmarks.training", "--make", "--base", folder, "--shape", shape]
        subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
        for name, recipe in recipes(card is not None, "", 0).items():
            if name == "qlora" and card is None:
                continue  # without four bits it is what `lora` is
            try:
                figures = finished(name, Path(folder), steps)
            except RuntimeError as error:
                print(f"{name} left out: {error}", file=sys.stderr, flush=True)
                continue
            speeds[name] = figures.tokens / figures.seconds
            print(row(recipe, figures, peak(card or "")), flush=True)
    if {"paper", "lora"} <= speeds.keys():
        print(
            f"\nParley's defaults: {speeds['lora'] / speeds['paper']:.2f} times the paper's recipe, in tokens a second."
        )
    if card is None:
        print(
            "No GPU was measured. On a CPU, where nothing is packed unless it is told to be, this says nothing of one."
        )


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, help="of the model; 7b with a GPU, else tiny")
    parser.add_argument("--steps", type=int, default=10, help=f"that count, of {Training().batch_size} samples each")
    parser.add_argument("--recipe", help=argparse.SUPPRESS)  # a row's own process
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        checkpoint(options.base, options.shape)
    elif options.recipe:
        print(json.dumps(asdict(measure(options.recipe, options.base, options.steps))))
    else:
        import torch

        card = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
        compare(options.shape or ("7b" if card else "tiny"), options.steps, card)


if __name__ == "__main__":
    main()
