"""Runs of the real workflow in a folder of their own, for tests."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


class Workshop:
    """A folder with a config and the checkout's resources, in which Snakemake runs the checkout's rules."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("resources", "prompts"):
            (folder / name).symlink_to(ROOT / name)
        self.configure(config)

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.config["experiment"]

    def configure(self, config: dict[str, Any]) -> None:
        self.config = config
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def start(self, *arguments: str, cores: int = 2) -> "subprocess.Popen[str]":
        """Snakemake in a process group of its own, its output in one pipe."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")]
        command += ["--workflow-profile", str(ROOT / "profiles/default"), "--cores", str(cores), *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cores: int = 2, status: int = 0) -> str:
        """Run to the end; the output. Fails if it does not end with `status`."""
        process = self.start(*arguments, cores=cores)
        output, _ = process.communicate()
        assert process.returncode == status, output[-6000:]
        return output

    def calls(self) -> int:
        """Model calls in all ledgers: what was ever paid for."""
        count = 0
        for path in (self.folder / "ledger").rglob("*.sqlite"):
            with sqlite3.connect(path, timeout=30) as connection, suppress(sqlite3.OperationalError):  # just being made
                count += connection.execute("SELECT count(*) FROM calls").fetchone()[0]
        return count

    def read(self, pattern: str) -> dict[str, bytes]:
        """The bytes of result files by their path below the results folder."""
        return {
            str(p.relative_to(self.results)): p.read_bytes() for p in sorted(self.results.glob(pattern)) if p.is_file()
        }


def jobs(output: str) -> dict[str, int]:
    """The jobs of a plan by rule, from Snakemake's job table (without the rule that is only a target)."""
    found: dict[str, int] = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and words[0] not in ("total", "all"):
            found[words[0]] = int(words[1])
    return found


def kill(process: "subprocess.Popen[str]") -> None:
    """kill -9 of Snakemake and everything that it started in its group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def talk_only() -> dict[str, Any]:
    """An experiment without training: scripted players on a few tasks, in seconds."""
    return {
        "experiment": "talk",
        "seed": 3,
        "models": {
            "expert": {"engine": "playhouse", "name": "expert"},
            "partner": {"engine": "playhouse", "name": "partner"},
            "writer": {"engine": "playhouse", "name": "writer"},
            "judge": {"engine": "playhouse", "name": "judge", "temperature": 0},
        },
        "prompts": {"turn": "prompts/turn_short.jinja"},
        "task_sets": {"small": {"count": 6, "writer": "writer", "casts": 2, "shards": 2}},
        "play": {"max_turns": 8, "history": 6},
        "policies": {"base": {"model": "expert"}},
        "evaluations": {"all": {"tasks": "small", "partner": "partner", "judge": "judge"}},
    }


def whole() -> dict[str, Any]:
    """A small experiment with every stage: the pocket model, BC, SR on top, knowledge, safety."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config["experiment"] = "whole"
    config["task_sets"]["round1"] |= {"count": 3, "casts": 3, "shards": 1}
    config["task_sets"]["round2"] |= {"count": 3, "casts": 3, "shards": 1}
    config["task_sets"]["evaluation"] = {"count": 4, "writer": "writer", "casts": 1, "shards": 2}
    config["evaluations"] = {"all": {"tasks": "evaluation", "partner": "partner", "judge": "judge"}}
    for policy in ("bc", "sr", "bc_sr"):
        config["policies"][policy]["training"] = {**config["policies"][policy].get("training", {}), "epochs": 1}
    return json.loads(json.dumps(config))
