"""Notes where every script of a job ran and what it was given. Loaded at the start of each Python of the tests' set-up."""

import json
import os
import sys

WHAT = ("SLURM_JOB_ID", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "PARLEY_PURSE", "PARLEY_RUN")


def note() -> None:
    """Append a line to the file that PARLEY_SEEN names, if this is one of Parley's scripts."""
    script = next((os.path.basename(word) for word in sys.orig_argv if "/scripts/" in word), None)
    if (seen := os.environ.get("PARLEY_SEEN")) is None or script is None:
        return
    line = json.dumps({"script": script, "argv": sys.orig_argv, **{name: os.environ.get(name) for name in WHAT}})
    with open(seen, "a", encoding="utf-8") as file:
        file.write(line + "\n")


note()
