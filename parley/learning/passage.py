"""Passage: how the samples of a step go through the device. It decides time and memory, not what is learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from parley.config import Training
from parley.learning.activations import activations
from parley.learning.attention import MASKED, VARLEN, attention
from parley.learning.packing import packs

#: Tokens that go through a GPU at once at the most. More make it no faster.
MOST_TOKENS = 16_384
#: The same where attention is computed under a mask, for all pairs of tokens in a sequence, also those of two samples.
MASKED_TOKENS = 2_048
#: Tokens at once that keep a GPU busy. Where there is memory for fewer, layers are rather computed twice.
BUSY_TOKENS = 2_048
#: Share of the memory that is planned with. The rest is the allocator's, whose blocks are never all in use.
PLANNED = 0.85
#: Bytes for what does not grow with the tokens: the context of CUDA, kernels, the adapter, its gradients and moments.
FIXED = 2_000_000_000
#: Bytes of a base in 4 bits for one in 16, its scales and what stays in 16 bits included (arXiv 2305.14314, section 3).
QUARTER = 0.3


@dataclass(frozen=True)
class Device:
    """What counts of a GPU: its memory in bytes, and the attention that it can run. No memory: the CPU."""

    memory: int = 0
    attention: str = MASKED

    @classmethod
    def here(cls) -> Self:
        """The GPU that torch sees, or the CPU."""
        if not torch.cuda.is_available():
            return cls()
        return cls(torch.cuda.get_device_properties(0).total_memory, attention())

    def kernel(self, packed: bool) -> str:
        """The attention for samples that are packed, or padded."""
        return MASKED if self.attention == VARLEN and not packed else self.attention


@dataclass(frozen=True)
class Passage:
    """How a step's samples go through.

    `packed`: in sequences of at most `tokens` tokens; else padded to the longest, `samples` at once. `checkpointing`:
    layers are computed twice. `attention` is transformers' name for the kernel.
    """

    packed: bool
    samples: int
    tokens: int
    checkpointing: bool
    attention: str = MASKED

    @property
    def words(self) -> str:
        """In a few words, for logs and tables."""
        how = f"packed, {self.tokens} tokens" if self.packed else f"padded, {self.samples} samples"
        return f"{how}, {self.attention}{', computed twice' if self.checkpointing else ''}"

    @classmethod
    def choose(cls, settings: Training, config: Any, weights: int, lengths: Sequence[int], device: Device) -> Self:
        """For samples of these lengths in the order of training, and a base of so many bytes in half precision.

        On the CPU samples are padded, all of a step at once, unless `settings` say otherwise.
        """
        batch, longest = settings.batch_size, max(lengths)
        packed = bool(device.memory) if settings.packing == "auto" else settings.packing
        if not device.memory:
            checkpointing, tokens = settings.checkpointing is True, MASKED_TOKENS
        else:
            base = weights * (QUARTER if settings.quantization == "nf4" else 1)
            left = max(0.0, PLANNED * device.memory - FIXED - base)
            kept = activations(config, settings.rank, settings.dropout)
            checkpointing = settings.checkpointing is True
            if settings.checkpointing == "auto":
                checkpointing = left / kept.whole < max(longest, BUSY_TOKENS)
            tokens = min(MOST_TOKENS, int(left / (kept.checkpointed if checkpointing else kept.whole)))
        if packed and device.attention == MASKED:
            tokens = min(tokens, MASKED_TOKENS)
        tokens = max(tokens, longest)
        if packed:
            steps = (lengths[first : first + batch] for first in range(0, len(lengths), batch))
            samples = max(len(pack) for step in steps for pack in packs(step, tokens))
        else:
            samples = micro_batch(batch, longest, tokens) if device.memory else batch
        return cls(packed, samples, tokens, checkpointing, device.kernel(packed))


def micro_batch(batch: int, longest: int, tokens: int) -> int:
    """The largest divisor of `batch` whose samples, padded to `longest`, are at most `tokens` tokens; at least 1."""
    return max([part for part in range(1, batch + 1) if batch % part == 0 and part * longest <= tokens], default=1)
