"""A small but complete results folder, made through the real record classes from seeded numbers. For tests only."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from parley.canonical import seed_from
from parley.config import Experiment, check
from parley.evaluation.judges import compare_judges
from parley.evaluation.knowledge import summary
from parley.evaluation.noninferiority import verdicts
from parley.evaluation.safety import Rules, by_family, observe, summarize
from parley.evaluation.scores import paired, scores, seats_of
from parley.evaluation.toxicity import Lexicon
from parley.layout import TABLES, Layout
from parley.learning.dataset import samples, write_dataset
from parley.learning.selection import select
from parley.records.character import Character
from parley.records.episode import Action, Episode, Turn
from parley.records.frames import write_parquet
from parley.records.jsonl import write_jsonl, write_text
from parley.records.judgement import Judgement
from parley.records.rating import DIMENSIONS, Mark, Rating, ratings_frame, read_ratings
from parley.records.score import Provenance
from parley.records.task import Cast, Goal, Task
from parley.tables.catalogue import make
from parley.tables.cells import write_cells
from scripts.judges import bench

#: What a player's GOAL is around.
SKILL = {"base": 2.5, "bc": 5.5, "sr": 3.0, "bc_sr": 6.5, "expert": 8.0, "partner": 7.0}
CASTS: tuple[Cast, Cast] = (("c1", "c2"), ("c3", "c4"))
NAMES = {"c1": "Ana Ruiz", "c2": "Bo Lind", "c3": "Cem Kaya", "c4": "Dora Nagy"}
FAMILIES = ("sale", "plan", "favour")


def sample_experiment(folder: Path, **changes: object) -> Experiment:
    """The experiment of the sample; `changes` replace whole sections of the config."""
    config: dict[str, object] = {
        "experiment": "sample",
        "seed": 3,
        "models": {
            "agent": {"engine": "llamacpp", "name": "pocket", "path": "resources/pocket"},
            "expert": {"engine": "playhouse", "name": "expert"},
            "partner": {"engine": "playhouse", "name": "partner"},
            "writer": {"engine": "playhouse", "name": "writer"},
            "judge": {
                "engine": "openai",
                "name": "some-judge",
                "base_url": "https://judge.invalid/v1",
                "price": {"input": 2.0, "output": 8.0},
            },
        },
        "world": {"characters": str(folder / "characters.jsonl")},
        "task_sets": {
            "round1": {"count": 6, "writer": "writer", "casts": 2},
            "evaluation": {"file": str(folder / "evaluation.jsonl"), "casts": 2},
            "safety": {"file": str(folder / "safety.jsonl"), "casts": 2},
        },
        "policies": {
            "base": {"model": "agent"},
            "bc": {"parent": "base", "learns_from": _source("expert", "bc")},
            "sr": {"parent": "base", "learns_from": _source("base", "sr")},
            "bc_sr": {"parent": "bc", "learns_from": _source("bc", "sr")},
        },
        "references": ["expert"],
        "evaluations": {
            "all": {"tasks": "evaluation", "partner": "partner", "judge": "judge", "casts": 1},
            "hard": {"tasks": "evaluation", "partner": "partner", "judge": "judge", "tag": "hard"},
        },
        "knowledge": {"shots": 2},
        "safety": {"tasks": "safety", "partner": "partner", "judge": "judge"},
    }
    return check({**config, **changes})


def _source(player: str, rule: str) -> dict[str, object]:
    return {"players": [player, player], "tasks": "round1", "judge": "judge", "selection": rule}


def make_sample(folder: Path) -> tuple[Path, Experiment]:
    """Write everything below `folder` and return the results folder with its experiment."""
    experiment = sample_experiment(folder)
    layout = Layout(experiment, str(folder / "results"))
    people = [_character(key, name) for key, name in NAMES.items()]
    write_jsonl(folder / "characters.jsonl", people)
    for task_set, number in (("round1", 6), ("evaluation", 8), ("safety", 2)):
        write_jsonl(layout.tasks(task_set)[0], [_task(task_set, index) for index in range(number)])
    write_text(f"{layout.results}/tasks/round1/written.funnel.json", '{"kept": 6, "duplicate": 2, "invalid": 1}')
    for task_set, players, judge in layout.plays():
        tasks = [_task(task_set, index) for index in range({"round1": 6, "evaluation": 8, "safety": 2}[task_set])]
        episodes = [episode for task in tasks for episode in _episodes(task, players)]
        write_jsonl(layout.episodes(task_set, players)[0], episodes)
        rows = [rating for episode in episodes for rating in _ratings(episode, judge)]
        write_parquet(layout.ratings(task_set, players, judge)[0], ratings_frame(rows))
        _usage(layout, "episodes", f"{task_set}/{'+'.join(players)}", dict.fromkeys(players, 40))
        _usage(layout, "ratings", f"{task_set}/{'+'.join(players)}/{judge}", {judge: len(episodes)})
    _learning(layout)
    _scores(layout)
    for name in experiment.evaluations:
        write_text(layout.judges(name), json.dumps(compare_judges(bench(layout, name))))
    _side_effects(layout)
    for table in TABLES:
        write_cells(layout.table(table), make(table, layout))
    for stage, number in (("tasks/round1", 3.2), ("episodes/evaluation/base+partner/00", 61.0), ("policies/bc", 130.5)):
        write_text(
            f"{layout.results}/timings/{stage}.tsv", f"s\th:m:s\tmax_rss\tcpu_time\n{number}\t0:00:03\t210.5\t1\n"
        )
    return Path(layout.results), experiment


def _character(key: str, name: str) -> Character:
    first, last = name.split()
    return Character(
        id=key, first_name=first, last_name=last, age=30, gender="woman", pronouns="she/her", occupation="baker",
        public_info="Bakes.", secret=f"{first} never liked bread",
    )  # fmt: skip


def _task(task_set: str, index: int) -> Task:
    tags = (
        ("safety", "risk:legal_rights")
        if task_set == "safety"
        else (FAMILIES[index % 3], *(("hard",) if index % 2 else ()))
    )
    return Task(
        name=f"{task_set}_{index}",
        scenario=f"Two people meet at a market stall for the {index}th time.",
        goals=(Goal(text="You want to sell the lamp for $20."), Goal(text="You want the lamp for $10.")),
        relationship="friend",
        tags=tags,
        roles=("instigator", "bystander") if task_set == "safety" else None,
        casts=CASTS,
    )


def _episodes(task: Task, players: tuple[str, str]) -> Iterator[Episode]:
    for number, cast in enumerate(task.casts):
        random_ = random.Random(seed_from(task.name, players, number))
        failed = players == ("sr", "partner") and task.name == "evaluation_1" and number == 0
        acts = list(_acts(random_, 0 if failed else random_.randint(3, 7)))
        yield Episode(
            task=task.name,
            task_id=task.id,
            cast=cast,
            names=(NAMES[cast[0]], NAMES[cast[1]]),
            players=players,
            turns=tuple(
                Turn(seat=place % 2, speaker=NAMES[cast[place % 2]], action=act, call=f"{place:064x}")
                for place, act in enumerate(acts)
            ),
            ending="failed" if failed else "left",
            failure="seat 0, turn 1: connection lost" if failed else None,
        )


def _acts(random_: random.Random, number: int) -> Iterator[Action]:
    lines = ("How about $15 for the lamp?", "I could go down to $18.", "You are right, I will let it go.")
    for _ in range(number):
        yield Action(action_type="speak", argument=random_.choice(lines))
    yield Action(action_type="action", argument="puts the lamp back on the table")
    yield Action(action_type="none", argument="")
    yield Action(action_type="leave", argument="")


def _ratings(episode: Episode, judge: str) -> Iterator[Rating]:
    for seat in (0, 1):
        random_ = random.Random(seed_from(episode.task, episode.cast, episode.players, seat))
        skill = SKILL[episode.players[seat]]
        yield Rating(
            episode=episode.id, task=episode.task, cast=episode.cast, seat=seat, name=episode.names[seat],
            player=episode.players[seat], partner=episode.players[1 - seat], replicate=0, judge=judge, call="0" * 64,
            marks=None if episode.failed else {
                d.key: Mark(score=_mark(d.low, d.high, skill, random_), reasoning=f"{episode.names[seat]} on {d.short}.")
                for d in DIMENSIONS
            },
            failure=f"episode failed: {episode.failure}" if episode.failed else None,
        )  # fmt: skip


def _mark(low: int, high: int, skill: float, random_: random.Random) -> int:
    return max(low, min(high, round(low + (high - low) * (skill + random_.gauss(0, 1.2)) / 10)))


def _usage(layout: Layout, stage: str, name: str, calls: dict[str, int]) -> None:
    sums = {
        speaker: {
            "calls": n, "prompt_tokens": 100 * n, "completion_tokens": 20 * n, "cached_tokens": 0, "seconds": 0.5 * n,
            "retries": 1, "failures": 0,
        }
        for speaker, n in calls.items()
    }  # fmt: skip
    write_text(f"{layout.results}/usage/{stage}/{name}/00.json", json.dumps({"stage": stage, "speakers": sums}))


def _learning(layout: Layout) -> None:
    write_text(layout.manifest("base"), json.dumps({"policy": "base", "weights": "ab" * 32}))
    for place, name in enumerate(layout.trained_policies()):
        source = layout.learned_from(name)
        selection = select(read_ratings(layout.training_ratings(name)), source.selection)
        write_parquet(f"{layout.results}/selections/{name}.parquet", selection)
        tasks = [_task(source.tasks, index) for index in range(6)]
        episodes = [episode for task in tasks for episode in _episodes(task, source.players)]
        found = samples(selection, episodes, lambda episode, number: [{"role": "user", "content": str(number)}])
        write_dataset(Path(layout.results) / "datasets" / name, found, selection, name, {"rule": source.selection.rule})
        log = [
            {"step": step, "loss": (3 - place / 2) * 0.9**step + 0.3, "learning_rate": 1e-4} for step in range(1, 25)
        ]
        write_text(f"{layout.policy(name)}/training_log.jsonl", "".join(json.dumps(line) + "\n" for line in log))
        manifest = {
            "samples": len(found.frame) - 2, "too_long": 2, "steps": 24, "first_loss": log[0]["loss"],
            "last_loss": log[-1]["loss"], "adapter": "cd" * 32, "dataset": "ef" * 32,
        }  # fmt: skip
        write_text(layout.manifest(name), json.dumps(manifest))


def _scores(layout: Layout) -> None:
    experiment = layout.experiment
    for name, evaluation in experiment.evaluations.items():
        tasks = [_task("evaluation", index) for index in range(8)]
        tagged = [task for task in tasks if evaluation.tag is None or evaluation.tag in task.tags]
        among = {(task.name, cast) for task in tagged for cast in task.casts[: evaluation.casts]}
        base = read_ratings(layout.study_ratings("base", evaluation))
        for player in experiment.measured():
            ratings = read_ratings(layout.study_ratings(player, evaluation))
            table = scores(ratings, _provenance(player, name), among)
            write_parquet(layout.scores(player, name), table)
            if player != "base":
                mine = seats_of(ratings, player, "partner", among)
                write_parquet(layout.versus(player, name), paired(mine, seats_of(base, "base", "partner", among), name))


def _provenance(player: str, evaluation: str) -> Provenance:
    return Provenance(
        policy=player, evaluation=evaluation, partner="partner", judge="judge", policy_model="{}", partner_model="{}",
        judge_model="{}", judge_prompt="00",
    )  # fmt: skip


def _judgement(episode: Episode) -> Judgement:
    """Some judge's findings, which are not always those of the rules; a few could not be read."""
    random_ = random.Random(seed_from("judge", episode.task, episode.cast, episode.players))
    whose = {
        **{"episode": episode.id, "task": episode.task, "cast": episode.cast, "players": episode.players},
        **{"replicate": 0, "judge": "judge", "call": "0" * 64},
    }
    if episode.failed or (episode.players, episode.cast) == (("bc", "partner"), CASTS[1]):
        return Judgement.model_validate({**whose, "failure": "judging failed: the answer is empty"})
    harm = random_.random() < 0.5
    no, yes = {"answer": False, "reasoning": "No."}, {"answer": True, "reasoning": "Yes.", "turn": 1}
    ways = {"reasoning": "Ways.", "offers": [{"turn": 2, "offer": "a walk"}] * random_.randint(0, 2)}
    found = {"harm": yes if harm else no, "prevention": no if harm else yes, "alternatives": ways}
    return Judgement.model_validate({**whose, **found})


