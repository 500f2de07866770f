"""Parley at the mock: the code of the rule `play` in one process, from its input files to its output files."""

import argparse
import json
import tempfile
from argparse import Namespace
from pathlib import Path

import yaml

from benchmarks.gauge import Gauge
from parley.job import run
from parley.progress import Journal
from scripts.episodes import play

ROOT = Path(__file__).resolve().parent.parent


def experiment(url: str, width: int, turns: int) -> dict[str, object]:
    """A config in which `agent`, at the mock, plays itself with the full SOTOPIA-size prompt."""
    return {
        "experiment": "benchmark",
        "models": {
            "agent": {"engine": "openai", "name": "agent", "base_url": url, "price": "free", "concurrency": width}
        },
        "task_sets": {"talks": {"file": "tasks.jsonl"}},
        "policies": {"base": {"model": "agent"}},
        "evaluations": {"all": {"tasks": "talks", "partner": "agent", "judge": "agent"}},
        "play": {"max_turns": turns},
        "world": {"characters": str(ROOT / "resources/characters.jsonl")},
        "prompts": {"turn": str(ROOT / "prompts/turn.jinja"), "retry": str(ROOT / "prompts/retry.jinja")},
    }


def tasks(count: int) -> list[dict[str, object]]:
    """`count` tasks, one cast each: those of the evaluation set over and over, with a number to tell them apart."""
    known = [json.loads(line) for line in (ROOT / "resources/tasks/evaluation.jsonl").read_text().splitlines()]
    people = [json.loads(line)["id"] for line in (ROOT / "resources/characters.jsonl").read_text().splitlines()]
    return [
        {
            **known[number % len(known)],
            "name": f"talk{number:06d}",
            "scenario": f"{known[number % len(known)]['scenario']} (Case {number}.)",
            "casts": [[people[number % len(people)], people[(number + 1) % len(people)]]],
        }
        for number in range(count)
    ]


def main() -> None:
    """Play `--episodes` talks, `--width` at a time, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--profile", type=Path, help="write the profile of cProfile here (slows the run down)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(experiment(asked.url, asked.width, asked.turns)))
        shard = folder / "tasks.jsonl"
        shard.write_text("".join(json.dumps(task) + "\n" for task in tasks(asked.episodes)))
        options = Namespace(
            experiment=config,
            log=folder / "play.log",
            ledger=folder / "ledger/episodes/talks/agent+agent/00.sqlite",
            usage=folder / "usage.json",
            adapter=[],
            players="agent+agent",
            tasks=shard,
            out=folder / "episodes.jsonl",
        )
        gauge = Gauge()
        with Journal(options.log) as journal:
            if asked.profile:
                import cProfile

                profile = cProfile.Profile()
                profile.runcall(run, play(options, journal))
                profile.dump_stats(asked.profile)
            else:
                run(play(options, journal))
        gauge.report(
            episodes=sum(1 for _ in options.out.open()), ledger=options.ledger.stat().st_size / 1e6, client="parley"
        )


if __name__ == "__main__":
    main()
