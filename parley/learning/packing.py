"""Packing: the samples of a batch one after the other in few sequences, so that no time goes into padding.

Every sample keeps its own positions, from 0, and sees itself alone: where positions begin anew, transformers separates
(block-diagonal masks for SDPA, sequence lengths for flash attention). A step trains on the same samples as without
packing, with the same loss; only how they go through the model is another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling


def packs(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """The indices of samples in sequences of at most `limit` tokens; a sample that is longer is one by itself.

    First fit in decreasing order, which takes at most 11/9 of the fewest sequences possible, and one more (Johnson 1973).
    The same lengths give the same packs; in each the indices ascend.
    """
    found: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        place = next((place for place, left in enumerate(room) if lengths[index] <= left), None)
        if place is None:
            found.append([index])
            room.append(limit - lengths[index])
        else:
            found[place].append(index)
            room[place] -= lengths[index]
    return [sorted(pack) for pack in found]


@dataclass
class PackedBatches(DataCollatorForLanguageModeling):  # type: ignore[misc,unused-ignore]
    """Makes of a step's samples the sequences `packs`, each as trl lays samples out without padding.

    Beside them stand all labels in a row, which the trainer counts to know what the loss is a mean of.
    """

    padding_free: bool = True
    limit: int = 4096

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch of `examples`, which hold `input_ids` and `labels`."""
        chosen = packs([len(example["input_ids"]) for example in examples], self.limit)
        sequences = [super(PackedBatches, self).torch_call([examples[index] for index in pack]) for pack in chosen]
        return {"labels": torch.cat([one["labels"] for one in sequences], dim=1), "packs": sequences}
