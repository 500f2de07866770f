"""Material: the files that the tables of an experiment are made from, read when a table asks for them."""

from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from parley.canonical import file_digest
from parley.evaluation.people import PEOPLE, averaged, raters_of, read_marks
from parley.evaluation.provenance import spoken_by
from parley.evaluation.scores import places, scores, seats_of
from parley.layout import Layout
from parley.records.jsonl import read_json
from parley.records.rating import read_ratings
from parley.records.score import Provenance
from parley.records.task import Cast, read_tasks
from parley.tables.cells import RatedBy
from parley.tables.published import Beside
from parley.tables.views import View


class Material:
    """An experiment's results as the tables take them. Raises `ParleyError` for a file that is missing or broken."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.experiment = layout.experiment
        self.beside = Beside(layout.experiment)
        self._ratings: dict[tuple[str, str], pl.DataFrame] = {}
        self._places: dict[str, set[tuple[str, Cast]]] = {}

    # -- ratings -----------------------------------------------------------------------------------------------

    def rated(self, view: View, player: str, by: RatedBy, side: str = "player") -> pl.DataFrame:
        """The rated seats of `player` in a view (or of its partner there), failed ones too."""
        who, other = self._sides(view, player, side)
        return seats_of(self._by(view, player, by), who, other, self.places(view))

    def scores(self, view: View, player: str, by: RatedBy, side: str = "player") -> pl.DataFrame:
        """The scores of `player` (or of its partner), both seats pooled: the columns of `records.score.SCHEMA`."""
        who, other = self._sides(view, player, side)
        judge = view.settings.judge if by == "judge" else self.raters
        source = Provenance(
            policy=who,
            evaluation=view.evaluation,
            partner=other,
            judge=judge,
            policy_model=self.model(who),
            partner_model=self.model(other),
            judge_model=self.model(judge) if by == "judge" else "",
            judge_prompt=self.rating_prompt if by == "judge" else "",
        )
        ratings = self._by(view, player, by)
        table = scores(ratings, source, self.places(view), self.experiment.play.replicates)
        return table.filter(pl.col("seat").is_null())

    @cached_property
    def rating_prompt(self) -> str:
        """The digest of what the judge was asked with."""
        return file_digest(self.experiment.prompts.rating)

    @cached_property
    def marks(self) -> pl.DataFrame | None:
        """What each rater gave; None as long as nobody has rated."""
        path = self.layout.people()
        return None if path is None else read_marks(path)

    @cached_property
    def people(self) -> pl.DataFrame | None:
        """What people rated, a row a seat; None as long as nobody has."""
        return None if self.marks is None else averaged(self.marks)

    @property
    def raters(self) -> str:
        """What the people that rated are called: they may be simulated."""
        return PEOPLE if self.marks is None else raters_of(self.marks)

    def model(self, player: str) -> str:
        """What stands behind a player's name."""
        manifests = [Path(path) for path in self.layout.manifests([player])]
        return spoken_by(self.experiment, player, manifests)

    def _by(self, view: View, player: str, by: RatedBy) -> pl.DataFrame:
        if by == "people":
            assert self.people is not None
            return self.people
        key = (view.evaluation, player)
        if key not in self._ratings:
            self._ratings[key] = read_ratings(self.layout.study_ratings(player, view.settings))
        return self._ratings[key]

    def places(self, view: View) -> set[tuple[str, Cast]]:
        """The tasks and casts of a view."""
        if view.name not in self._places:
            tasks = [task for path in self.layout.tasks(view.settings.tasks) for task in read_tasks(path)]
            self._places[view.name] = places(view.settings, tasks)
        return self._places[view.name]

    @staticmethod
    def _sides(view: View, player: str, side: str) -> tuple[str, str]:
        partner = view.settings.partner
        return (player, partner) if side == "player" else (partner, player)

    # -- studies -----------------------------------------------------------------------------------------------

    def safety(self) -> dict[str, list[dict[str, Any]]]:
        """The summary of the safety study by player; empty without one."""
        return {Path(path).stem: read_json(path) for path in self._side("safety")}

    def knowledge(self) -> dict[str, dict[str, Any]]:
        """What the knowledge test found by policy; empty without one."""
        return {Path(path).stem: read_json(path) for path in self._side("knowledge")}

    def _side(self, study: str) -> list[str]:
        return [path for path in self.layout.side_effects() if Path(path).parent.name == study]
