"""Where an experiment's files lie (one noun per folder), and which of them each step needs."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from parley.canonical import digest
from parley.config import Evaluation, Experiment, LearnsFrom, Safety, Seats
from parley.records.jsonl import write_text

#: Where published numbers lie, one file a paper.
PUBLISHED = Path(__file__).resolve().parents[1] / "resources" / "published"

#: The files of a dataset folder.
DATASET = ("train.parquet", "README.md", "funnel.json", "manifest.json")
#: The paper's tables (and its Figure 4) that every experiment has, and the forms of each.
TABLES = ("table_1", "table_2", "table_3", "table_4", "table_5", "table_6", "table_7", "table_8", "table_9", "figure_4")
FORMS = ("csv", "md", "tex")
#: The forms of the figure besides.
DRAWN = ("svg", "pdf")


class Layout:
    """The paths of one experiment's files, as text: what Snakemake's rules name and what a person types."""

    def __init__(self, experiment: Experiment, root: str = "results") -> None:
        self.experiment = experiment
        self.results = f"{root}/{experiment.experiment}"
        self.report = f"{self.results}/report/index.html"
        self.report_episodes = f"{self.results}/report/episodes"
        self.report_figures = f"{self.results}/report/figures"
        self.resolved = f"{self.results}/experiment.json"

    @property
    def draft(self) -> str:
        """The resolved config for who only looks ahead: the one that a run works by may be another."""
        return f".parley/drafts/{self.experiment.experiment}-{digest(self.experiment.model_dump(mode='json'), 12)}.json"

    def publish(self, draft: bool = False) -> None:
        """Write the resolved config, which the scripts read, if it is not there already."""
        text = json.dumps(self.experiment.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
        path = Path(self.draft if draft else self.resolved)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)

    # -- names of files ----------------------------------------------------------------------------------------

    def shards(self, task_set: str) -> list[str]:
        """The shard names of a task set: 00, 01, …"""
        return [f"{number:02d}" for number in range(self.experiment.task_sets[task_set].shards)]

    def tasks(self, task_set: str) -> list[str]:
        """The files of a task set, one a shard."""
        return [self.shard(task_set, shard) for shard in self.shards(task_set)]

    def shard(self, task_set: str, shard: str) -> str:
        """One file of a task set."""
        return f"{self.results}/tasks/{task_set}/{shard}.jsonl"

    def source(self, task_set: str) -> str:
        """The uncut, uncast tasks of a set: the file that the config names, or what the writer wrote."""
        return self.experiment.task_sets[task_set].file or f"{self.results}/tasks/{task_set}/written.jsonl"

    def funnel(self, task_set: str) -> list[str]:
        """What became of the keywords of a written set: complete if and only if its writing was. None for a file."""
        written = self.experiment.task_sets[task_set].file is None
        return [f"{self.results}/tasks/{task_set}/written.funnel.json"] if written else []

    def casts(self, task_set: str) -> list[str]:
        """How many tasks and casts each shard of a task set has: complete if and only if its casting was."""
        return [f"{self.results}/tasks/{task_set}/{shard}.casts.json" for shard in self.shards(task_set)]

    def episodes(self, task_set: str, players: Seats) -> list[str]:
        """The episodes of two players on a task set."""
        folder = f"{self.results}/episodes/{task_set}/{'+'.join(players)}"
        return [f"{folder}/{shard}.jsonl" for shard in self.shards(task_set)]

    def ratings(self, task_set: str, players: Seats, judge: str) -> list[str]:
        """A judge's ratings of those episodes."""
        folder = f"{self.results}/ratings/{task_set}/{'+'.join(players)}/{judge}"
        return [f"{folder}/{shard}.parquet" for shard in self.shards(task_set)]

    def swapped(self, task_set: str, players: Seats, judge: str) -> list[str]:
        """The same judge's ratings of those episodes with the two agents in the other order in the prompt."""
        folder = f"{self.results}/ratings/{task_set}/{'+'.join(players)}/{judge}/swapped"
        return [f"{folder}/{shard}.parquet" for shard in self.shards(task_set)]

    def judges(self, evaluation: str) -> str:
        """How the judges of an evaluation compare."""
        return f"{self.results}/judges/{evaluation}.json"

    def judgements(self, task_set: str, players: Seats, judge: str) -> list[str]:
        """A judge's answers to the questions of the safety study about those episodes."""
        folder = f"{self.results}/judgements/{task_set}/{'+'.join(players)}/{judge}"
        return [f"{folder}/{shard}.jsonl" for shard in self.shards(task_set)]

    def dataset(self, policy: str, file: str) -> str:
        """One of the files of the dataset that a policy learns from."""
        return f"{self.results}/datasets/{policy}/{file}"

    def policy(self, policy: str) -> str:
        """The folder of a policy: its adapter and card."""
        return f"{self.results}/policies/{policy}"

    def manifest(self, policy: str) -> str:
        """The small file that stands for a policy's content: what consumers depend on."""
        return f"{self.results}/policies/{policy}.json"

    def scores(self, player: str, evaluation: str) -> str:
        """A player's scores in an evaluation."""
        return f"{self.results}/scores/{player}/{evaluation}.parquet"

    def versus(self, player: str, evaluation: str) -> str:
        """Paired differences of a player to the base policy in an evaluation."""
        return f"{self.results}/scores/{player}/{evaluation}.versus_{self.baseline}.parquet"

    def calibration(self) -> str:
        """The scores by people, by the judge and by both together."""
        return f"{self.results}/human/calibration.parquet"

    def calibration_versus(self) -> str:
        """The same of the differences to the base policy."""
        return f"{self.results}/human/calibration.versus_{self.baseline}.parquet"

    def agreement(self) -> str:
        """How alike people rate, and the judge with them."""
        return f"{self.results}/human/agreement.json"

    def pushed(self, policy: str, what: str) -> str:
        """The receipt of what of a policy (`dataset`, `adapter`) was pushed to the hub."""
        return f"{self.results}/hub/{policy}/{what}.json"

    def table(self, table: str, form: str = "csv") -> str:
        """One of the paper's tables in one of its forms."""
        return f"{self.results}/tables/{table}.{form}"

    def knowledge(self, policy: str) -> str:
        """What a policy answered in the knowledge test."""
        return f"{self.results}/knowledge/{policy}.json"

    def knowledge_versus(self, policy: str) -> str:
        """Whether a policy knows as much as the base policy."""
        return f"{self.results}/knowledge/{policy}.versus_{self.baseline}.json"

    # -- what depends on what ----------------------------------------------------------------------------------

    @property
    def baseline(self) -> str:
        """The policy that others are compared with: the first that is a model as it is."""
        return next(name for name, policy in self.experiment.policies.items() if policy.model is not None)

    def trained(self, players: Iterable[str]) -> list[str]:
        """Those of the players that are policies with an adapter."""
        return [name for name in dict.fromkeys(players) if self.experiment.trained(name)]

    def manifests(self, players: Iterable[str]) -> list[str]:
        """The manifests of those of the players that are policies."""
        return [self.manifest(name) for name in dict.fromkeys(players) if name in self.experiment.policies]

    def checkpoints(self, players: Iterable[str]) -> list[str]:
        """The weights files of the local models that the players are, or were trained from; large ones have several."""
        folders = dict.fromkeys(self.experiment.model_of(name).path for name in players)
        found: list[str] = []
        for folder in (Path(folder) for folder in folders if folder and Path(folder).is_dir()):
            # The usual name, for Snakemake to miss, where there is none.
            found += sorted(map(str, folder.glob("*.safetensors"))) or [str(folder / "model.safetensors")]
        return found

    def turn_prompt(self) -> list[str]:
        """What a turn's prompt is made with: the template, and the tokenizer that measures it if it is there."""
        play = self.experiment.play
        counted = [play.tokenizer] if play.tokenizer and Path(play.tokenizer).exists() else []
        return [self.experiment.prompts.turn, *counted]

    def learned_from(self, policy: str) -> LearnsFrom:
        """What a trained policy learns from. Raises KeyError for a policy that is not trained."""
        source = self.experiment.policies[policy].learns_from
        if source is None:
            raise KeyError(policy)
        return source

    def training_episodes(self, policy: str) -> list[str]:
        """The episodes that a policy's samples come from."""
        source = self.learned_from(policy)
        return [source.episodes] if source.episodes else self.episodes(source.tasks, source.players)

    def training_ratings(self, policy: str) -> list[str]:
        """The ratings that a policy's samples are selected by."""
        source = self.learned_from(policy)
        return [source.ratings] if source.ratings else self.ratings(source.tasks, source.players, source.judge)

    def study_episodes(self, player: str, study: Evaluation | Safety) -> list[str]:
        """The episodes of a player in a study, both seatings."""
        seatings = self.experiment.seatings(player, study.partner)
        return [path for players in seatings for path in self.episodes(study.tasks, players)]

    def study_ratings(self, player: str, study: Evaluation | Safety) -> list[str]:
        """The ratings of a player in a study, both seatings."""
        seatings = self.experiment.seatings(player, study.partner)
        return [path for players in seatings for path in self.ratings(study.tasks, players, study.judge)]

    def judged_plays(self, evaluation: str) -> list[tuple[str, Seats]]:
        """The task set and players of every play of an evaluation, each once."""
        study = self.experiment.evaluations[evaluation]
        seatings = [
            seats for player in self.experiment.measured() for seats in self.experiment.seatings(player, study.partner)
        ]
        return [(study.tasks, seats) for seats in dict.fromkeys(seatings)]

    def judges_inputs(self, evaluation: str) -> list[str]:
        """The files that the judges of an evaluation are compared by: tasks, episodes, and each judge's ratings."""
        study, plays = self.experiment.evaluations[evaluation], self.judged_plays(evaluation)
        rated = [path for play in plays for judge in study.judges for path in self.ratings(*play, judge)]
        again = [path for play in plays for judge in study.judges for path in self.swapped(*play, judge)]
        return [
            *self.tasks(study.tasks),
            *(path for play in plays for path in self.episodes(*play)),
            *rated,
            *(again if study.orders == "both" else []),
        ]

    def canary(self, judge: str) -> str:
        """How a judge's ratings of the frozen episodes have moved."""
        return f"{self.results}/canary/{judge}.json"

    def canary_marks(self, judge: str) -> str:
        """A judge's ratings of the frozen episodes on every date."""
        return f"{self.results}/canary/{judge}.parquet"

    def canary_files(self) -> list[str]:
        """The frozen episodes, with their tasks and characters."""
        canary = self.experiment.canary
        return [f"{canary.folder}/{name}.jsonl" for name in ("tasks", "characters", "episodes")] if canary else []

    def table_inputs(self, table: str) -> list[str]:
        """The files that one of the paper's tables is made from."""
        experiment = self.experiment
        published = [os.path.relpath(PUBLISHED / f"{experiment.published.paper}.yaml")] if experiment.published else []
        if table == "table_3":
            return [*(path for path in self.side_effects() if Path(path).parent.name == "safety"), *published]
        if table == "table_4":
            tested = [path for path in self.side_effects() if Path(path).parent.name == "knowledge"]
            return [*tested, *(self.all_policies() if tested else []), *published]
        studies, players = experiment.evaluations.values(), experiment.measured()
        ratings = [path for study in studies for player in players for path in self.study_ratings(player, study)]
        tasks = [path for study in studies for path in self.tasks(study.tasks)]
        partners = [study.partner for study in studies]
        found = [
            *ratings,
            *tasks,
            *self.manifests([*players, *partners]),
            experiment.prompts.rating,
            *([people] if (people := self.people()) else []),
            *published,
        ]
        return list(dict.fromkeys(found))

    def people(self) -> str | None:
        """The file of people's ratings: what the config names, else what simulated raters gave; None without either."""
        study = self.experiment.human
        simulated = study is not None and study.simulated_by is not None
        return self.experiment.human_ratings or (self.human("ratings.parquet") if simulated else None)

    def human(self, file: str) -> str:
        """A file of the study in which people rate episodes."""
        return f"{self.results}/human/{file}"

    def human_players(self) -> list[str]:
        """The players whose episodes people rate; none without a study."""
        study = self.experiment.human
        return [] if study is None else list(study.players or self.experiment.measured())

    def human_evaluation(self) -> Evaluation | None:
        """The evaluation whose episodes people rate; None without a study."""
        study = self.experiment.human
        return None if study is None else self.experiment.evaluations[study.evaluation]

    def human_episodes(self) -> list[str]:
        """The episodes that people's items are drawn from."""
        study, players = self.human_evaluation(), self.human_players()
        return list(dict.fromkeys(path for name in players if study for path in self.study_episodes(name, study)))

    def human_judged(self) -> list[str]:
        """The judge's ratings of those episodes."""
        study, players = self.human_evaluation(), self.human_players()
        return list(dict.fromkeys(path for name in players if study for path in self.study_ratings(name, study)))

    def annotations(self) -> list[str]:
        """What simulated raters gave; nothing where people are to rate."""
        study = self.experiment.human
        return [self.human("ratings.parquet")] if study is not None and study.simulated_by is not None else []

    def all_human(self) -> list[str]:
        """The files of the study in which people rate, as far as they are made here."""
        sampled = [self.human("items.jsonl"), self.human("key.parquet")] if self.experiment.human else []
        return [*sampled, *self.annotations()]

    def calibration_inputs(self) -> list[str]:
        """What the scores are calibrated from; nothing without people's ratings."""
        if (people := self.people()) is None:
            return []
        studies = self.experiment.evaluations.values()
        tasks = [path for study in studies for path in self.tasks(study.tasks)]
        ratings = [
            path for study in studies for name in self.experiment.measured() for path in self.study_ratings(name, study)
        ]
        return list(dict.fromkeys([people, *ratings, *tasks]))

    def study_judgements(self, player: str) -> list[str]:
        """What the judge says of a player in the safety study, both seatings; nothing where rules alone decide."""
        study = self.experiment.safety
        if study is None or study.decided_by == "rules":
            return []
        seatings = self.experiment.seatings(player, study.partner)
        return [path for players in seatings for path in self.judgements(study.tasks, players, study.judge)]

    def safety_seats(self, player: str) -> str:
        """What the safety study saw in each seat of a player."""
        return f"{self.results}/safety/{player}.seats.jsonl"

    def safety_families(self, player: str) -> str:
        """The same by family of risks, where tasks are tagged with one."""
        return f"{self.results}/safety/{player}.families.json"

    # -- everything of a kind: the targets that a person types --------------------------------------------------

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
                self.report_figures,
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
        stems += [*(f"tables/{table}" for table in TABLES), "tables/figure_4.drawing"]
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
        knowledge = [self.knowledge(name) for name in self.experiment.policies]
        safety = [f"{self.results}/safety/{name}.json" for name in self.experiment.measured()]
        return (knowledge if self.experiment.knowledge else []) + (safety if self.experiment.safety else [])

    def table_files(self, table: str) -> list[str]:
        """One of the paper's tables in all of its forms."""
        return [self.table(table, form) for form in (*FORMS, *(DRAWN if table.startswith("figure") else ()))]

    def all_tables(self) -> list[str]:
        """The paper's tables."""
        return [path for table in TABLES for path in self.table_files(table)]

    def all_seats(self) -> list[str]:
        """What the safety study saw of everything that is measured: seat by seat, and by family of risks."""
        players = self.experiment.measured() if self.experiment.safety else []
        return [*map(self.safety_seats, players), *map(self.safety_families, players)]

    def all_knowledge_versus(self) -> list[str]:
        """Whether each policy knows as much as the base policy."""
        others = [name for name in self.experiment.policies if name != self.baseline]
        return [self.knowledge_versus(name) for name in others] if self.experiment.knowledge else []

    def knowledge_files(self) -> list[str]:
        """The files of the knowledge test, and the prompt that it uses if answers are in free words."""
        test = self.experiment.knowledge
        if test is None:
            return []
        prompt = [] if test.way == "likelihood" else [self.experiment.prompts.knowledge]
        if test.source == "questions":
            return [test.test, test.dev, *prompt]
        folder = Path(test.path) if test.path else None
        files = [] if folder is None else [*folder.glob("*/*.parquet"), *folder.glob("*/*.csv")]
        wanted = [path for path in files if path.name.startswith(("test-", "dev-")) or path.suffix == ".csv"]
        return [*sorted(map(str, wanted)), *prompt]

    def trained_policies(self) -> list[str]:
        """The policies that have an adapter."""
        return [name for name in self.experiment.policies if self.experiment.trained(name)]

    def all_pushed(self, what: str) -> list[str]:
        """The receipts of all datasets, or of all adapters. No run asks for them."""
        return [self.pushed(policy, what) for policy in self.trained_policies()]

    def card_scores(self, policy: str) -> list[str]:
        """The scores that the card of a policy tells."""
        return [self.scores(policy, evaluation) for evaluation in self.experiment.evaluations]

    def card_differences(self, policy: str) -> list[str]:
        """The differences to the base policy that the card tells."""
        return [self.versus(policy, evaluation) for evaluation in self.experiment.evaluations]

    def base_policies(self) -> list[str]:
        """The policies that are a model as it is."""
        return [name for name in self.experiment.policies if not self.experiment.trained(name)]

    @staticmethod
    def study_texts() -> list[str]:
        """The texts of the study that raters learn by, and that decide who qualifies."""
        return sorted(os.path.relpath(path) for path in (Path(__file__).parent / "annotate" / "texts").glob("*.yaml"))

    @staticmethod
    def report_templates() -> list[str]:
        """The files that the page is made from besides results."""
        folder = Path(__file__).parent / "report" / "templates"
        return sorted(os.path.relpath(path) for path in folder.iterdir() if path.is_file())
