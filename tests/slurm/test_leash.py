"""A cluster does not outlive the process that started it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import NODES, USUAL
from tests.workflow import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
        daemons = [int(file.read_text()) for file in folder.glob("run/*.pid")]
        assert len(daemons) >= len(NODES) + 2 and all(map(alive, daemons))
        process.kill()
    last = time.monotonic() + 60
    while folder.exists() and time.monotonic() < last:
        time.sleep(0.1)
    assert not folder.exists() and not any(map(alive, daemons))
    assert not USUAL.is_symlink()
