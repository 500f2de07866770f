"""The benchmark of playing: its mock gives answers that count, and its clients report what they did."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.client_parley import tasks
from benchmarks.gauge import Gauge, cpu_seconds, peak_megabytes
from benchmarks.mock import action, running
from benchmarks.playing import Case, Figures, clients, enough, full, measure, quick, row, sotopia_python
from parley.records.episode import Action
from parley.records.task import Task
from parley.world.playing import fault_in


def test_the_mock_answers_with_actions_that_differ_and_are_the_same_again() -> None:
    said = [action(f"prompt {number}", seed, 0.0) for number in range(20) for seed in (1, 2)]
    assert said == [action(f"prompt {number}", seed, 0.0) for number in range(20) for seed in (1, 2)]
    assert len(set(said)) == 40
    assert all(fault_in(Action.model_validate_json(text)) is None for text in said)


@pytest.mark.parametrize("leave", [0.0, 0.1, 1.0])
def test_talks_end_as_often_as_they_should(leave: float) -> None:
    ends = sum("leave" in action(f"prompt {number}", 0, leave) for number in range(2000))
    assert abs(ends / 2000 - leave) < 0.03


def test_a_gauge_measures_this_process_alone(capsys: pytest.CaptureFixture[str]) -> None:
    gauge = Gauge()
    subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
    until = cpu_seconds() + 0.05
    while cpu_seconds() < until:
        pass
    time.sleep(0.05)
    gauge.report(client="me")
    told = json.loads(capsys.readouterr().out)
    assert told["client"] == "me"
    assert 0.05 <= told["cpu"] <= told["seconds"] and told["seconds"] >= 0.1
    assert told["peak"] == pytest.approx(peak_megabytes(), abs=50)


def test_the_tasks_are_valid_and_all_different() -> None:
    made = [Task.model_validate(task) for task in tasks(100)]
    assert len({task.id for task in made}) == len({task.name for task in made}) == 100


@pytest.mark.parametrize("client", ["Parley", "aiohttp alone", "openai alone"])
def test_a_client_makes_all_calls_and_says_what_they_took(client: str) -> None:
    case = Case(latency=0.01, width=2, vary=False, episodes=2)
    figures = measure(clients(None)[client], client, case, 2)
    assert figures.client == client and figures.episodes > 0 and figures.peak > 10
    assert figures.cpu > 0 and figures.characters > 1000
    assert (figures.fed > 0) == (client == "Parley")
    assert 0 < figures.mean <= 2  # Parley holds to the width, whatever it has in hand
    assert figures.calls == pytest.approx(20 * figures.episodes, rel=0.01)


def test_jobs_share_the_width_and_the_episodes() -> None:
    figures = measure(clients(None)["Parley"], "Parley", Case(0.01, 2, False, 4, jobs=2), 4)
    assert 0 < figures.mean <= 2
    assert figures.calls == pytest.approx(20 * figures.episodes, rel=0.01)
    assert "Parley, 2 jobs" in row(Case(0.01, 2, False, 4, jobs=2), figures)


def test_the_mock_counts_what_it_saw() -> None:
    with running(0.0) as mock:
        before: dict[str, Any] = mock.stats()
    assert (before["calls"], before["mean"], before["most"]) == (0, 0.0, 0)


def test_a_client_that_fails_is_told_in_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], "x", Case(0.0, 1, False, 1), 1)


def test_an_environment_without_sotopia_is_left_out_with_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sotopia_python(str(tmp_path / "python")) is None
    assert sotopia_python(sys.executable) is None
    assert capfd.readouterr().err.count("sotopia is left out") == 2


def test_every_case_of_the_aims_is_measured() -> None:
    assert any((case.latency, case.width) == (0.05, 50) for case in quick())
    assert {case.latency for case in full()} == {0.0, 0.05, 1.0}
    assert {case.width for case in full()} >= {1, 50, 200, 400}
    assert {case.vary for case in full()} == {True, False}
    assert all(enough(client, case) >= 1 for case in full() for client in ("Parley", "sotopia", "aiohttp alone"))


def test_a_row_says_what_there_is_to_say() -> None:
    figures = Figures("Parley", 21.04, 420.8, 1.234, 45.0, 49.6, 66.4, 3000, 9000)
    assert row(Case(0.05, 50, True, 9), figures) == (
        "| 50 ms | 50 | vary | Parley | 21.0 | 421 | 1.23 | 90% | 99% | 66 |"
    )
    bare = Figures("aiohttp alone", 1, 420.8, 1.234, 45.0, 0.0, 66.4, 3000, 9000)
    assert row(Case(0.0, 50, False, 9), bare) == "| 0 ms | 50 | 20 | aiohttp alone | – | 421 | 1.23 | – | – | 66 |"
