"""Which files each step needs."""

import os
from collections.abc import Iterable
from pathlib import Path

from parley.config import Evaluation, LearnsFrom, Safety, Seats
from parley.layout.names import Names

PACKAGE = Path(__file__).resolve().parents[1]
#: Where published numbers lie, one file a paper.
PUBLISHED = PACKAGE.parent / "resources" / "published"


class Needs(Names):
    """What depends on what."""

    def trained(self, players: Iterable[str]) -> list[str]:
        """Those of the players that are policies with an adapter."""
        return [name for name in dict.fromkeys(players) if self.experiment.trained(name)]

    def trained_policies(self) -> list[str]:
        """The policies that have an adapter."""
        return [name for name in self.experiment.policies if self.experiment.trained(name)]

    def base_policies(self) -> list[str]:
        """The policies that are a model as it is."""
        return [name for name in self.experiment.policies if not self.experiment.trained(name)]

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

    def study_judgements(self, player: str) -> list[str]:
        """What the judge says of a player in the safety study, both seatings; nothing where rules alone decide."""
        study = self.experiment.safety
        if study is None or study.decided_by == "rules":
            return []
        seatings = self.experiment.seatings(player, study.partner)
        return [path for players in seatings for path in self.judgements(study.tasks, players, study.judge)]

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

    def canary_files(self) -> list[str]:
        """The frozen episodes, with their tasks and characters."""
        canary = self.experiment.canary
        return [f"{canary.folder}/{name}.jsonl" for name in ("tasks", "characters", "episodes")] if canary else []

    def people(self) -> str | None:
        """The file of people's ratings: what the config names, else what simulated raters gave; None without either."""
        study = self.experiment.human
        simulated = study is not None and study.simulated_by is not None
        return self.experiment.human_ratings or (self.human("ratings.parquet") if simulated else None)

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

    def card_scores(self, policy: str) -> list[str]:
        """The scores that the card of a policy tells."""
        return [self.scores(policy, evaluation) for evaluation in self.experiment.evaluations]

    def card_differences(self, policy: str) -> list[str]:
        """The differences to the base policy that the card tells."""
        return [self.versus(policy, evaluation) for evaluation in self.experiment.evaluations]

    def knowledge_tests(self) -> list[str]:
        """The knowledge test of every policy; nothing without one."""
        return [self.knowledge(name) for name in self.experiment.policies] if self.experiment.knowledge else []

    def safety_studies(self) -> list[str]:
        """The safety study of everything that is measured; nothing without one."""
        return [self.safety(name) for name in self.experiment.measured()] if self.experiment.safety else []

    def table_inputs(self, table: str) -> list[str]:
        """The files that one of the paper's tables is made from."""
        experiment = self.experiment
        published = [os.path.relpath(PUBLISHED / f"{experiment.published.paper}.yaml")] if experiment.published else []
        if table == "table_3":
            return [*self.safety_studies(), *published]
        if table == "table_4":
            tested = self.knowledge_tests()
            return [*tested, *(self.manifests(experiment.policies) if tested else []), *published]
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

    @staticmethod
    def study_texts() -> list[str]:
        """The texts of the study that raters learn by, and that decide who qualifies."""
        return sorted(os.path.relpath(path) for path in (PACKAGE / "annotate" / "texts").glob("*.yaml"))

    @staticmethod
    def report_templates() -> list[str]:
        """The files that the page is made from besides results."""
        folder = PACKAGE / "report" / "templates"
        return sorted(os.path.relpath(path) for path in folder.iterdir() if path.is_file())
