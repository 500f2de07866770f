"""Raters: what people said of each seat, as the reading page sets it beside the judge."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from parley.evaluation.people import COLUMNS
from parley.records.episode import Episode
from parley.records.frames import read_parquet
from parley.records.rating import KEYS

#: Where an episode is found among people's ratings: its task, cast, replicate and players in seat order.
Place = tuple[str, str, int, tuple[str, str]]
Row = dict[str, Any]


class Raters:
    """The rows that people gave, by episode."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._by_episode: dict[str, list[Row]] = {}
        self._by_place: dict[Place, list[Row]] = {}
        rows = list(rows)
        #: Raters are numbered, so that no page names them.
        self.numbers = {name: place for place, name in enumerate(sorted({str(row["rater"]) for row in rows}), start=1)}
        #: Whether models rated in people's place, be it only some.
        self.simulated = any(row.get("simulated") for row in rows)
        for row in rows:
            if row.get("episode"):
                self._by_episode.setdefault(str(row["episode"]), []).append(row)
            else:
                self._by_place.setdefault(_place(row), []).append(row)

    def of(self, episode: Episode) -> list[Row]:
        """What people said of an episode: one row a rater and seat, by seat and rater."""
        place = (episode.task, "+".join(episode.cast), episode.replicate, episode.players)
        rows = [*self._by_episode.get(episode.id, []), *self._by_place.get(place, [])]
        return sorted(rows, key=lambda row: (row["seat"], str(row["rater"])))


def read_raters(path: Path) -> Raters:
    """People's ratings as a file has them: `parley.evaluation.people` says which columns those are.

    Reasons (`{dimension}_reason`) are shown where the file has them.
    """
    table = read_parquet(path)
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise LookupError(f"it has no column {missing[0]!r}")
    return Raters(table.with_columns(pl.col(key).cast(pl.Float64) for key in KEYS).iter_rows(named=True))


def _place(row: Row) -> Place:
    mine, other = str(row["player"]), str(row["partner"])
    players = (mine, other) if row["seat"] == 0 else (other, mine)
    return str(row["task"]), str(row["cast"]), int(row.get("replicate") or 0), players
