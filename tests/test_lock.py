"""One run at a time on a results folder, and no lock outlives its holder."""

import asyncio
import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from parley import lock
from parley.errors import ParleyError
from parley.lock import alone, alone_in_loop, hold
from tests.builders import ROOT

#: Holds the folder that it is given until its standard input ends.
HOLDER = """
    import sys
    from parley.errors import run_as_script
    from parley.lock import hold

    def main():
        hold(sys.argv[1])
        print("held", flush=True)
        sys.stdin.read()

    run_as_script(main)
"""
#: The same, with a child that is alive when the holder is killed.
PARENT = HOLDER.replace(
    "hold(sys.argv[1])\n",
    "hold(sys.argv[1])\n        import subprocess\n"
    "        child = subprocess.Popen(['sleep', '60'], close_fds=False)\n        print(child.pid, flush=True)\n",
)


@contextmanager
def running(results: Path, code: str = HOLDER) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs `code` on the folder."""
    command = [sys.executable, "-c", textwrap.dedent(code), str(results)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_run_is_refused_with_one_clear_line(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        assert line(first) == "held"
        with running(tmp_path) as second:
            out, errors = second.communicate(timeout=20)
            assert second.returncode == 1
        assert out == ""
        assert errors == f"error: {tmp_path} is in use by another run; wait for it, or stop it first\n"
        assert first.poll() is None  # undisturbed


def test_the_refusal_leaves_nothing_open_behind(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        assert line(first) == "held"
        before = psutil.Process().num_fds()
        for _ in range(5):
            with pytest.raises(ParleyError, match="in use by another run"):
                hold(str(tmp_path))
        assert psutil.Process().num_fds() == before


def test_a_killed_holder_frees_the_folder(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        assert line(first) == "held"
        first.kill()
        first.wait(timeout=20)
        hold(str(tmp_path))  # nothing to unlock by hand, though the file is still there
    assert (tmp_path / ".lock").exists()


def test_a_holder_that_ends_well_frees_the_folder(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        assert line(first) == "held"
        assert first.communicate("", timeout=20) == ("", "")
        assert first.returncode == 0
        hold(str(tmp_path))


def test_a_child_that_outlives_the_holder_does_not_hold_on(tmp_path: Path) -> None:
    with running(tmp_path, PARENT) as first:
        child = psutil.Process(int(line(first)))
        try:
            assert line(first) == "held"
            first.kill()
            first.wait(timeout=20)
            assert child.is_running()
            hold(str(tmp_path))
        finally:
            child.kill()


def test_two_folders_are_held_by_two_runs(tmp_path: Path) -> None:
    with running(tmp_path / "a") as first, running(tmp_path / "b") as second:
        assert line(first) == line(second) == "held"


def test_the_folder_is_made_and_what_lies_in_it_stays(tmp_path: Path) -> None:
    results = tmp_path / "results" / "mine"
    with running(results) as first:
        assert line(first) == "held"
    (results / "tasks.jsonl").write_text("{}\n", encoding="utf-8")
    with running(results) as second:
        assert line(second) == "held"
    assert sorted(path.name for path in results.iterdir()) == [".lock", "tasks.jsonl"]


# -- what is waited for --------------------------------------------------------------------------------------------

#: Has what it is given alone, until its standard input ends.
ALONE = """
    import sys
    from pathlib import Path
    from parley.errors import run_as_script
    from parley.lock import alone

    def main():
        with alone(Path(sys.argv[1])):
            print("alone", flush=True)
            sys.stdin.read()

    run_as_script(main)
"""
#: The same in an event loop, which goes on while it waits.
ALONE_IN_LOOP = """
    import asyncio, sys
    from pathlib import Path
    from parley.errors import run_as_script
    from parley.job import run
    from parley.lock import alone_in_loop

    async def tick():
        while True:
            await asyncio.sleep(0.05)
            print("tick", file=sys.stderr, flush=True)

    async def main():
        ticking = asyncio.create_task(tick())
        async with alone_in_loop(Path(sys.argv[1])):
            ticking.cancel()
            print("alone", flush=True)
            await asyncio.to_thread(sys.stdin.read)

    run_as_script(lambda: run(main()))
"""


@pytest.mark.parametrize("code", [ALONE, ALONE_IN_LOOP], ids=["sync", "loop"])
@pytest.mark.parametrize("end", ["well", "killed"])
def test_who_comes_second_waits_says_for_whom_and_goes_on_however_the_first_ends(
    tmp_path: Path, code: str, end: str
) -> None:
    path = tmp_path / "ledger" / "00.sqlite"
    with running(path, ALONE) as first:
        assert line(first) == "alone"
        with running(path, code) as second:
            assert second.stderr is not None
            said = second.stderr.readline()
            while said == "tick\n":
                said = second.stderr.readline()
            assert said.startswith(f"{path} is in use by process {first.pid} on ") and "waiting until it ends" in said
            if code is ALONE_IN_LOOP:
                assert second.stderr.readline() == "tick\n"
            if end == "killed":
                first.kill()
                first.wait()
            else:
                first.communicate("")
            assert line(second) == "alone"
            second.communicate("", timeout=60)
            assert second.returncode == 0


@pytest.mark.parametrize("code", [ALONE, ALONE_IN_LOOP], ids=["sync", "loop"])
def test_who_waits_can_be_stopped(tmp_path: Path, code: str) -> None:
    path = tmp_path / "00.sqlite"
    with running(path, ALONE) as first:
        assert line(first) == "alone"
        with running(path, code) as second:
            assert second.stderr is not None
            while "in use" not in second.stderr.readline():
                pass
            second.terminate()
            out, errors = second.communicate(timeout=60)
            assert (second.returncode, out) == (1, "")
            assert errors.replace("tick\n", "").startswith("interrupted: ")
        assert first.poll() is None


def test_what_is_locked_may_be_replaced_and_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "00.sqlite"
    path.write_text("old")
    with running(path, ALONE) as first:
        assert line(first) == "alone"
        (tmp_path / "new").write_text("new")
        os.replace(tmp_path / "new", path)
        assert lock._take(tmp_path / ".00.sqlite.lock") is None


def test_the_lock_ends_with_the_block_also_after_an_error(tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(KeyError), alone(tmp_path / "a"):
            raise KeyError

    async def twice() -> None:
        for _ in range(2):
            async with alone_in_loop(tmp_path / "a"):
                assert lock._take(tmp_path / ".a.lock") is None

    asyncio.run(twice())
    assert [path.name for path in tmp_path.iterdir()] == [".a.lock"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_where_nothing_can_be_written_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(path: Path) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(lock, "_take", refused)
    with alone(tmp_path / "a"):
        pass
    with pytest.raises(ParleyError, match=r"\.lock: (on a read-only file system|no permission)"):
        hold(str(tmp_path))
