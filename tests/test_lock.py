"""One run at a time on a results folder, and no lock outlives its holder."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from parley.errors import ParleyError
from parley.lock import hold
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
