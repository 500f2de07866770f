"""Everything of a kind: the targets that a person types."""

from collections.abc import Iterator
from pathlib import Path

from parley.config import Evaluation, Safety, Seats
from parley.layout.needs import Needs

#: The files of a dataset folder.
DATASET = ("train.parquet", "README.md", "funnel.json", "manifest.json")
#: The paper's tables (and its Figure 4) that every experiment has, and the forms of each.
TABLES = ("table_1", "table_2", "table_3", "table_4", "table_5", "table_6", "table_7", "table_8", "table_9", "figure_4")
FORMS = ("csv", "md", "tex")
#: The forms of a figure.
DRAWN = ("svg", "pdf")


class Layout(Needs):
    """The paths of one experiment's files, what each step needs of them, and everything of a kind."""

    def annotations(self) -> list[str]:
        """What simulated raters gave; nothing where people are to rate."""
        study = self.experiment.human
        return [self.human("ratings.parquet")] if study is not None and study.simulated_by is not None else []

    def all_human(self) -> list[str]:
        """The files of the study in which people rate, as far as they are made here."""
        sampled = [self.human("items.jsonl"), self.human("key.parquet")] if self.experiment.human else []
        return [*sampled, *self.annotations()]

    def plays(self) -> Iterator[tuple[str, Seats, str]]:
        """Every (task set, players, judge) that the experiment plays, once."""
        experiment = self.experiment
        wanted = [
            (source.tasks, source.players, source.judge)
            for policy in experiment.policies.values()
            if (source := policy.learns_from) is not None and source.played
        ]
        studies: list[tuple[Evaluation | Safety, tuple[str, ...]]] = [
            (study, study.judges) for study in experiment.evaluations.values()
        ]
        if experiment.safety is not None:
            studies.append((experiment.safety, (experiment.safety.judge,)))
        wanted += [
            (study.tasks, players, judge)
            for study, judges in studies
            for player in experiment.measured()
            for players in experiment.seatings(player, study.partner)
            for judge in judges
        ]
        yield from dict.fromkeys(wanted)

    def all_tasks(self) -> list[str]:
        """The files of every task set."""
        return [path for name in self.experiment.task_sets for path in [*self.tasks(name), *self.casts(name)]]

    def all_episodes(self) -> list[str]:
        """Every episode file."""
        found = [path for task_set, players, _ in self.plays() for path in self.episodes(task_set, players)]
        return list(dict.fromkeys(found))

    def all_ratings(self) -> list[str]:
        """Every rating file."""
        return [path for play in self.plays() for path in self.ratings(*play)]

    def all_swapped(self) -> list[str]:
        """Every file of ratings in the other order, where an evaluation asks for both."""
        both = [name for name, study in self.experiment.evaluations.items() if study.orders == "both"]
        found = [
            path
            for name in both
            for play in self.judged_plays(name)
            for judge in self.experiment.evaluations[name].judges
            for path in self.swapped(*play, judge)
        ]
        return list(dict.fromkeys(found))

    def all_judges(self) -> list[str]:
        """How the judges of every evaluation compare."""
        return [self.judges(name) for name in self.experiment.evaluations]

    def all_canaries(self) -> list[str]:
        """How every judge's ratings of the frozen episodes have moved; nothing if none are kept."""
        return [self.canary(judge) for judge in self.experiment.judges()] if self.experiment.canary else []

    def all_judgements(self) -> list[str]:
        """Every file of judgements."""
        found = [path for player in self.experiment.measured() for path in self.study_judgements(player)]
        return list(dict.fromkeys(found))

    def all_policies(self) -> list[str]:
        """Every policy's manifest."""
        return [self.manifest(policy) for policy in self.experiment.policies]

    def all_selections(self) -> list[str]:
        """What every trained policy's samples were selected from, and how many were kept."""
        found = [
            (f"{self.results}/selections/{name}.parquet", self.dataset(name, "funnel.json"))
            for name in self.trained_policies()
        ]
        return [path for pair in found for path in pair]

    def everything(self) -> list[str]:
        """Every file that the experiment consists of: one that is missing is made again, whoever needs it.

        That costs little: what it is made of is there, and where it comes out as it was nothing behind it runs.
        """
        written = [name for name, entry in self.experiment.task_sets.items() if entry.file is None]
        sources = [path for name in written for path in (self.source(name), *self.funnel(name))]
        datasets = [self.dataset(name, file) for name in self.trained_policies() for file in DATASET]
        folders = [self.policy(name) for name in self.experiment.policies]
        return [
            *(
                self.report,
                self.report_episodes,
                *sources,
                *self.all_tasks(),
                *self.all_episodes(),
                *self.all_ratings(),
            ),
            *(*self.all_selections(), *datasets, *folders, *self.all_policies(), *self.all_judgements()),
            *(*self.all_scores(), *self.side_effects(), *self.all_seats(), *self.all_knowledge_versus()),
            *(*self.all_swapped(), *self.all_judges(), *self.all_canaries()),
            *(str(Path(path).with_suffix(".parquet")) for path in self.all_canaries()),
            *(*self.all_tables(), *self.all_human(), *self.all_calibration(), *self.all_usage()),
        ]

    def all_usage(self) -> list[str]:
        """What the calls of every job took, where the job has model calls: beside each file that they made."""
        written = [name for name, entry in self.experiment.task_sets.items() if entry.file is None]
        made = [*self.all_episodes(), *self.all_ratings(), *self.all_judgements(), *self.all_swapped()]
        made += [*self.all_canaries(), *self.annotations()]
        stems = [str(Path(path).relative_to(self.results).with_suffix(".json")) for path in made]
        return [f"{self.results}/usage/{stem}" for stem in [*(f"tasks/{name}.json" for name in written), *stems]]

    def all_timings(self) -> list[str]:
        """What Snakemake measured of every job but the page's. A job that was not timed has none."""
        sets, trained = self.experiment.task_sets, self.trained_policies()
        written = [f"tasks/{name}" for name, entry in sets.items() if entry.file is None]
        cast = [f"casts/{name}/{shard}" for name in sets for shard in self.shards(name)]
        learned = [f"{step}/{name}" for step in ("selections", "datasets") for name in trained]
        policies = [f"policies/{name}" for name in self.experiment.policies]
        made = [*self.all_episodes(), *self.all_ratings(), *self.all_judgements(), *self.all_swapped()]
        made += self.all_canaries()
        made += [*self.all_judges(), *self.all_scores(), *self.side_effects(), *self.all_knowledge_versus()]
        made += [path for path in self.all_human() if not path.endswith("key.parquet")]
        stems = [Path(path).relative_to(self.results).with_suffix("").as_posix() for path in made]
        stems = [stem.replace(f".versus_{self.baseline}", ".versus") for stem in stems]
        stems += [f"tables/{table}" for table in TABLES]
        stems += ["human/calibration"] if self.all_calibration() else []
        return [f"{self.results}/timings/{stem}.tsv" for stem in [*written, *cast, *learned, *policies, *stems]]

    def all_scores(self) -> list[str]:
        """Every score file, with the differences to the baseline."""
        return [
            path
            for player in self.experiment.measured()
            for evaluation in self.experiment.evaluations
            for path in (
                self.scores(player, evaluation),
                *([self.versus(player, evaluation)] if player != self.baseline else []),
            )
        ]

    def all_calibration(self) -> list[str]:
        """Calibrated scores, their differences and the agreement: as soon as people have rated."""
        if self.people() is None or not self.experiment.evaluations:
            return []
        return [self.calibration(), self.calibration_versus(), self.agreement()]

    def side_effects(self) -> list[str]:
        """The knowledge test of every policy and the safety study of everything that is measured."""
        return [*self.knowledge_tests(), *self.safety_studies()]

    def table_files(self, table: str) -> list[str]:
        """One of the paper's tables in all of its forms."""
        return [self.table(table, form) for form in FORMS]

    def all_tables(self) -> list[str]:
        """The paper's tables."""
        return [path for table in TABLES for path in self.table_files(table)]

    def figure_4(self) -> list[str]:
        """The paper's figure, drawn."""
        return [self.table("figure_4", form) for form in DRAWN]

    def all_drawn(self) -> list[str]:
        """The page's figures and the paper's, as files for a paper. No run asks for them."""
        return [self.report_figures, *self.figure_4()]

    def all_seats(self) -> list[str]:
        """What the safety study saw of everything that is measured: seat by seat, and by family of risks."""
        players = self.experiment.measured() if self.experiment.safety else []
        return [*map(self.safety_seats, players), *map(self.safety_families, players)]

    def all_knowledge_versus(self) -> list[str]:
        """Whether each policy knows as much as the base policy."""
        others = [name for name in self.experiment.policies if name != self.baseline]
        return [self.knowledge_versus(name) for name in others] if self.experiment.knowledge else []

    def all_pushed(self, what: str) -> list[str]:
        """The receipts of all datasets, or of all adapters. No run asks for them."""
        return [self.pushed(policy, what) for policy in self.trained_policies()]
