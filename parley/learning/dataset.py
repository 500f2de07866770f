"""A dataset: the kept turns of a selection as training samples, in a folder that `datasets.load_dataset` reads."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from parley.canonical import canonical_json
from parley.errors import ParleyError
from parley.learning.card import card
from parley.learning.folder import new_folder, write_manifest
from parley.learning.selection import funnel
from parley.records.episode import Episode
from parley.records.message import Message
from parley.records.sample import SCHEMA

#: Gives the messages that were sent for turn number `int` (from 0) of an episode.
PromptOf = Callable[[Episode, int], list[Message]]

TABLE = "train.parquet"
FUNNEL = "funnel.json"
#: What a row is, for cards.
COLUMNS = (
    "Each row is one turn of a role-play that was selected for learning: `prompt` is what the agent was sent, "
    "`completion` its action as JSON, both as lists of chat messages. `episode`, `task`, `seat`, `turn` (from 0) "
    "and `call` say where the turn comes from."
)


@dataclass(frozen=True)
class Samples:
    """Training samples with the columns of `parley.records.sample.SCHEMA`, and how many turns were dropped and why."""

    frame: pl.DataFrame
    dropped: dict[str, int]


def samples(selection: pl.DataFrame, episodes: Iterable[Episode], prompt_of: PromptOf) -> Samples:
    """One sample for each turn of each kept seat, by task, cast, replicate, seat and turn.

    The prompt is what `prompt_of` gives: exactly what was sent at play. The completion is the action as the one JSON
    text that stands for it. Turns in which nothing was done are dropped and counted, as in the authors' pipeline.
    Raises `ParleyError` if the selection names an episode that is not among `episodes`.
    """
    by_id = {episode.id: episode for episode in episodes}
    kept = selection.filter("kept").sort("task", "cast", "replicate", "seat", "episode")
    rows: list[dict[str, Any]] = []
    dropped = Counter({"did nothing": 0})
    for episode_id, seat in kept.select("episode", "seat").iter_rows():
        if (episode := by_id.get(episode_id)) is None:
            raise ParleyError(
                f"the selection names episode {episode_id}, which is not among the episodes; build the selection again"
            )
        for number, turn in enumerate(episode.turns):
            if turn.seat == seat and turn.action.action_type == "none":
                dropped["did nothing"] += 1
            elif turn.seat == seat:
                rows.append(_sample(episode, episode_id, number, prompt_of))
    return Samples(pl.DataFrame(rows, schema=SCHEMA), dict(dropped))


def _sample(episode: Episode, episode_id: str, number: int, prompt_of: PromptOf) -> dict[str, Any]:
    turn = episode.turns[number]
    return {
        "prompt": prompt_of(episode, number),
        "completion": [{"role": "assistant", "content": turn.action.as_json()}],
        "episode": episode_id,
        "task": episode.task,
        "seat": turn.seat,
        "turn": number,
        "call": turn.call,
    }


def learned(samples: pl.DataFrame) -> str:
    """The SHA-256 of all that a model can learn from samples: their prompts and completions, in order."""
    total = hashlib.sha256()
    for row in samples.select("prompt", "completion").iter_rows():
        total.update(canonical_json(row).encode() + b"\n")
    return total.hexdigest()


def write_dataset(
    folder: Path,
    found: Samples,
    selection: pl.DataFrame,
    title: str,
    sources: Mapping[str, Any],
    note: str | None = None,
) -> None:
    """Write the dataset folder; the same content gives the same bytes.

    It holds `train.parquet`, the card `README.md`, `funnel.json` with the counts of what was kept and dropped, and
    `manifest.json`, which is about what is learned alone (`learned`): an edit that the selection drops, or the same talk
    from other calls, changes nothing that training depends on.

    `sources` are facts for the card, by name: the rule, the players, the task set, the judge. `note` stands first in
    the card, for instance that the talk is simulated.
    """
    kept, way = _kept(found), _funnel(found, selection)
    with new_folder(folder) as part:
        found.frame.write_parquet(part / TABLE)
        write_manifest(part, {"sha256": learned(found.frame), **kept})
        (part / FUNNEL).write_text(json.dumps(way, indent=1) + "\n", encoding="utf-8")
        (part / "README.md").write_text(_card({**kept, **way}, title, sources, note), encoding="utf-8")


def _kept(found: Samples) -> dict[str, Any]:
    return {
        "rows": len(found.frame),
        "episodes": found.frame["episode"].n_unique(),
        "tasks": found.frame["task"].n_unique(),
    }


def _funnel(found: Samples, selection: pl.DataFrame) -> dict[str, Any]:
    return {
        "candidates": len(selection),
        "kept": int(selection["kept"].sum()),
        "funnel": dict(funnel(selection).select("outcome", "candidates").iter_rows()),
        "dropped_turns": found.dropped,
    }


def _card(counts: Mapping[str, Any], title: str, sources: Mapping[str, Any], note: str | None) -> str:
    header = {
        "pretty_name": title,
        "task_categories": ["text-generation"],
        "tags": ["parley", "social-interaction"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": TABLE}]}],
    }
    loading = 'Load it with `datasets.load_dataset("path/to/this/folder")`.'
    facts = {
        "samples": counts["rows"],
        "from": f"{counts['episodes']} episodes of {counts['tasks']} tasks",
        "seats kept": f"{counts['kept']} of {counts['candidates']}",
        **{f"seats: {outcome}": number for outcome, number in counts["funnel"].items()},
        **{f"dropped turns: {why}": number for why, number in counts["dropped_turns"].items()},
    }
    return card(header, title, [*([note] if note else []), COLUMNS, loading], {**sources, **facts})
