"""Policies to come: which of them a run would find trained already, and which may come out as they are now."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from parley.canonical import digest
from parley.config import Experiment
from parley.errors import ParleyError
from parley.estimate.known import Known
from parley.estimate.plan import Job
from parley.learning.adapters import AdapterStore, adapter_key, library_versions, training_code
from parley.learning.dataset import learned, samples
from parley.learning.selection import select
from parley.llm.weights import adapter_identity, cache_folder, checkpoint_identity
from parley.records.character import read_characters
from parley.world.observation import Renderer
from parley.world.prompts import prompt


class Policies:
    """The adapters of the policies that are trained, as far as they can be told."""

    def __init__(self, experiment: Experiment, known: Known, store: Path) -> None:
        self._experiment = experiment
        self._known = known
        self._store = AdapterStore(store)
        self._jobs: dict[tuple[str, str], Job] = {}
        self._found: dict[str, Path | None] = {}

    def planned(self, jobs: Iterable[Job]) -> None:
        """Which jobs the run has."""
        self._jobs = {(job.rule, job.wildcards["policy"]): job for job in jobs if "policy" in job.wildcards}

    def adapter(self, policy: str) -> Path | None:
        """The folder of the adapter that the policy has or will have, None if that cannot be told."""
        if policy not in self._found:
            is_planned = ("train", policy) in self._jobs
            self._found[policy] = self._foreseen(policy) if is_planned else Path(self._known.layout.policy(policy))
        return self._found[policy]

    def former(self, policy: str) -> Path | None:
        """The adapter that the policy has now, if it may come out the same although it is trained again."""
        folder = Path(self._known.layout.policy(policy))
        job = self._jobs.get(("train", policy))
        if not (folder / "adapter_config.json").is_file() or (job is not None and job.own):
            return None
        before = [name for name in self._experiment.depends_on(policy) if self._experiment.trained(name)]
        same = all(self.adapter(name) == self.folder(name) or self.former(name) for name in before)
        return folder if same else None

    def folder(self, policy: str) -> Path:
        """Where the policy's adapter lies."""
        return Path(self._known.layout.policy(policy))

    def _foreseen(self, policy: str) -> Path | None:
        """The stored adapter that training would take instead of making it anew."""
        entry = self._experiment.policies[policy]
        parent: Path | None = None
        if entry.parent is not None and self._experiment.trained(entry.parent):
            parent = self.adapter(entry.parent)
            if parent is None:
                return None
        model = self._experiment.model_of(policy)
        try:
            if (dataset := self._dataset(policy)) is None:
                return None
            key = adapter_key(
                digest(checkpoint_identity(Path(str(model.path)), cache_folder())),
                adapter_identity(parent)["adapter"] if parent else None,
                dataset,
                entry.training,
                training_code(),
                library_versions(),
            )
        except (ParleyError, OSError, ModuleNotFoundError):
            return None
        return self._store.find(key)

    def _dataset(self, policy: str) -> str | None:
        """The hash of what would be learned, None if that cannot be told."""
        layout = self._known.layout
        if ("collect", policy) not in self._jobs:
            manifest = Path(f"{layout.results}/datasets/{policy}/manifest.json")
            return str(json.loads(manifest.read_text(encoding="utf-8"))["sha256"])
        source = layout.learned_from(policy)
        ratings = [self._known.ratings(path) for path in layout.training_ratings(policy)]
        played = [self._known.episodes(path) for path in layout.training_episodes(policy)]
        if any(one.unknown for one in played) or not (whole := _all(ratings)):
            return None
        tasks = [task for path in layout.tasks(source.tasks) for task in self._known.tasks(path).tasks]
        renderer = Renderer(
            prompt(self._experiment.prompts.turn),
            self._experiment.play,
            {task.name: task for task in tasks},
            read_characters(self._experiment.world.characters),
        )
        selection = select(pl.concat(whole), source.selection, players=set(source.players))
        found = samples(selection, [episode for one in played for episode in one.episodes], renderer.messages)
        return learned(found.frame)


def _all(frames: Sequence[pl.DataFrame | None]) -> list[pl.DataFrame]:
    """The frames, or none of them if one is missing."""
    there = [frame for frame in frames if frame is not None]
    return there if len(there) == len(frames) else []
