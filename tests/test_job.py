"""What scripts share: arguments, errors in one line, and what the calls of a job took."""

import asyncio
import json
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from parley import job
from parley.arguments import arguments
from parley.canonical import digest
from parley.errors import ParleyError, run_as_script
from parley.job import Stage, asked_at_once, first_of, in_flight, run, stage_root
from parley.llm.call import Reply
from parley.llm.speaker import Counts
from parley.llm.taken import Usage
from parley.progress import Journal
from tests.builders import changed, experiment

# -- errors --------------------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Any:
    def main() -> None:
        raise error

    return main


def test_an_error_that_a_person_can_act_on_ends_a_script_with_its_line() -> None:
    with pytest.raises(SystemExit) as ended:
        run_as_script(raising(ParleyError("a.jsonl:3: not JSON; mend the line")))
    assert ended.value.code == "error: a.jsonl:3: not JSON; mend the line"  # to stderr, with status 1


def test_an_interrupt_says_that_nothing_paid_for_is_lost() -> None:
    with pytest.raises(SystemExit) as ended:
        run_as_script(raising(KeyboardInterrupt()))
    assert "in the ledger; run the same command again" in str(ended.value.code)


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_as_script(raising(ZeroDivisionError()))
    run_as_script(lambda: None)


def test_the_first_error_inside_groups_is_raised_as_itself() -> None:
    one = ParleyError("no key; set it")

    async def fail() -> None:
        raise one

    async def main() -> None:
        async with asyncio.TaskGroup() as outer:

            async def inner() -> None:
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail())

            outer.create_task(inner())

    with pytest.raises(ParleyError) as raised:
        run(main())
    assert raised.value is one
    assert first_of(BaseExceptionGroup("", [ExceptionGroup("", [one, ValueError()]), KeyError()])) is one


def test_a_coroutine_is_run_to_its_end() -> None:
    done: list[int] = []

    async def main() -> None:
        await asyncio.sleep(0)
        done.append(1)

    run(main())
    assert done == [1]


# -- arguments and the stage ---------------------------------------------------------------------------------------


def parser() -> ArgumentParser:
    both = arguments("What it does.")
    Stage.arguments(both)
    return both


def test_every_script_has_a_config_and_a_log() -> None:
    options = arguments("What it does.").parse_args([])
    assert (options.experiment, options.log) == (Path("config.yaml"), None)


WIDTHS = {"models.expert.concurrency": 6, "models.partner.concurrency": 10, "models.agent.concurrency": 2}
ELSEWHERE = {"models.partner.base_url": "http://127.0.0.1:1/v1"}


@pytest.mark.parametrize(
    ("changes", "players", "episodes"),
    [
        ({}, ["bc"], 4),  # twice as many as its endpoint takes
        ({}, ["bc", "base"], 4),  # two policies on one engine
        ({}, ["bc", "expert"], 16),  # an episode is at one of the two at a time
        ({}, ["expert", "partner"], 20),  # two models at one address share it
        (ELSEWHERE, ["expert", "partner"], 32),
        ({"models.agent.concurrency": 1}, ["base"], 2),
    ],
)
def test_there_are_episodes_enough_for_all_endpoints_together(
    changes: dict[str, Any], players: list[str], episodes: int
) -> None:
    assert in_flight(experiment({**WIDTHS, **changes}), players) == episodes


def test_the_stage_of_a_ledger_is_the_folder_of_its_name() -> None:
    assert stage_root(Path("ledger/episodes/round1/a+b/00.sqlite"), "episodes") == Path("ledger/episodes")
    assert stage_root(Path("mine.sqlite"), "episodes") is None


def test_what_the_calls_took_is_written_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(changed()), encoding="utf-8")
    given: list[Any] = []

    @asynccontextmanager
    async def stand_in(
        mini: Any, names: Any, ledger: Any, adapters: Any, logs: Any, *, batches: Path | None, say: Any
    ) -> AsyncIterator[dict[str, Any]]:
        assert batches is None  # episodes are played live
        given.append((mini, names, adapters, logs))
        source = SimpleNamespace(starts=[])
        yield {
            name: SimpleNamespace(usage=Usage(), counts=Counts(), identity={"name": f"{name}-1"}, source=source)
            for name in names
        }

    monkeypatch.setattr(job, "speakers", stand_in)
    words = ["--experiment", str(config), "--log", str(tmp_path / "logs" / "00.log")]
    words += ["--ledger", str(tmp_path / "ledger.sqlite"), "--usage", str(tmp_path / "usage" / "00.json")]
    options = parser().parse_args([*words, "--adapter", "bc=results/policies/bc"])

    async def work(journal: Journal) -> None:
        stage = Stage.of("episodes", options, journal)
        async with stage.speakers(["bc", "partner"], options.adapter) as found:
            found["bc"].usage.add(Reply("k", "Hi", "stop", 10, 3, 4, 0.126))

    with Journal(options.log) as journal:
        run(work(journal))
    ((mini, names, adapters, logs),) = given
    assert (mini, names) == (experiment(), ["bc", "partner"])
    assert (adapters, logs) == ({"bc": Path("results/policies/bc")}, tmp_path / "logs")
    taken = json.loads((tmp_path / "usage" / "00.json").read_text(encoding="utf-8"))
    assert taken["stage"] == "episodes" and set(taken["speakers"]) == {"bc", "partner"}
    assert taken["speakers"]["bc"]["calls"] == 1 and taken["speakers"]["partner"]["calls"] == 0
    assert taken["speakers"]["bc"]["prompt_tokens"] == 10 and taken["speakers"]["bc"]["seconds"] == 0.13
    assert taken["speakers"]["bc"]["model"] == "bc-1"
    assert taken["speakers"]["bc"]["identity"] == digest({"name": "bc-1"}, 16)
    assert "bc: 0 sent" in options.log.read_text(encoding="utf-8")


# -- batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "ledger", "folder"),
    [
        ("tasks", "ledger/tasks/round1.sqlite", "ledger/tasks/.batches"),
        ("ratings", "ledger/ratings/round1/a+b/judge/00.sqlite", "ledger/ratings/.batches"),
        ("ratings", "/elsewhere/mine.sqlite", "/elsewhere/.batches"),
        ("episodes", "ledger/episodes/round1/a+b/00.sqlite", None),
    ],
)
def test_only_stages_of_single_calls_have_batches(stage: str, ledger: str, folder: str | None) -> None:
    made = Stage(stage, experiment(), Path(ledger), Path("usage.json"), Journal(None), None)
    assert made.batches == (Path(folder) if folder else None)


def test_a_batch_takes_all_ratings_of_a_job_at_once() -> None:
    mini = experiment({"models.judge.concurrency": 3})
    assert asked_at_once(mini, "judge") == in_flight(mini, ["judge"]) < 10
    assert asked_at_once(experiment({"models.judge.batch": True}), "judge") >= 50_000
