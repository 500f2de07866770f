"""Who spoke under a name: what stands behind a number."""

from collections.abc import Iterable
from pathlib import Path

from parley.canonical import canonical_json
from parley.config import Experiment
from parley.records.jsonl import read_json


def spoken_by(experiment: Experiment, player: str, manifests: Iterable[Path]) -> str:
    """Who spoke under a player's name, as provenance: the model's identity, and the adapter's hash if it has one."""
    identity = experiment.model_of(player).identity()
    for path in manifests:
        manifest = read_json(path)
        identity |= {key: manifest[key] for key in ("adapter", "weights") if manifest.get(key)}
    return canonical_json(identity)
