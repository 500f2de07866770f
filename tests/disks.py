"""Small and read-only disks: code that runs in a mount namespace of its own, where a folder is a disk of a few pages."""

import functools
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.builders import ROOT

#: What the code may use: `disk` (a folder that is a disk of its own), and how to fill, freeze and enlarge it.
PRELUDE = """
import errno, os, subprocess, sys
from pathlib import Path
from parley.errors import ParleyError, run_as_script
disk = Path(sys.argv[1])

def fill(leave=0):
    \"\"\"Leave so many bytes free.\"\"\"
    if leave:
        (disk / "left").write_bytes(bytes(leave))
    with open(disk / "ballast", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    if leave:
        (disk / "left").unlink()

def make_room():
    (disk / "ballast").unlink()

def remount(options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)

"""


@functools.cache
def why_not() -> str | None:
    """Why this machine cannot mount a disk for a test; None if it can."""
    command = [*_unshare(), "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "no `unshare` on this machine"
    return done.stderr.strip() or "`unshare` failed" if done.returncode else None


def _unshare() -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--mount"]


def on_a_disk(folder: Path, size: str, code: str) -> str:
    """What `code` prints when it runs with `folder` as a disk of `size`; stderr is in it. Skips where that cannot be."""
    if reason := why_not():
        pytest.skip(f"cannot mount a small disk here: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size={size} tmpfs "$1" && exec "$0" -c "$2" "$1"'
    body = PRELUDE + textwrap.dedent(code)
    done = subprocess.run(
        [*_unshare(), "sh", "-c", mount, sys.executable, str(folder), body],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout
