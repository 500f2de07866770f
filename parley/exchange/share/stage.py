"""Staging: the folder that goes to the hub. The content is that of the run; the card and what names local paths are new."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parley.config import Experiment
from parley.errors import ParleyError
from parley.exchange.share import facts
from parley.exchange.share.adapter_card import Made, adapter_card
from parley.exchange.share.dataset_card import dataset_card
from parley.learning.dataset import FUNNEL, TABLE
from parley.learning.folder import file_digests, write_manifest
from parley.records.jsonl import read_json

CARD, MANIFEST, CONFIG = "README.md", "manifest.json", "adapter_config.json"


def stage_dataset(experiment: Experiment, policy: str, dataset: Path, out: Path, licence: str, repository: str) -> None:
    """Fill the folder `out` with the dataset of a policy and its card for the hub."""
    for name in (TABLE, FUNNEL, MANIFEST):
        _copy(dataset / name, out / name)
    counts: dict[str, Any] = {**read_json(dataset / MANIFEST), **read_json(dataset / FUNNEL)}
    (out / CARD).write_text(dataset_card(experiment, policy, counts, licence, repository), encoding="utf-8")


def stage_adapter(
    experiment: Experiment,
    policy: str,
    adapter: Path,
    made: Made,
    out: Path,
    licence: str,
    repository: str,
    base: str | None = None,
) -> None:
    """Fill the folder `out` with the adapter of a policy and its card for the hub.

    `base` is the base model's id on the hub, where the config does not tell it. In `adapter_config.json` it stands in
    place of a path of this machine.
    """
    base = base or facts.base_name(experiment, policy)
    for path in sorted(adapter.iterdir()):
        if path.is_file() and path.name not in (CARD, MANIFEST, CONFIG):
            _copy(path, out / path.name)
    config = read_json(adapter / CONFIG) | {"base_model_name_or_path": base}
    (out / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (out / CARD).write_text(adapter_card(experiment, policy, made, licence, base, repository), encoding="utf-8")
    manifest: Mapping[str, Any] = {key: value for key, value in made.manifest.items() if key != "files"}
    write_manifest(out, {**manifest, "files": file_digests(out)})


def _copy(path: Path, to: Path) -> None:
    try:
        shutil.copyfile(path, to)
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; build it first") from None
