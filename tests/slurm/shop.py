"""Runs of the workflow on the throw-away cluster, through the profile as it is shipped."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parley.records.task import read_tasks
from tests.slurm.cluster import ACCOUNT, Absent, Cluster
from tests.workflow import ROOT, Workshop

#: What differs from a real cluster: nothing lags, and nobody waits half a minute to look.
HERE = ["--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5", "--slurm-keep-successful-logs"]
#: As on a cluster without accounting.
WITHOUT = ["--slurm-no-account", "--slurm-status-command", "squeue"]
#: As on one with it.
WITH = ["--default-resources", f"slurm_account={ACCOUNT}"]


def outfit(folder: Path) -> Path:
    """A Python with this one's packages, the executor, a stand-in for vLLM, and an observer. Its executable.

    Raises `Absent` if the executor cannot be installed.
    """
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    for number, path in enumerate(part for part in sys.path if part.endswith("-packages")):
        for inherited in (path, *_named_in(Path(path))):
            with (packages / f"a{number}.pth").open("a") as file:
                file.write(inherited + "\n")
    (packages / "z_observer.pth").write_text(f"{ROOT}\nimport tests.slurm.observer\n")
    python = folder / "bin" / "python"
    _install(python)
    vllm = folder / "bin" / "vllm"
    vllm.write_text(f'#!/bin/sh\nexec "{python}" -m tests.slurm.vllm "$@"\n')
    vllm.chmod(0o755)
    about = packages / "vllm-0.0.0.dist-info"  # its version is part of what a call is
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.0.0\n")
    return python


def _named_in(packages: Path) -> list[str]:
    """Folders that the .pth files of a site-packages name: Python does not follow them twice."""
    lines = [line.strip() for file in packages.glob("*.pth") for line in file.read_text().splitlines()]
    return [line for line in lines if line.startswith("/") and Path(line).is_dir()]


def _install(python: Path) -> None:
    lock = [*("-r", str(ROOT / "requirements-slurm.lock")), *("-c", str(ROOT / "requirements.lock"))]
    ways = [[str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", *lock]]
    if uv := shutil.which("uv"):
        ways.append([uv, "pip", "install", "-q", "--python", str(python), "--no-deps", *lock])
    said = ""
    for way in [[str(python), "-c", "import snakemake_executor_plugin_slurm"], *ways]:
        done = subprocess.run(way, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
    raise Absent(f"the SLURM executor of Snakemake cannot be installed: {said}")


class ClusterShop(Workshop):
    """A workshop whose runs go to a cluster. Without one they stay on this machine, with the same Python.

    `how` is for clusters with or without accounting.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        python: Path,
        cluster: Cluster | None,
        how: Sequence[str] = WITHOUT,
    ) -> None:
        super().__init__(folder, config)
        self.python = python
        self.cluster = cluster
        self.how = how
        (folder / "profiles").symlink_to(ROOT / "profiles")
        lines = (ROOT / "resources/tasks/evaluation.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "round.jsonl").write_text("".join(line + "\n" for line in lines[:6]), encoding="utf-8")
        (folder / "test.jsonl").write_text(lines[6] + "\n", encoding="utf-8")

    def start(self, *arguments: str, cores: int = 2) -> "subprocess.Popen[str]":
        """Snakemake in a process group of its own, its output in one pipe."""
        command = [str(self.python), "-m", "snakemake" if self.cluster is None else "tests.slurm.impatient"]
        command += ["--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")]
        if self.cluster is None:
            command += ["--workflow-profile", str(ROOT / "profiles/default"), "--cores", str(cores)]
        else:
            command += ["--profile", "profiles/slurm", *HERE]
            arguments = (*arguments, *self.how)  # last: an option of many values would take the targets too
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment |= {"PARLEY_SEEN": str(self.folder / "seen.jsonl"), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= self.cluster.environment if self.cluster is not None else {}
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(
            [*command, *arguments], cwd=self.folder, env=environment, text=True, start_new_session=True, **pipe
        )

    def seen(self) -> list[dict[str, Any]]:
        """Where each script ran so far and what it was given (tests/slurm/observer.py)."""
        path = self.folder / "seen.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def one_a_shard(shards: int) -> list[str]:
    """A task for each shard, as lines of a task file."""
    tasks = {task.shard(shards): task for task in read_tasks(ROOT / "resources/tasks/evaluation.jsonl")}
    assert len(tasks) == shards
    return [tasks[shard].model_dump_json() for shard in range(shards)]


def talk(base_url: str | None = None, shards: int = 1) -> dict[str, Any]:
    """The expert talks with itself about six tasks. With an address its endpoint is the expert, asked one call at a time."""
    expert: dict[str, Any] = {"engine": "playhouse", "name": "expert", "concurrency": 1}
    if base_url is not None:
        expert |= {"engine": "openai", "base_url": base_url, "price": "free", "timeout": 600}
    return {
        "experiment": "talk",
        "seed": 3,
        "models": {"expert": expert, "judge": {"engine": "playhouse", "name": "judge", "temperature": 0}},
        "prompts": {"turn": "prompts/turn_short.jinja"},
        "task_sets": {"small": {"file": "round.jsonl", "casts": 1, "shards": shards}},
        "play": {"max_turns": 8, "max_silence": 8},
        "policies": {"base": {"model": "expert"}},
        "evaluations": {"all": {"tasks": "small", "partner": "expert", "judge": "judge"}},
    }


def talked(shards: int = 1) -> list[str]:
    """The episodes of that talk."""
    return [f"results/talk/episodes/small/expert+expert/{shard:02d}.jsonl" for shard in range(shards)]


def two_policies() -> dict[str, Any]:
    """Two policies trained from one parent on the same talk, and measured; the base is served by vLLM."""
    training = {"epochs": 1, "learning_rate": 0.003, "batch_size": 4, "alpha": 8, "dropout": 0, "max_length": 1024}
    source = {"players": ["expert", "expert"], "tasks": "round", "judge": "judge"}
    source |= {"selection": {"rule": "top", "top": 1}}
    return {
        "experiment": "two",
        "seed": 3,
        "models": {
            "agent": {"engine": "vllm", "name": "pocket", "path": "resources/pocket", "max_tokens": 64},
            "expert": {"engine": "playhouse", "name": "expert"},
            "partner": {"engine": "playhouse", "name": "partner"},
            "judge": {"engine": "playhouse", "name": "judge", "temperature": 0},
        },
        "prompts": {"turn": "prompts/turn_short.jinja"},
        "task_sets": {"round": {"file": "round.jsonl", "casts": 1}, "test": {"file": "test.jsonl", "casts": 1}},
        "play": {"max_turns": 4, "history": 4},
        "policies": {
            "base": {"model": "agent"},
            "left": {"parent": "base", "learns_from": source, "training": {**training, "rank": 4}},
            "right": {"parent": "base", "learns_from": source, "training": {**training, "rank": 2}},
        },
        "evaluations": {"all": {"tasks": "test", "partner": "partner", "judge": "judge"}},
    }
