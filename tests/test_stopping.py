"""A job stops soon and in order: at Ctrl-C, at SIGTERM, and when the run that started it has ended."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from parley import stopping
from tests.builders import ROOT

HEAD = """
import asyncio, signal, sys, threading, time
from parley import stopping
from parley.errors import run_as_script
from parley.job import run
say = lambda text: print(text, flush=True)
"""
SYNC = """
def main():
    try:
        say("at work")
        time.sleep(60)
    finally:
        say("tidied")
run_as_script(main)
"""
ASYNC = """
async def work():
    try:
        say("at work")
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.01)
        say("tidied")
run_as_script(lambda: run(work()))
"""
#: Cannot stop in order: it waits for a thread.
STUCK = """
stopping.GRACE = 0.3
def main():
    thread = threading.Thread(target=time.sleep, args=(60,))
    try:
        thread.start()
        say("at work")
        time.sleep(60)
    finally:
        thread.join()
run_as_script(main)
"""
STUCK_ASYNC = """
stopping.GRACE = 0.3
async def work():
    say("at work")
    await asyncio.to_thread(time.sleep, 60)
run_as_script(lambda: run(work()))
"""
#: Tidies up for a long time, and is asked again meanwhile.
SLOW = ASYNC.replace("sleep(0.01)", "sleep(60)").replace("    finally:\n", "    finally:\n        say('tidying')\n")


@contextmanager
def job(code: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A script at work."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(code)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "at work\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("code", [SYNC, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_asked_to_stop_tidies_up_and_says_one_line(code: str, number: signal.Signals) -> None:
    with job(code) as process:
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (1, "tidied\n", f"{stopping.INTERRUPTED}\n")


@pytest.mark.parametrize("code", [STUCK, STUCK_ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_cannot_stop_in_order_just_ends(code: str, number: signal.Signals) -> None:
    with job(code) as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=50)  # the thread would sleep for longer
    assert process.returncode == 130
    assert errors.endswith(f"{stopping.INTERRUPTED}\n") and "Traceback" not in errors


def test_who_asks_twice_does_not_want_to_wait() -> None:
    with job(SLOW) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "tidying\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=50)
    assert process.returncode == 130


#: Asked to stop, it goes on to where it has saved.
SAVES = """
def main():
    with stopping.deferring() as stop:
        say("at work")
        while not stop.made:
            time.sleep(0.01)
        say("saving")
        time.sleep(float(SECONDS))
        say("saved")
    say("not reached")
run_as_script(main)
"""


@pytest.mark.parametrize("number", stopping.SAVING)
def test_a_job_that_saves_first_is_not_disturbed_by_what_a_cluster_repeats(number: signal.Signals) -> None:
    with job(SAVES.replace("SECONDS", "0.5")) as process:
        assert process.stdout is not None
        process.send_signal(number)
        assert process.stdout.readline() == "saving\n"
        for again in (signal.SIGTERM, signal.SIGUSR1):
            process.send_signal(again)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (1, "saved\n", f"{stopping.INTERRUPTED}\n")


def test_ctrl_c_twice_does_not_wait_for_what_is_saved() -> None:
    with job(SAVES.replace("SECONDS", "60")) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "saving\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=50)
    assert process.returncode == 130


def test_saving_that_takes_too_long_is_cut_off() -> None:
    with job(SAVES.replace("SECONDS", "60").replace("def main", "stopping.GRACE_TO_SAVE = 0.3\ndef main")) as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=50)
    assert process.returncode == 130 and errors == f"{stopping.INTERRUPTED}\n"


def test_who_was_not_asked_goes_on_and_obeys_again_later() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping.deferring() as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
    assert not stop.made and signal.getsignal(signal.SIGTERM) is before


def test_who_has_saved_is_not_ended_later(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a notebook, which calls a training and lives on.
    monkeypatch.setattr(stopping, "GRACE_TO_SAVE", 0.2)
    ended = threading.Event()
    monkeypatch.setattr(stopping, "end", ended.set)
    with pytest.raises(KeyboardInterrupt), stopping.deferring():
        os.kill(os.getpid(), signal.SIGTERM)
    assert not ended.wait(1)


def test_a_script_that_has_saved_and_cannot_stop_just_ends() -> None:
    code = """
    stopping.GRACE = 0.3
    def main():
        with stopping.deferring() as stop:
            say("at work")
            while not stop.made:
                time.sleep(0.01)
    def stuck():
        try:
            main()
        finally:
            time.sleep(60)
    run_as_script(stuck)
    """
    with job(code) as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=50)
    assert process.returncode == 130 and errors == f"{stopping.INTERRUPTED}\n"


PARENT = """
import os, subprocess, sys
child = subprocess.Popen(["bash", "-c", f"export PARLEY_RUN={os.getpid()}; " + sys.argv[1], sys.executable, sys.argv[2]])
print(child.pid, flush=True)
child.wait()
"""


def test_a_job_does_not_outlive_its_run_however_that_ends() -> None:
    # As Snakemake starts it: by a shell, which stays in between.
    command = [sys.executable, "-c", PARENT, '"$0" -c "$1"; true', HEAD + ASYNC]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stdout is not None and run.stderr is not None
        lines = {run.stdout.readline().strip(), run.stdout.readline().strip()}
        (shell,) = lines - {"at work"}
        members = psutil.Process(int(shell)).children(recursive=True)
        run.kill()
        run.wait()
        assert run.stdout.read() == "tidied\n"  # ends when the last of them has closed it
        assert run.stderr.read() == f"{stopping.INTERRUPTED}\n"
        assert members and not any(psutil.pid_exists(one.pid) and one.status() != "zombie" for one in members)


def test_a_process_that_did_not_start_the_job_does_not_end_it() -> None:
    # In a container the number of the run may be that of somebody else.
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            with job(SYNC, **{stopping.RUN: str(other.pid)}) as process:
                other.kill()
                other.wait()
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.5)
        finally:
            other.kill()


def test_after_a_script_signals_mean_what_they_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with stopping.obedient():
        assert [signal.getsignal(number) for number in stopping.SIGNALS] != before
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before


def test_ancestors_are_found(tmp_path: Path) -> None:
    assert stopping._is_ancestor(os.getppid())
    assert not stopping._is_ancestor(os.getpid())
    assert not stopping._is_ancestor(2**22 + 1)
