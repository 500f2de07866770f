"""Training: a dataset and a parent's weights become an adapter folder that says all about how it was made."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from parley.canonical import digest
from parley.config import Training
from parley.errors import ParleyError
from parley.learning.adapters import library_versions
from parley.learning.card import card
from parley.learning.dataset import TABLE, learned
from parley.learning.folder import file_digests, new_folder, write_manifest
from parley.learning.order import training_order
from parley.learning.tokens import Encoded, encode
from parley.llm.weights import adapter_identity, cache_folder, checkpoint_identity
from parley.records.jsonl import write_text

if TYPE_CHECKING:
    from parley.learning.sft import Progress

#: Seconds of training that a job which just ends, without a signal, loses at most.
SAVE_EVERY = 300.0


@dataclass(frozen=True)
class TrainingSummary:
    """What a training did. `tokens` are those of all samples that fit, once; `answer_tokens` those in the loss."""

    samples: int
    too_long: int
    tokens: int
    answer_tokens: int
    steps: int
    first_loss: float
    last_loss: float
    adapter: str
    base: str
    parent: str | None
    dataset: str


def train(
    base: Path,
    parent_adapter: Path | None,
    dataset: Path,
    settings: Training,
    out: Path,
    log: Path | None = None,
    on_progress: "Progress | None" = None,
    *,
    note: str | None = None,
    checkpoints: Path | None = None,
    save_every: float = SAVE_EVERY,
) -> TrainingSummary:
    """Fine-tune a LoRA adapter on the samples of the folder `dataset` and write it to the folder `out`.

    `out` gets the adapter as `peft.PeftModel.from_pretrained` reads it, `README.md`, `training_log.jsonl` and
    `manifest.json`, and appears whole at the end. The loss is on the answers only. Samples longer than
    `settings.max_length` tokens, or than the model's context, are left out and counted, never cut. On one machine the
    same input gives the same bytes on the CPU; no file holds a time.

    `parent_adapter` is trained on instead of a new adapter. `log` gets the training log line by line while it runs.
    `note` stands first in the card. `checkpoints` is a folder where an interrupted training is found again; its state is
    saved there every `save_every` seconds, and when the job is asked to stop.

    Raises `ParleyError` if there is no sample to learn from, if `base`, `parent_adapter` or `dataset` is not there, if
    the parent's LoRA has other sizes than `settings`, if the loss stops being a number, and if there is not enough memory.
    """
    table = _read(dataset)
    sources = _sources(base, parent_adapter, table)
    if parent_adapter is not None:
        _check_parent(parent_adapter, settings)

    from parley.learning import sft

    encoded = encode(sft.load_tokenizer(base), table["prompt"].to_list(), table["completion"].to_list())
    limit = min(settings.max_length, sft.context_length(base) or settings.max_length)
    rows = fitting(encoded, limit, dataset)
    order = training_order([len(row.ids) for row in rows], settings.batch_size, settings.epochs, settings.seed)
    made_of = digest([sources, settings.model_dump(mode="json"), library_versions()], 16)
    state = None if checkpoints is None else checkpoints / made_of
    ordered = [rows[index] for index in order]
    diary = _Diary([len(row.ids) for row in ordered], settings.batch_size, len(rows), log, on_progress)
    with new_folder(out) as part:
        records = sft.finetune(base, parent_adapter, ordered, settings, part, state, diary.step_done, save_every)
        steps = [diary.line(record) for record in records]
        summary = TrainingSummary(
            samples=len(rows),
            too_long=len(encoded) - len(rows),
            tokens=sum(len(row.ids) for row in rows),
            answer_tokens=sum(len(row.ids) - row.prompt for row in rows),
            steps=len(steps),
            first_loss=steps[0]["loss"],
            last_loss=steps[-1]["loss"],
            adapter=adapter_identity(part)["adapter"],
            **sources,
        )
        _write_papers(part, out.name, summary, steps, base, settings, note)
    if state is not None:
        shutil.rmtree(state, ignore_errors=True)
    return summary


def fitting(encoded: Sequence[Encoded], limit: int, dataset: Path) -> list[Encoded]:
    """The samples of at most `limit` tokens. Raises `ParleyError` if there are none at all."""
    if not encoded:
        raise ParleyError(
            f"{dataset}: no samples to learn from; keep more in `selection` (a greater top or share) or play more tasks"
        )
    rows = [row for row in encoded if len(row.ids) <= limit]
    if not rows:
        shortest = min(len(row.ids) for row in encoded)
        raise ParleyError(
            f"{dataset}: all {len(encoded)} samples are longer than {limit} tokens (the shortest has {shortest}); "
            "raise training.max_length, or shorten prompts with play.history"
        )
    return rows


def _read(dataset: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(dataset / TABLE, columns=["prompt", "completion"])
    except FileNotFoundError:
        raise ParleyError(f"{dataset / TABLE}: no such dataset; build it first") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ParleyError(f"{dataset / TABLE}: not a dataset ({str(error).splitlines()[0]}); build it again") from None


def _sources(base: Path, parent: Path | None, samples: pl.DataFrame) -> dict[str, Any]:
    """What the adapter is made from, by content hash."""
    return {
        "base": digest(checkpoint_identity(base, cache_folder())),
        "parent": None if parent is None else adapter_identity(parent)["adapter"],
        "dataset": learned(samples),
    }


def _check_parent(parent: Path, settings: Training) -> None:
    """A parent's LoRA keeps its sizes; settings that ask for others would be ignored without a word."""
    config = json.loads((parent / "adapter_config.json").read_text(encoding="utf-8"))
    asked: dict[str, Any] = {"rank": settings.rank, "alpha": settings.alpha}
    found: dict[str, Any] = {"rank": config["r"], "alpha": config["lora_alpha"]}
    if not isinstance(settings.target_modules, str):
        asked["target_modules"] = sorted(settings.target_modules)
        found["target_modules"] = sorted(config["target_modules"])
    for name, value in asked.items():
        if value != found[name]:
            raise ParleyError(
                f"training.{name}: {value} is asked for, but the parent's adapter has {found[name]}; give both the same"
            )


