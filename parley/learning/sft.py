"""Supervised fine-tuning of a LoRA adapter with trl and peft (paper, appendix B.5). Imports torch: seconds."""

import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset  # type: ignore[import-untyped, unused-ignore]
from peft import LoraConfig, PeftConfig, PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from parley.canonical import seed_from
from parley.config import Training
from parley.errors import ParleyError
from parley.learning.attention import MASKED
from parley.learning.checkpoints import Pace, latest, seal
from parley.learning.memory import Fit, is_out_of_memory, weights
from parley.learning.packing import PackedBatches
from parley.learning.passage import Device, Passage
from parley.learning.tokens import IGNORED, Encoded
from parley.stopping import deferring

#: Called after a step: the step from 1, all steps, the step's loss.
Progress = Callable[[int, int, float], None]


def load_tokenizer(base: Path) -> Any:
    """The tokenizer of a checkpoint."""
    return AutoTokenizer.from_pretrained(str(base))


def context_length(base: Path) -> int | None:
    """The longest text in tokens that the checkpoint was made for, if it says so."""
    limit = getattr(AutoConfig.from_pretrained(str(base)), "max_position_embeddings", None)
    return None if limit is None else int(limit)


def passage_for(base: Path, settings: Training, rows: Sequence[Encoded]) -> Passage:
    """How `rows` go through the device that there is."""
    config = AutoConfig.from_pretrained(str(base)).get_text_config()
    return Passage.choose(settings, config, weights(base), [len(row.ids) for row in rows], Device.here())


def finetune(
    base: Path,
    parent: Path | None,
    rows: Sequence[Encoded],
    settings: Training,
    folder: Path,
    checkpoints: Path | None,
    step_done: Callable[[dict[str, Any]], None],
    save_every: float,
    passage: Passage | None = None,
) -> list[dict[str, Any]]:
    """Train on `rows` in their order and save the adapter to `folder`; return the log, one record a step.

    The adapter goes on from `parent`, or starts anew. With `checkpoints`, a folder, the state is saved there every
    `save_every` seconds, and when the job is asked to stop: after the step that it is at. A run that finds a state there
    goes on from it and ends with the same weights. `passage` is how the samples go through the device, if it is not for
    `settings` and the memory to say. Raises `ParleyError` if there is not enough memory.
    """
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # trl still sets a name that transformers has deprecated
        output = folder if checkpoints is None else checkpoints
        passage = passage or passage_for(base, settings, rows)
        if passage.packed or torch.cuda.is_available():
            print(f"samples go through at once: {passage.words}", file=sys.stderr)
        arguments = _arguments(settings, passage, output)
        fit = Fit.of(base, settings, rows, passage)
        fit.check()
        with _said_of_memory(fit, loading=True):
            model, lora = _model(base, parent, settings, passage.attention)
        tokenizer = load_tokenizer(base)
        trainer = _Trainer(
            horizon=_horizon(settings, len(rows)),
            model=model,
            args=arguments,
            data_collator=PackedBatches(tokenizer.eos_token_id, limit=passage.tokens) if passage.packed else None,
            train_dataset=Dataset.from_dict({"input_ids": [r.ids for r in rows], "labels": [r.labels for r in rows]}),
            processing_class=tokenizer,
            peft_config=lora,
        )
        trainer.remove_callback(PrinterCallback)
        saved = None if checkpoints is None else latest(checkpoints)
        with _said_of_memory(fit, loading=False), deferring() as stop:
            # Where nothing is saved there is nothing to wait for either.
            pace = None if checkpoints is None else Pace(save_every, stop)
            trainer.add_callback(_Steps(step_done, pace))
            trainer.train(resume_from_checkpoint=None if saved is None else str(saved))
            if trainer.state.global_step >= trainer.state.max_steps:
                stop.made = False  # it is done: the adapter is written, and then the job ends
    assert isinstance(trainer.model, PeftModel)
    trainer.model.save_pretrained(str(folder), save_embedding_layers=False)
    _plain_config(folder / "adapter_config.json", base)
    return [record(entry) for entry in trainer.state.log_history if "loss" in entry]


def record(entry: dict[str, Any]) -> dict[str, Any]:
    """A step of the training log: what depends on the data and the seed, not on the clock."""
    return {
        "step": entry["step"],
        "loss": round(entry["loss"], 6),
        "accuracy": round(entry["mean_token_accuracy"], 6),
        "learning_rate": entry["learning_rate"],
    }


