"""What a training computes, and what cards could compute: the two sides of MFU.

MFU (model FLOPs utilisation) is what the samples ask for, over what the card could have computed meanwhile; padding, and
layers that are computed twice, do not count as asked for (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from parley.learning.tokens import Encoded

#: FLOP/s in bf16 with sums in fp32, without sparsity, from NVIDIA's data sheets (A100: 2021, H100: 2023, H200: 2024) and
#: the white paper of the Ada architecture (2022; RTX 4090); sheets that give figures with sparsity are halved. Looked up
#: in November 2026. The first name counts that is part of what the driver calls the card.
PEAKS = {
    "H200 NVL": 835.5e12,
    "H200": 989.5e12,
    "H100 NVL": 835.5e12,
    "H100 PCIe": 756.5e12,
    "H100": 989.5e12,
    "A100": 312e12,
    "RTX 4090": 165.2e12,
}
#: The linear maps of a Llama or Mistral layer.
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def peak(card: str) -> float | None:
    """The card's FLOP/s; None for one that is not in the table, and for a processor."""
    return next((flops for name, flops in PEAKS.items() if name.lower() in card.lower()), None)


def sizes(config: Any) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each linear map of a layer."""
    hidden, inner = config.hidden_size, config.intermediate_size
    width = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
    queries, keys = config.num_attention_heads * width, config.num_key_value_heads * width
    widths = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    return dict(zip(LINEAR, [*widths, (hidden, inner), (hidden, inner), (inner, hidden)], strict=True))


def asked(config: Any, samples: Iterable[Encoded], rank: int, adapted: Sequence[str] = LINEAR) -> float:
    """FLOPs that a LoRA training on `samples` asks for, each once, forward and back.

    A weight of the frozen base costs a token 2 forward and 2 back, for what is passed on: it has no gradient of its own,
    for which a full training pays another 2 (so that the common 6 a weight would say 1.5 times as much here). A weight of
    the adapter costs 6. The output layer is computed for answer tokens alone. Attention is causal and within a sample:
    for n tokens n² · width forward, twice that back, each for the scores and for the sums over values.
    """
    maps = sizes(config)
    base = sum(inputs * outputs for inputs, outputs in maps.values())
    adapter = sum(rank * sum(maps[name]) for name in adapted)
    queries = maps["q_proj"][1]
    total = 0.0
    for sample in samples:
        tokens = len(sample.ids)
        layer = tokens * (4 * base + 6 * adapter) + 6 * tokens**2 * queries
        total += config.num_hidden_layers * layer
        total += 4 * config.hidden_size * config.vocab_size * (tokens - sample.prompt)
    return total
