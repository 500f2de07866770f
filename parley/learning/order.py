"""The order of training: epochs shuffled by a seed, with samples of like length in one batch, where padding is cheap."""

import math
import random
from collections.abc import Sequence

from parley.canonical import seed_from

#: Batches among which samples are sorted by length. More save more padding, fewer mix more.
WINDOW = 32


def training_order(lengths: Sequence[int], batch: int, epochs: float, seed: int) -> list[int]:
    """Indices of samples in the order of training: `epochs` times all of them, to the nearest whole sample.

    Every epoch is a shuffle of its own. Within windows of `WINDOW` batches samples are sorted by length and cut into
    batches, and the batches are shuffled, so that length and time do not go together. Only the last batch may be short.
    The order depends on the arguments alone.
    """
    stream: list[int] = []
    for epoch in range(math.ceil(epochs)):
        indices = list(range(len(lengths)))
        random.Random(seed_from("epoch", seed, epoch)).shuffle(indices)
        stream += indices
    stream = stream[: max(1, round(epochs * len(lengths)))]
    ordered: list[int] = []
    for start in range(0, len(stream), WINDOW * batch):
        window = sorted(stream[start : start + WINDOW * batch], key=lambda index: lengths[index])
        batches = [window[first : first + batch] for first in range(0, len(window), batch)]
        short = [batches.pop()] if len(batches[-1]) < batch else []
        random.Random(seed_from("window", seed, start)).shuffle(batches)
        ordered += [index for group in [*batches, *short] for index in group]
    return ordered