@contextmanager
def _said_of_memory(fit: Fit, loading: bool) -> Iterator[None]:
    """Tell what to change where there is not enough memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ParleyError(fit.advice(error, loading)) from None


class _Steps(TrainerCallback):
    """Hands each step's record on, stops a training whose loss is no number any more, and saves and seals its state."""

    def __init__(self, step_done: Callable[[dict[str, Any]], None], pace: Pace | None) -> None:
        self._step_done = step_done
        self._pace = pace

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._pace is not None and state.global_step < state.max_steps:
            control.should_save = self._pace.save_now()
            control.should_training_stop = self._pace.stop_now()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise ParleyError(
                f"training: the loss is {logs['loss']} at step {state.global_step}; lower training.learning_rate"
            )
        self._step_done(record({**logs, "step": state.global_step}))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seal(Path(args.output_dir, f"checkpoint-{state.global_step}"))
        if self._pace is not None:
            self._pace.saved()


class _Trainer(SFTTrainer):  # type: ignore[misc,unused-ignore]
    """A trainer whose learning rate follows a schedule of `horizon` steps, of which it may do the first ones only.

    A batch that is packed goes through sequence by sequence; the gradients add up to those of the batch.
    """

    def __init__(self, horizon: int, **rest: Any) -> None:
        self._horizon = horizon
        super().__init__(**rest)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        return super().create_scheduler(max(self._horizon, num_training_steps), optimizer)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        if "packs" not in inputs:
            return super().training_step(model, inputs, num_items_in_batch)  # type: ignore[no-untyped-call]
        packs, step = inputs["packs"], super().training_step
        loss = sum(step(model, pack, num_items_in_batch) for pack in packs)  # type: ignore[no-untyped-call]
        self._average([int((pack["labels"] != IGNORED).sum()) for pack in packs])
        return loss

    def _average(self, weights: list[int]) -> None:
        """Make one figure of those that trl has noted of each sequence: the mean over the batch's answer tokens."""
        for noted in (self._metrics["train"][name] for name in ("entropy", "mean_token_accuracy")):
            parts = [noted.pop() for _ in weights][::-1]
            noted.append(sum(map(math.prod, zip(parts, weights, strict=True))) / max(1, sum(weights)))


def _horizon(settings: Training, rows: int) -> int:
    """The steps of the learning rate's schedule, where `rows` are the samples of `settings.epochs` epochs."""
    longer = (settings.schedule_epochs or settings.epochs) / settings.epochs
    return math.ceil(rows * longer / settings.batch_size)


def _arguments(settings: Training, passage: Passage, output: Path) -> SFTConfig:
    cuda = torch.cuda.is_available()
    if torch.cuda.device_count() > 1:
        raise ParleyError("training: several GPUs are visible; choose one, for instance CUDA_VISIBLE_DEVICES=0")
    batch = settings.batch_size
    at_once = batch if passage.packed else passage.samples
    return SFTConfig(
        output_dir=str(output),
        num_train_epochs=1,  # `rows` hold all epochs already, in their order
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=batch // at_once,
        learning_rate=settings.learning_rate,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(settings.schedule, settings.schedule),
        warmup_steps=settings.warmup,
        seed=seed_from("training", settings.seed),
        use_cpu=not cuda,
        bf16=cuda,
        activation_checkpointing=passage.checkpointing,
        dataloader_pin_memory=cuda,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",  # `_Steps` says when
        save_total_limit=2,  # the one before stays until this one is sealed
    )


def _model(base: Path, parent: Path | None, settings: Training, attention: str) -> tuple[Any, LoraConfig | None]:
    """The base model and a new LoRA for it, or the base model with the parent's LoRA, to be trained on."""
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    quantized = _four_bits() if settings.quantization == "nf4" else None
    model = AutoModelForCausalLM.from_pretrained(
        str(base),
        dtype=dtype,
        quantization_config=quantized,
        attn_implementation=None if attention == MASKED else attention,  # None: its own choice, SDPA where there is one
    )
    if parent is not None:
        config = PeftConfig.from_pretrained(str(parent))
        config.lora_dropout = settings.dropout
        config.base_model_name_or_path = str(base)  # the parent holds a plain name, which peft would ask the hub for
        return PeftModel.from_pretrained(model, str(parent), is_trainable=True, config=config), None
    modules = settings.target_modules
    return model, LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft takes any number
        lora_dropout=settings.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
        task_type="CAUSAL_LM",
    )


def _four_bits() -> Any:
    """QLoRA's base: 4-bit normal floats whose scales are quantised once more (arXiv 2305.14314; paper, appendix B.5)."""
    if not torch.cuda.is_available() or find_spec("bitsandbytes") is None:
        raise ParleyError(
            "training.quantization: nf4 needs a CUDA GPU and bitsandbytes (pip install bitsandbytes); "
            "or set it to none, which takes about 16 GB more for 7 billion parameters"
        )
    return transformers.BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _plain_config(path: Path, base: Path) -> None:
    """Make the adapter's config the same on every machine: sets in order, the base by its plain name."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.name if base.is_absolute() else base.as_posix()
    for key, value in config.items():
        if key in ("target_modules", "exclude_modules", "modules_to_save") and isinstance(value, list):
            config[key] = sorted(value)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
