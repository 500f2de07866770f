"""A cluster does not outlive the process that started it, however and whenever that ends."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.slurm.cluster import NODES, USUAL, Cluster
from tests.workflow import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LEASH = [sys.executable, "-m", "tests.slurm.cluster", "leash"]
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cluster_ends_with_who_started_it() -> None:
    command = [sys.executable, "-m", "tests.slurm.cluster"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        if (found := re.match(r"export SLURM_CONF=(.+)/slurm\.conf", process.stdout.readline())) is None:
            pytest.skip(process.stderr.read().strip())
        folder = Path(found[1])
        daemons = {file.stem: int(file.read_text()) for file in folder.glob("run/*.pid")}
        accounts = {"slurmdbd", "mariadb"} if Cluster(folder).accounting else set()
        assert set(daemons) == {"munged", "slurmctld", *(f"slurmd-{node}" for node in NODES), *accounts}
        assert all(map(alive, daemons.values()))
        for child in psutil.Process(process.pid).children():  # whoever ends a process may end its children first
            child.terminate()
        process.kill()
    last = time.monotonic() + 60
    while folder.exists() and time.monotonic() < last:
        time.sleep(0.1)
    assert not folder.exists() and not any(map(alive, daemons.values()))
    assert not USUAL.is_symlink()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cluster's folder, as far as it says which processes are the cluster's."""
    folder = tmp_path / "parley-slurm-x"
    (folder / "run").mkdir(parents=True)
    return folder


@pytest.fixture
def left(folder: Path) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Daemons that no file numbers: one names the folder, one has its configuration, one is not the cluster's."""
    conf = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    found = [subprocess.Popen([*SLEEP, f"--socket={folder}/munge"]), subprocess.Popen(SLEEP, env=conf)]
    found.append(subprocess.Popen(SLEEP))
    yield found
    for process in found:
        process.kill()
        process.wait()


def test_the_leash_ends_what_a_stop_that_was_cut_short_has_left(
    folder: Path, left: "list[subprocess.Popen[bytes]]"
) -> None:
    leash = subprocess.Popen([*LEASH, str(folder)], cwd=ROOT, stdin=subprocess.PIPE)
    assert leash.stdin is not None
    leash.stdin.close()  # as if the process at the other end were killed
    assert [process.wait(timeout=60) for process in left[:2]] == [-9, -9]
    assert leash.wait(timeout=60) == 0 and not folder.exists()
    assert left[2].poll() is None


def test_a_stop_lets_the_leash_go_when_all_has_ended(
    folder: Path, left: "list[subprocess.Popen[bytes]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, held = Cluster(folder), []
    sweep = Cluster._sweep

    def swept(self: Cluster) -> None:
        sweep(self)
        assert self._leash is not None
        held.append(self._leash.poll() is None)

    monkeypatch.setattr(Cluster, "_sweep", swept)
    cluster._started = True
    cluster._leash = subprocess.Popen([*LEASH, str(folder)], cwd=ROOT, stdin=subprocess.PIPE)
    cluster.stop()
    assert held == [True] and cluster._leash.returncode == 0
    assert all(process.poll() is not None for process in left[:2])
    assert left[2].poll() is None and folder.exists()  # the folder belongs to who made it
