"""A small experiment acted out in one process: the stages' own code, scripted speakers, real ledgers and result files.

Quick enough for tests that need a whole run behind them and neither Snakemake nor a server.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from parley.canonical import digest
from parley.config import Experiment, Seats, check
from parley.estimate.experience import gather
from parley.estimate.forecast import Calls, Forecast, by_model
from parley.estimate.foresight import foresee
from parley.estimate.plan import Job
from parley.estimate.priors import Priors
from parley.handmade import generate
from parley.layout import Layout
from parley.llm.call import Reply, Request
from parley.llm.identity import identity_of
from parley.llm.ledger import Ledger
from parley.llm.speaker import Speaker
from parley.llm.taken import Usage
from parley.playhouse.server import speak
from parley.records.character import read_characters, read_relationships
from parley.records.episode import Episode
from parley.records.frames import write_parquet
from parley.records.jsonl import read_jsonl, write_jsonl
from parley.records.judgement import Judgement
from parley.records.message import Message
from parley.records.rating import ratings_frame
from parley.records.task import Keyword, read_tasks
from parley.world.casting import draw_casts
from parley.world.judging import judge_episode
from parley.world.keywords import share_of
from parley.world.observation import Renderer
from parley.world.playing import parts, play_part
from parley.world.prompts import prompt
from parley.world.rating import rate_episode
from parley.world.writing import write_tasks


class Local:
    """A scripted speaker without a server: says what the playhouse would, and keeps the call in a ledger."""

    def __init__(self, script: str, identity: dict[str, Any], ledger: Ledger) -> None:
        self.script, self.identity, self.ledger = script, identity, ledger
        self.usage = Usage()

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        seed: int | None = None,
        replicate: int = 0,
    ) -> Reply:
        request = Request(self.identity, tuple(messages), seed, schema, replicate)
        if (known := self.ledger.get(request.key)) is not None:
            return known
        text = speak(self.script, cast(list[dict[str, str]], list(messages)), seed)
        length = sum(len(message["content"]) // 4 for message in messages)
        reply = Reply(request.key, text, "stop", length, max(1, len(text) // 4), 0, 0.01)
        self.ledger.put(request, reply)
        return reply


@dataclass
class Rehearsal:
    """An experiment in the current folder, whose policies, if any are trained, play as the expert does."""

    config: dict[str, Any]
    ledger: Path = Path("ledger")

    @property
    def experiment(self) -> Experiment:
        return check(self.config)

    @property
    def layout(self) -> Layout:
        return Layout(self.experiment)

    @property
    def results(self) -> Path:
        return Path(self.layout.results)

    # -- a run -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Every stage of every play, whatever is there already; what is in the ledger is not said anew."""
        for name, entry in self.experiment.task_sets.items():
            if entry.file is None:
                self.write(name)
            self.cast(name)
        for task_set, players, judge in self.layout.plays():
            for shard in self.layout.shards(task_set):
                self.play(task_set, players, shard)
                self.rate(task_set, players, judge, shard)
                if self.layout.judgements(task_set, players, judge)[0] in self.layout.all_judgements():
                    self.judge(task_set, players, judge, shard)

    def write(self, task_set: str) -> None:
        experiment, entry = self.experiment, self.experiment.task_sets[task_set]
        keywords = share_of(experiment, task_set, read_jsonl(experiment.world.keywords, Keyword))
        with Ledger(self.ledger / "tasks" / f"{task_set}.sqlite") as ledger:
            writer, templates = self._speaker(str(entry.writer), ledger), self._templates("task")
            known: list[Any] = []
            made = write_tasks(writer, *templates, keywords, entry.count or 0, known, entry.similarity, experiment.seed)
            tasks = asyncio.run(made).tasks
        generate(Path(self.layout.source(task_set)), "".join(task.model_dump_json() + "\n" for task in tasks), "")

    def cast(self, task_set: str) -> None:
        experiment, entry = self.experiment, self.experiment.task_sets[task_set]
        characters = read_characters(experiment.world.characters)
        pairs = read_relationships(experiment.world.relationships, characters)
        tasks = read_tasks(self.layout.source(task_set))
        for number, path in enumerate(self.layout.tasks(task_set)):
            lines = []
            for task in tasks:
                if task.shard(entry.shards) == number:
                    casts = draw_casts(task, entry.casts_for(task.tags), characters, pairs, experiment.seed)
                    lines.append(task.model_copy(update={"casts": casts}).model_dump_json() + "\n")
            generate(Path(path), "".join(lines), "")

    def play(self, task_set: str, players: Seats, shard: str) -> None:
        experiment = self.experiment
        tasks = {task.name: task for task in read_tasks(self.layout.shard(task_set, shard))}
        people = read_characters(experiment.world.characters)
        renderer = Renderer(prompt(experiment.prompts.turn), experiment.play, tasks, people)
        together = "+".join(players)
        with Ledger(self.ledger / "episodes" / task_set / together / f"{shard}.sqlite") as ledger:
            seated = [(name, self._speaker(name, ledger)) for name in players]
            retry = prompt(experiment.prompts.retry)

            async def all_parts() -> list[Episode]:
                wanted = parts(tasks.values(), experiment.play.replicates)
                return [await play_part(part, seated, renderer, retry, experiment.seed) for part in wanted]

            episodes = asyncio.run(all_parts())
        write_jsonl(self.results / "episodes" / task_set / together / f"{shard}.jsonl", episodes)

    def rate(self, task_set: str, players: Seats, judge: str, shard: str) -> None:
        experiment, together = self.experiment, "+".join(players)
        tasks = {task.name: task for task in read_tasks(self.layout.shard(task_set, shard))}
        people = read_characters(experiment.world.characters)
        episodes = read_jsonl(self.results / "episodes" / task_set / together / f"{shard}.jsonl", Episode)
        with Ledger(self.ledger / "ratings" / task_set / together / judge / f"{shard}.sqlite") as ledger:
            speaker, templates = (judge, self._speaker(judge, ledger)), self._templates("rating")

            async def all_episodes() -> list[Any]:
                made = []
                for one in episodes:
                    made += await rate_episode(one, tasks[one.task], people, speaker, *templates, experiment.seed)
                return made

            ratings = asyncio.run(all_episodes())
        path = self.results / "ratings" / task_set / together / judge / f"{shard}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(path, ratings_frame(ratings))

    def judge(self, task_set: str, players: Seats, judge: str, shard: str) -> None:
        experiment, together = self.experiment, "+".join(players)
        tasks = {task.name: task for task in read_tasks(self.layout.shard(task_set, shard))}
        people = read_characters(experiment.world.characters)
        episodes = read_jsonl(self.results / "episodes" / task_set / together / f"{shard}.jsonl", Episode)
        with Ledger(self.ledger / "judgements" / task_set / together / judge / f"{shard}.sqlite") as ledger:
            speaker, templates = (judge, self._speaker(judge, ledger)), self._templates("safety")

            async def all_episodes() -> list[Judgement]:
                return [
                    await judge_episode(one, tasks[one.task], people, speaker, *templates, experiment.seed)
                    for one in episodes
                ]

            judgements = asyncio.run(all_episodes())
        write_jsonl(self.results / "judgements" / task_set / together / judge / f"{shard}.jsonl", judgements)

    def _speaker(self, player: str, ledger: Ledger) -> Speaker:
        model = self.experiment.model_of(player)
        adapter = Path(self.layout.policy(player)) if self.experiment.trained(player) else None
        script = model.name if model.engine == "playhouse" else "expert"
        return cast(Speaker, Local(script, identity_of(model, adapter, Path(".parley")), ledger))

    def _templates(self, what: str) -> tuple[Any, Any]:
        prompts = self.experiment.prompts
        return prompt(getattr(prompts, what)), prompt(prompts.retry)

    # -- looking ahead -----------------------------------------------------------------------------------------

    def jobs(self, *rules: str, reason: str = "not there yet") -> list[Job]:
        """The jobs of a run, those of some rules or all that make calls and what is between, in order."""
        layout, found = self.layout, list[Job]()

        def add(rule: str, outputs: list[str], **wildcards: str) -> None:
            if not rules or rule in rules:
                found.append(Job(rule, wildcards, (reason,), outputs=tuple(outputs)))

        for name, entry in self.experiment.task_sets.items():
            if entry.file is None:
                add("write", [layout.source(name)], task_set=name)
            for shard in layout.shards(name):
                add("cast", [layout.shard(name, shard)], task_set=name, shard=shard)
        for task_set, players, judge in layout.plays():
            shards = zip(
                layout.shards(task_set),
                layout.episodes(task_set, players),
                layout.ratings(task_set, players, judge),
                strict=True,
            )
            for shard, episodes, ratings in shards:
                play = {"task_set": task_set, "players": "+".join(players), "shard": shard}
                add("play", [episodes], **play)
                add("rate", [ratings], **{**play, "judge": judge})
        for path in layout.all_judgements():
            *_, task_set, together, judge, file = Path(path).parts
            add("judge", [path], task_set=task_set, players=together, shard=Path(file).stem, judge=judge)
        return found

    def foresee(self, jobs: Sequence[Job] | None = None) -> list[Forecast]:
        """What these jobs, or a whole run, would do."""
        priors = Priors(self.experiment, gather(self.experiment, self.ledger))
        return foresee(self.jobs() if jobs is None else jobs, self.experiment, priors, self.ledger)


