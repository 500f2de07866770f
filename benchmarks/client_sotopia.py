"""sotopia==0.1.5 at the mock, in its own environment and its own way: batches of `--width` episodes, each gathered.

To its favour its console log is off, and no judge is called at the end of an episode (Parley's play has none either).
Run by the Python of the environment that holds sotopia; imports nothing of Parley.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.gauge import Gauge

ROOT = Path(__file__).resolve().parent.parent


def characters() -> list[Any]:
    """Parley's characters as sotopia's profiles."""
    from sotopia.database import AgentProfile

    lines = (ROOT / "resources/characters.jsonl").read_text().splitlines()
    return [
        AgentProfile(
            **{
                "pk": one["id"],
                "gender_pronoun": one["pronouns"],
                **{key: one[key] for key in ("first_name", "last_name", "age", "gender", "occupation", "public_info")},
                **{key: one[key] for key in ("personality_and_values", "secret") if one.get(key)},
            }
        )
        for one in map(json.loads, lines)
    ]


def combinations(url: str, count: int, turns: int) -> Iterator[tuple[Any, list[Any]]]:
    """(environment, its two agents) for `count` episodes on the tasks and characters that Parley plays too."""
    from sotopia.agents import LLMAgent
    from sotopia.database import EnvironmentProfile
    from sotopia.envs import ParallelSotopiaEnv
    from sotopia.envs.evaluators import Evaluator, RuleBasedTerminatedEvaluator

    class NoJudge(Evaluator):
        """Ends an episode without a call."""

        prompt = ""

        def __call__(self, turn_number: int, messages: Any) -> list[Any]:
            return []

        async def __acall__(self, turn_number: int, messages: Any) -> list[Any]:
            return []

    model, people = f"custom/agent@{url}", characters()
    tasks = [json.loads(line) for line in (ROOT / "resources/tasks/evaluation.jsonl").read_text().splitlines()]
    for number in range(count):
        task = tasks[number % len(tasks)]
        profile = EnvironmentProfile(
            pk=f"talk{number:06d}",
            codename=f"talk{number:06d}",
            scenario=f"{task['scenario']} (Case {number}.)",
            agent_goals=[goal["text"] for goal in task["goals"]],
            relationship=3,
        )
        environment = ParallelSotopiaEnv(
            env_profile=profile,
            model_name=model,
            action_order="round-robin",
            evaluators=[RuleBasedTerminatedEvaluator(max_turn_number=turns, max_stale_turn=2)],
            terminal_evaluators=[NoJudge()],
        )
        pair = (people[number % len(people)], people[(number + 1) % len(people)])
        yield environment, [LLMAgent(agent_profile=one, model_name=model) for one in pair]


async def play(url: str, width: int, count: int, turns: int) -> None:
    """Play as sotopia's own scripts do: a batch at a time, the next when the last episode of one has ended."""
    from sotopia.samplers import BaseSampler
    from sotopia.server import run_async_server

    waiting = list(combinations(url, count, turns))
    gauge, kept = Gauge(), 0
    for first in range(0, count, width):
        batch = waiting[first : first + width]
        kept += len(
            await run_async_server(
                sampler=BaseSampler(), env_agent_combo_list=batch, tag="benchmark", push_to_db=True, using_async=True
            )
        )
    gauge.report(episodes=kept, client="sotopia")


def main() -> None:
    """Play `--episodes` talks, `--width` a batch, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--turns", type=int, default=20)
    asked = parser.parse_args()
    os.environ |= {"SOTOPIA_STORAGE_BACKEND": "local", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home  # its local store lies there
        import sotopia.generation_utils.generate  # noqa: F401

        logging.disable(logging.WARNING)
        asyncio.new_event_loop().run_until_complete(play(asked.url, asked.width, asked.episodes, asked.turns))
        sys.stdout.flush()
    os._exit(0)  # its logging thread may never end


if __name__ == "__main__":
    main()
