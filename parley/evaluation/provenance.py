"""Who spoke under a name: what stands behind a number."""

import json
from collections.abc import Iterable
from pathlib import Path

from parley.canonical import canonical_json
from parley.config import Experiment


def spoken_by(experiment: Experiment, player: str, manifests: Iterable[Path]) -> str:
    """Who spoke under a player's name, as provenance: the model's identity, and the adapter's hash if it has one."""
    identity = experiment.model_of(player).identity()
    for path in manifests:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        identity |= {key: manifest[key] for key in ("adapter", "weights") if manifest.get(key)}
    return canonical_json(identity)