def sums(forecasts: Sequence[Forecast], rule: str = "") -> Calls:
    """All calls of a forecast, or of one rule, together."""
    calls = [call for forecast in forecasts for call in forecast.calls if rule in ("", forecast.job.rule)]
    total = Calls("all")
    for one in by_model(calls).values():
        total += one
    return total


def small(**changes: Any) -> dict[str, Any]:
    """Scripted players on a few tasks."""
    return {
        "experiment": "small",
        "seed": 3,
        "models": {
            "expert": {"engine": "playhouse", "name": "expert"},
            "partner": {"engine": "playhouse", "name": "partner"},
            "writer": {"engine": "playhouse", "name": "writer"},
            "judge": {"engine": "playhouse", "name": "judge", "temperature": 0},
        },
        "prompts": {"turn": "prompts/turn_short.jinja"},
        "task_sets": {"few": {"count": 8, "writer": "writer", "casts": 2, "shards": 2}},
        "play": {"max_turns": 8, "history": 6},
        "policies": {"base": {"model": "expert"}},
        "evaluations": {"all": {"tasks": "few", "partner": "partner", "judge": "judge"}},
        **changes,
    }


def fake_checkpoint(folder: Path, seed: str = "") -> Path:
    """A folder that passes for a checkpoint as long as nobody loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "mistral"}')
    (folder / "model.safetensors").write_text(f"weights {seed}")
    return folder


def fake_adapter(folder: Path, seed: str = "") -> Path:
    """A folder that passes for an adapter as long as nobody loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    (folder / "adapter_model.safetensors").write_text(f"adapter {digest(seed, 8)}")
    return folder
