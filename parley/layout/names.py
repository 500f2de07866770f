"""Where an experiment's files lie, one noun per folder."""

import json
from pathlib import Path

from parley.canonical import digest
from parley.config import Experiment, Seats
from parley.records.jsonl import write_text


class Names:
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

    @property
    def baseline(self) -> str:
        """The policy that others are compared with: the first that is a model as it is."""
        return next(name for name, policy in self.experiment.policies.items() if policy.model is not None)

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

    def human(self, file: str) -> str:
        """A file of the study in which people rate episodes."""
        return f"{self.results}/human/{file}"

    def calibration(self) -> str:
        """The scores by people, by the judge and by both together."""
        return f"{self.results}/human/calibration.parquet"

    def calibration_versus(self) -> str:
        """The same of the differences to the base policy."""
        return f"{self.results}/human/calibration.versus_{self.baseline}.parquet"

    def agreement(self) -> str:
        """How alike people rate, and the judge with them."""
        return f"{self.results}/human/agreement.json"

    def canary(self, judge: str) -> str:
        """How a judge's ratings of the frozen episodes have moved."""
        return f"{self.results}/canary/{judge}.json"

    def canary_marks(self, judge: str) -> str:
        """A judge's ratings of the frozen episodes on every date."""
        return f"{self.results}/canary/{judge}.parquet"

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

    def safety(self, player: str) -> str:
        """What the safety study says of a player."""
        return f"{self.results}/safety/{player}.json"

    def safety_seats(self, player: str) -> str:
        """What the safety study saw in each seat of a player."""
        return f"{self.results}/safety/{player}.seats.jsonl"

    def safety_families(self, player: str) -> str:
        """The same by family of risks, where tasks are tagged with one."""
        return f"{self.results}/safety/{player}.families.json"