class _Diary:
    """The training log: each step with how far it is, passed on to the caller and to a file that can be watched."""

    def __init__(
        self, lengths: list[int], batch: int, per_epoch: int, path: Path | None, on_progress: "Progress | None"
    ) -> None:
        self._lengths = lengths
        self._batch = batch
        self._per_epoch = per_epoch
        self._path = path
        self._on_progress = on_progress
        if path is not None:
            write_text(path, "")

    def line(self, record: dict[str, Any]) -> dict[str, Any]:
        """A step's record with the epochs and the tokens that are done with it."""
        done = self._lengths[: record["step"] * self._batch]
        return {**record, "epoch": round(len(done) / self._per_epoch, 4), "tokens": sum(done)}

    def step_done(self, record: dict[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.line(record)) + "\n")
        if self._on_progress is not None:
            self._on_progress(record["step"], math.ceil(len(self._lengths) / self._batch), record["loss"])


def _write_papers(
    folder: Path,
    name: str,
    summary: TrainingSummary,
    steps: list[dict[str, Any]],
    base: Path,
    settings: Training,
    note: str | None,
) -> None:
    """The training log, the model card and the manifest beside the adapter."""
    (folder / "training_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in steps), encoding="utf-8")
    plain = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    header = {
        "base_model": plain,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "sft", "trl", "parley"],
    }
    text = (
        f"A LoRA adapter for `{plain}`, trained to answer as selected role-play episodes did; the loss is on the answers "
        "only. Load it with `peft.PeftModel.from_pretrained(base_model, folder)`."
    )
    versions = library_versions()
    facts = {**asdict(summary), **settings.model_dump(mode="json"), **versions}
    paragraphs = [*([note] if note else []), text]
    (folder / "README.md").write_text(card(header, name, paragraphs, facts), encoding="utf-8")
    manifest = {
        **asdict(summary),
        "settings": settings.model_dump(mode="json"),
        "versions": versions,
        "files": file_digests(folder),
    }
    write_manifest(folder, manifest)