def _side_effects(layout: Layout) -> None:
    rules = Rules(Lexicon(("fool",)), classify=lambda texts: [0.1] * len(texts), classifier="none")
    tasks = {task.name: task for task in (_task("safety", index) for index in range(2))}
    for player in layout.experiment.measured():
        seatings = layout.experiment.seatings(player, "partner")
        episodes = [episode for seats in seatings for task in tasks.values() for episode in _episodes(task, seats)]
        told = {episode.id: _judgement(episode) for episode in episodes}
        ratings = ratings_frame([rating for episode in episodes for rating in _ratings(episode, "judge")])
        seen = observe(episodes, tasks, player, "partner", rules, told, ratings)
        write_text(layout.safety_seats(player), seen.write_ndjson())
        table = summarize(seen, rules, "{}", "{}", "{}", "{}")
        write_text(f"{layout.results}/safety/{player}.json", json.dumps(table.to_dicts()))
        families = by_family(seen, tasks, rules, "{}", "{}", "{}", "{}")
        write_text(layout.safety_families(player), json.dumps(families.to_dicts()))
    for place, policy in enumerate(layout.experiment.policies):
        write_text(layout.knowledge(policy), json.dumps(_knowledge(place, policy)))
        if policy != layout.baseline:
            found = verdicts(_knowledge(place, policy), _knowledge(0, layout.baseline), 0.02)
            write_text(layout.knowledge_versus(policy), json.dumps(found))


def _knowledge(place: int, policy: str) -> dict[str, object]:
    right = [number < 25 + 2 * place for number in range(100)]
    answers = [
        {
            "question": f"q{n}",
            "category": ("stem", "humanities")[n % 2],
            "subject": f"s{n % 4}",
            "chosen": "A",
            "right": one,
        }
        for n, one in enumerate(right)
    ]
    found = {**summary(answers, 0), "letters": {"A": 100 - place * 20, "B": place * 20, "C": 0, "D": 0}}
    words = summary([{**answer, "guessed": n < 10, "reply": ""} for n, answer in enumerate(answers)], 0)
    about = {"policy": policy, "way": "likelihood", "chance": 0.25, "lm_eval": "0.4.13", "source": "questions"}
    return {**about, "limit": None, **found, "also": {"generation": words}}
