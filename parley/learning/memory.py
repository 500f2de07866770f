"""Memory of a training: what to change where it does not suffice."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from parley.config import Training
from parley.errors import ParleyError
from parley.learning.passage import Passage
from parley.learning.tokens import Encoded
from parley.llm.devices import VARIABLE

#: Words of torch, CUDA and the system's allocator.
_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cublas_status_alloc_failed")
GB = 1e9
#: Bytes of weights: two billion parameters take a core a minute for 150 tokens.
LARGEST_ON_CPU = 4 * GB


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of a library means that there was not enough memory."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)


def weights(base: Path) -> int:
    """The bytes of a checkpoint's weights."""
    return sum(file.stat().st_size for file in base.glob("*.safetensors"))


@dataclass(frozen=True)
class Fit:
    """What takes memory in a training: the base, and the samples that go through it at once.

    `base` are the bytes of its weights, `memory` those of the GPU (0: on the CPU); `samples` go through at once, the
    longest of which has `longest` tokens, and half of all have at most `median`.
    """

    base: int
    memory: int
    quantization: str
    batch: int
    samples: int
    longest: int
    median: int
    kept: bool = False

    @classmethod
    def of(cls, base: Path, settings: Training, rows: Sequence[Encoded], passage: Passage) -> Self:
        """From a checkpoint's folder, the samples that are trained on, and how they go through."""
        import torch

        lengths = sorted(len(row.ids) for row in rows)
        return cls(
            base=weights(base),
            memory=torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0,
            quantization=settings.quantization,
            batch=settings.batch_size,
            samples=passage.samples,
            longest=lengths[-1],
            median=lengths[len(lengths) // 2],
            kept=not passage.checkpointing,
        )

    def check(self) -> None:
        """Raise `ParleyError` for a base that no CPU trains within its user's patience."""
        if not self.memory and self.base > LARGEST_ON_CPU:
            raise ParleyError(
                f"training: no GPU is visible ({VARIABLE}={os.environ.get(VARIABLE, '')}), and a base of "
                f"{self.base / GB:.1f} GB is not trained on a CPU; give the job a GPU (the resource gpu of rule train), and "
                "see with nvidia-smi whether the driver answers"
            )

    def advice(self, error: BaseException, loading: bool) -> str:
        """One line: what was tried, and the first setting to change. `loading`: it was the weights, before any step."""
        where = f"a GPU of {self.memory / GB:.0f} GB" if self.memory else "this machine's memory"
        what = (
            f"a base of {self.base / GB:.1f} GB ({self.quantization})"
            if loading
            else f"{self.samples} samples of up to {self.longest} tokens at once, beside a base of {self.base / GB:.1f} GB"
        )
        told = (str(error).strip().splitlines() or ["out of memory"])[0][:150]
        return f"training: not enough memory on {where} for {what} ({told}); {self.remedy(loading)}"

    def remedy(self, loading: bool) -> str:
        """What to change first: that which costs the result least, among those that help."""
        resumes = "" if loading else "; what changes the training begins it anew"
        if self.kept and not loading:
            return f"set training.checkpointing: on, which costs time and changes nothing else{resumes}"
        heavy = loading or (self.memory > 0 and self.base > self.memory / 2)
        if heavy and self.quantization == "none" and self.memory:
            return f"set training.quantization: nf4, which takes a quarter of that for the base{resumes}"
        if loading:
            where = "a GPU with more memory" if self.memory else "a machine with more memory (mem_mb of rule train)"
            return f"take {where}, or a smaller base model"
        if self.samples > 1:
            return f"lower training.batch_size from {self.batch} to {max(1, self.samples // 2)}{resumes}"
        if self.longest > 1.5 * self.median:
            return (
                f"lower training.max_length below {self.longest}: half of the samples have at most {self.median} "
                f"tokens{resumes}"
            )
        if self.quantization == "none" and self.memory:
            return f"set training.quantization: nf4{resumes}"
        return f"take a GPU with more memory, or shorten prompts with play.history{resumes}"
