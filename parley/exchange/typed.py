"""The typed twin: episodes with their ratings as a table whose columns have one type each, for `datasets.load_dataset`.

The released file cannot be loaded so: its rewards mix numbers and objects in one list.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from parley.errors import ParleyError
from parley.exchange.episodes import World
from parley.exchange.sotopia.goal import written_goal
from parley.records.episode import Episode
from parley.records.frames import write_parquet
from parley.records.published import published
from parley.records.rating import SCHEMA as RATING
from parley.records.rating import Rating, ratings_frame

_TURN = {
    "seat": pl.Int8(),
    "speaker": pl.String(),
    "action_type": pl.String(),
    "argument": pl.String(),
    "call": pl.String(),
    "attempts": pl.Int16(),
    "repaired": pl.Boolean(),
}
_OF_EPISODE = ("episode", "task", "cast", "name", "player", "partner", "replicate")
_RATED = {key: kind for key, kind in RATING.items() if key not in _OF_EPISODE}

#: One row an episode. Scores are null where a rating failed; `scenario` and `goals` are null where the task is not given.
SCHEMA: dict[str, pl.DataType] = {
    "episode": pl.String(),
    "task": pl.String(),
    "task_id": pl.String(),
    "scenario": pl.String(),
    "goals": pl.List(pl.String()),
    "cast": pl.List(pl.String()),
    "names": pl.List(pl.String()),
    "players": pl.List(pl.String()),
    "replicate": pl.Int32(),
    "ending": pl.String(),
    "failure": pl.String(),
    "turns": pl.List(pl.Struct(_TURN)),
    "ratings": pl.List(pl.Struct(_RATED)),
}


def typed_frame(episodes: Iterable[Episode], ratings: Iterable[Rating], world: World) -> pl.DataFrame:
    """Episodes in their order, each with its ratings by any number of judges, with the columns of `SCHEMA`."""
    by_episode: dict[str, list[dict[str, Any]]] = {}
    for row in ratings_frame(list(ratings)).iter_rows(named=True):
        by_episode.setdefault(row["episode"], []).append({key: row[key] for key in _RATED})
    rows = []
    for episode in episodes:
        task = (world.tasks or {}).get(episode.task)
        rows.append(
            {
                **episode.model_dump(exclude={"turns"}),
                "episode": episode.id,
                "scenario": task.scenario if task else None,
                "goals": [written_goal(goal) for goal in task.goals] if task else None,
                "turns": [
                    {**turn.model_dump(exclude={"action"}), **turn.action.model_dump()} for turn in episode.turns
                ],
                "ratings": by_episode.get(episode.id, []),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def write_typed(path: str | Path, frame: pl.DataFrame) -> None:
    """Write the table as its name says, `.parquet` or `.jsonl`. Parquet keeps the types even of columns that are empty."""
    path = Path(path)
    if path.suffix == ".parquet":
        write_parquet(path, frame)
    elif path.suffix == ".jsonl":
        with published(path) as part:
            frame.write_ndjson(part)
    else:
        raise ParleyError(f"{path}: the name must end in .parquet or .jsonl")
