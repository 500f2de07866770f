"""The ledger and the machine's power: what was put before it went is there after it comes back."""

import asyncio
import shutil
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.llm.call import Request
from parley.llm.ledger import Ledger
from parley.llm.ledger_file import LedgerFile
from tests.calls import reply, request
from tests.powerloss import Step, lose_power, platters, recorded

SINGLE, GROUPED = range(12), range(12, 40)
AGAIN = range(40, 46)  # by a second job


def words(asked: Request) -> str:
    """What the answer to a request says; some are longer than a page."""
    return f"answer {asked.seed} " + "x" * (9000 if asked.seed == 5 else 300)


def write(path: Path, steps: list[Step]) -> None:
    """Two jobs, one after the other, put calls alone and in groups, and mark each as soon as it counts as kept."""

    def put(ledger: Ledger, number: int) -> None:
        ledger.put(request(number), reply(request(number), words(request(number))))
        steps.append(Step("mark", str(number)))

    async def keep(ledger: Ledger, number: int) -> None:
        await asyncio.sleep(number % 7 / 1000)
        await ledger.keep(request(number), reply(request(number), words(request(number))))
        steps.append(Step("mark", str(number)))

    async def many(ledger: Ledger) -> None:
        await asyncio.gather(*(keep(ledger, number) for number in GROUPED))

    with Ledger(path) as ledger:
        for number in SINGLE:
            put(ledger, number)
        ledger.record_failure(request(99).key, request(99), "no")
        asyncio.run(many(ledger))
    with Ledger(path) as ledger:
        for number in AGAIN:
            put(ledger, number)


def lost(steps: list[Step], folder: Path, seed: int) -> list[int]:
    """The numbers of calls that were kept before the power went after `steps`, and are not there after it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lose_power(steps, folder, Random(seed))
    kept = {int(step.name) for step in steps if step.kind == "mark"}
    with Ledger(folder / "0.sqlite") as ledger:
        found = {number: ledger.get(request(number).key) for number in range(AGAIN.stop)}
        ledger.put(request(77), reply(request(77)))
    assert all(answer.text == words(request(number)) for number, answer in found.items() if answer is not None)
    with Ledger(folder / "0.sqlite") as ledger:
        assert ledger.get(request(77).key) is not None
    return sorted(kept - {number for number, answer in found.items() if answer is not None})


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """Everything that two jobs did to their file, with the moments at which each call was kept."""
    with recorded() as steps:
        write(tmp_path_factory.mktemp("powerloss") / "0.sqlite", steps)
    return list(steps)


def test_when_a_call_is_kept_nothing_of_it_is_still_on_its_way(history: list[Step]) -> None:
    marks = {int(step.name): place for place, step in enumerate(history) if step.kind == "mark"}
    assert len(marks) == AGAIN.stop
    # Of the grouped ones the next group may be on its way already.
    for place in (marks[number] for number in [*SINGLE, *AGAIN]):
        assert not any(platter.waiting for platter in platters(history[:place]).values())


def test_calls_that_end_together_are_synced_together(history: list[Step]) -> None:
    marks = [place for place, step in enumerate(history) if step.kind == "mark"]
    alone, grouped = (history[: marks[len(SINGLE) - 1]], history[marks[len(SINGLE)] : marks[GROUPED.stop - 1]])
    each, all_of_them = (sum(step.kind == "sync" for step in some) for some in (alone, grouped))
    assert each >= 4 * len(SINGLE)
    assert all_of_them < 2 * len(GROUPED)


@given(moment=st.floats(0, 1), seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_a_loss_of_power_at_any_moment_loses_nothing_that_was_kept(
    history: list[Step], tmp_path_factory: pytest.TempPathFactory, moment: float, seed: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "after-a-loss"
    assert lost(history[: int(moment * len(history))], folder, seed) == []
    assert not list(folder.glob("*.damaged-*"))


@pytest.mark.parametrize("careless", ["PRAGMA synchronous = OFF", "PRAGMA journal_mode = DELETE"])
def test_the_simulation_sees_a_ledger_that_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: str
) -> None:
    """Without syncs everything may be lost; and the removal of a journal is not synced, so that it may come back."""
    prepare = LedgerFile._prepare

    def carelessly(self: LedgerFile, connection: object) -> None:
        prepare(self, connection)  # type: ignore[arg-type]
        connection.execute(careless)  # type: ignore[attr-defined]

    with monkeypatch.context() as patch, recorded() as steps:
        patch.setattr(LedgerFile, "_prepare", carelessly)
        write(tmp_path / "0.sqlite", steps)
    marks = [place for place, step in enumerate(steps) if step.kind == "mark"]
    losses = (lost(steps[: place + 1], tmp_path / "after", seed) for seed, place in enumerate(marks[3:]))
    assert any(losses)
