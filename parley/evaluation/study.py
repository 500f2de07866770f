"""A human study: people's ratings of an experiment's episodes, beside those of its judge."""

from collections.abc import Iterator
from functools import cached_property

import polars as pl

from parley.errors import ParleyError
from parley.evaluation.calibration import Rated, rated, sampled
from parley.evaluation.people import SEAT, averaged, read_marks
from parley.evaluation.scores import Places, places
from parley.layout import Layout
from parley.records.rating import SCHEMA, read_ratings
from parley.records.task import Cast, read_tasks


class Study:
    """People's ratings as far as they belong to an experiment.

    Raises `ParleyError` for a file that is missing or broken, and where none of the seats is one of the experiment's.
    """

    def __init__(self, layout: Layout) -> None:
        path = layout.people()
        if path is None:
            raise ParleyError("nobody has rated yet; give people's ratings (`human_ratings` in the config)")
        self.layout, self.path = layout, path
        self.experiment = layout.experiment
        self.marks = read_marks(path)
        self.people = averaged(self.marks)
        self._ratings: dict[tuple[str, str], pl.DataFrame] = {}

    @property
    def simulated(self) -> bool:
        """Whether any of the ratings is not by a person."""
        return bool(self.marks["simulated"].any())

    @cached_property
    def places(self) -> dict[str, Places]:
        """The tasks and casts of every evaluation."""
        found: dict[str, Places] = {}
        for name, study in self.experiment.evaluations.items():
            tasks = [task for path in self.layout.tasks(study.tasks) for task in read_tasks(path)]
            found[name] = places(study, tasks)
        return found

    @cached_property
    def evaluations(self) -> list[str]:
        """Those of which people's seats can be a fair sample."""
        seen: set[tuple[str, Cast]] = set()
        for task, cast in self.people.select("task", "cast").unique().iter_rows():
            first, _, second = cast.partition("+")
            seen.add((task, (first, second)))
        return sampled(self.places, seen)

    def rated(self) -> dict[tuple[str, str], Rated]:
        """By evaluation and player: the seats of those players of whom people rated some."""
        found = {}
        for name in self.evaluations:
            study = self.experiment.evaluations[name]
            for player in self.experiment.measured():
                source = {"player": player, "partner": study.partner, "evaluation": name, "judge": study.judge}
                seats = rated(self._judge(name, player), self.people, source, self.places[name])
                if seats.by_people:
                    found[name, player] = seats
        if self.people.height and not found:
            raise ParleyError(
                f"{self.path}: none of the {self.people.height} seats that people rated is played in an evaluation of "
                "this experiment; rate its episodes, or take `human_ratings` out of the config"
            )
        return found

    def judged(self) -> pl.DataFrame:
        """Every seat that the judge rated in an evaluation that people's are of, their partners' too, each once."""
        judge = next((self.experiment.evaluations[name].judge for name in self.evaluations), None)
        tables = [
            self._judge(name, player)
            for name, study in self.experiment.evaluations.items()
            for player in self.experiment.measured()
            if study.judge == judge
        ]
        whole = pl.concat([pl.DataFrame(schema=SCHEMA), *tables])
        return whole.unique(SEAT, keep="first", maintain_order=True)

    def told(self) -> Iterator[str]:
        """What a reader of the log should know of the ratings."""
        raters = self.marks["rater"].n_unique()
        yield f"{self.marks.height} ratings by {raters} raters of {self.people.height} seats; {self._of()}"
        known = self.judged().select(SEAT)
        unknown = self.people.join(known, on=SEAT, how="anti").sort(SEAT)
        if unknown.height:
            task, cast, seat, _, player, _ = unknown.select(SEAT).row(0)
            yield (
                f"{unknown.height} seats that people rated are not of this experiment's evaluations and count nowhere, "
                f"the first: {player} in seat {seat} of task {task!r}, cast {cast}"
            )
        for name in self.experiment.evaluations:
            if name not in self.evaluations:
                yield f"{name} is not calibrated: people rated none of it, or only tasks of a narrower evaluation"

    def _of(self) -> str:
        return f"a sample of {', '.join(self.evaluations)}" if self.evaluations else "of no evaluation"

    def _judge(self, evaluation: str, player: str) -> pl.DataFrame:
        key = (evaluation, player)
        if key not in self._ratings:
            study = self.experiment.evaluations[evaluation]
            self._ratings[key] = read_ratings(self.layout.study_ratings(player, study))
        return self._ratings[key]
