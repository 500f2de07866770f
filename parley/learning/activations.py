"""Activations: the bytes that a decoder keeps of a token from its way forward until its way back."""

from typing import Any, NamedTuple

#: Bytes of a number in half and in full precision.
_HALF, _FULL = 2, 4


class Activations(NamedTuple):
    """Bytes a token: all that is kept (`whole`), and what is kept where layers are computed twice (`checkpointed`)."""

    whole: int
    checkpointed: int


def activations(config: Any, rank: int, dropout: float) -> Activations:
    """Of a Llama or Mistral-like decoder of this configuration, with LoRA of `rank` on every linear map of its layers.

    Weights and activations are in half precision, the LoRA in full precision under autocast, attention by a kernel that
    keeps no scores. Counted is what autograd saves in such a layer, and found so by its hooks
    (tests/test_learning_passage.py). Computing layers twice leaves the input of each, and one of them at a time whole.
    """
    hidden, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    queries = heads * (getattr(config, "head_dim", None) or hidden // heads)
    norms = 2 * _FULL * hidden  # their input, in full precision
    adapters = _HALF * (6 * hidden + inner + 7 * rank)  # the input of each LoRA and what it makes of it
    masks = 6 * hidden + inner if dropout else 0  # one byte each
    feed = 3 * _HALF * inner  # gate, its activation, and what is multiplied with it
    attention = (
        4 * _HALF * queries + _FULL * heads
    )  # queries, keys and values at most as wide, the result; the scores' sums
    layer = norms + adapters + masks + feed + attention
    layers = config.num_hidden_layers
    return Activations(whole=layers * layer, checkpointed=layers * _HALF * hidden + layer)
