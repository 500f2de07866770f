"""Attention within each sample of a sequence: the best kernel that this machine can run, by transformers' name for it."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.flash_attention import get_target_dtype

#: SDPA, under a mask where a sequence holds several samples.
MASKED = "sdpa"
#: Torch's own flash attention over samples of unlike lengths, which needs no other library.
VARLEN = "varlen"


def attention() -> str:
    """Flash attention if it is installed and, built for this torch, can be loaded; else torch's own, if it computes here
    what SDPA does; else SDPA.
    """
    from transformers.utils.import_utils import is_flash_attn_2_available, is_flash_attn_3_available

    if is_flash_attn_3_available() and torch.cuda.get_device_capability(0)[0] == 9:  # it is for Hopper alone
        with suppress(ImportError, OSError):
            import flash_attn_interface  # type: ignore[import-not-found, unused-ignore]  # noqa: F401

            return "flash_attention_3"
    if is_flash_attn_2_available():
        with suppress(ImportError, OSError):
            import flash_attn  # type: ignore[import-not-found, unused-ignore]  # noqa: F401

            return "flash_attention_2"
    return VARLEN if computes(torch.device("cuda")) else MASKED


def varlen(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within the samples whose borders are `cu_seq_lens_q` (trl's collator without padding gives them).

    Tensors are as transformers hands them on: one sequence, heads, tokens, width; the result has tokens before heads.
    """
    if attention_mask is not None or len(query) != 1:
        raise ValueError("samples of unlike lengths stand in one sequence, and have no mask")
    borders, longest = kwargs["cu_seq_lens_q"], kwargs["max_length_q"]
    half = get_target_dtype(query, module) or query.dtype  # where a layer before it has gone to full precision
    result = varlen_attn(
        query[0].transpose(0, 1).to(half),
        key[0].transpose(0, 1).to(half),
        value[0].transpose(0, 1).to(half),
        borders,
        borders,
        longest,
        longest,
        scale=scaling,
        window_size=(-1 if sliding_window is None else sliding_window - 1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(result, torch.Tensor)
    return result[None], None


AttentionInterface.register(VARLEN, varlen)


def computes(device: torch.device) -> bool:
    """Whether torch's own flash attention runs on this device, forward and back, and agrees with SDPA.

    The trial has two samples, in the heads and the width of a Mistral layer.
    """
    generator = torch.Generator().manual_seed(0)
    lengths, heads = (40, 24), (32, 8, 8)
    drawn = (torch.randn(1, count, sum(lengths), 128, generator=generator) for count in heads)
    parts = query, key, value = [tensor.to(device, torch.bfloat16).requires_grad_() for tensor in drawn]
    borders = torch.tensor([0, lengths[0], sum(lengths)], dtype=torch.int32, device=device)
    try:
        found, _ = varlen(None, query, key, value, None, cu_seq_lens_q=borders, max_length_q=max(lengths))
        gradients = torch.autograd.grad(found.float().square().sum(), parts)
        expected = torch.cat([_one(*(tensor[:, :, piece] for tensor in parts)) for piece in _slices(lengths)], dim=1)
        others = torch.autograd.grad(expected.float().square().sum(), parts)
    except Exception:  # whatever it is that this card, driver or build of torch cannot do
        return False
    return all(_agree(one, other) for one, other in zip((found, *gradients), (expected, *others), strict=True))


def _slices(lengths: Sequence[int]) -> list[slice]:
    """Where samples of these lengths stand in a sequence."""
    ends = list(accumulate(lengths))
    return [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]


def _one(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """SDPA's result for a sample by itself, tokens before heads."""
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(query, key, value, is_causal=True, enable_gqa=True).transpose(1, 2)


def _agree(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two results of half precision are the same but for rounding."""
    apart = (found.float() - expected.float()).norm() / expected.float().norm()
    return bool(apart < 0.02)
