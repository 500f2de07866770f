"""Runs of the real workflow in a folder of their own, for tests."""

import copy
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


#: What a run needs of the checkout.
PARTS = ("configs", "captions", "Snakefile", "parley", "profiles", "prompts", "resources", "rules", "scripts", "envs")


class Workshop:
    """A folder with a config and the checkout's resources, in which Snakemake runs the checkout's rules.

    With `clone` the folder is a copy of the checkout, code and all, so that a test may edit anything in it.
    """

    def __init__(self, folder: Path, config: dict[str, Any], clone: bool = False) -> None:
        self.folder = folder
        self.code = folder if clone else ROOT
        folder.mkdir(parents=True, exist_ok=True)
        if clone:
            clone_code(folder)
        else:
            for name in ("resources", "prompts"):
                (folder / name).symlink_to(ROOT / name)
        self.configure(config)

    def copy(self, folder: Path) -> "Workshop":
        """The same clone with all that was made in it, at another place, times of files included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        twin = Workshop.__new__(Workshop)
        twin.folder, twin.code, twin.config = folder, folder, copy.deepcopy(self.config)
        return twin

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.config["experiment"]

    def configure(self, config: dict[str, Any]) -> None:
        self.config = config
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def start(self, *arguments: str, cores: int = 2) -> "subprocess.Popen[str]":
        """Snakemake in a process group of its own, its output in one pipe."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.code / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")]
        command += ["--workflow-profile", str(self.code / "profiles/default"), "--cores", str(cores), *arguments]
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
        files = [path for path in sorted(self.results.glob(pattern)) if path.is_file()]
        return {str(path.relative_to(self.results)): Content(path.read_bytes()) for path in files}


class Content(bytes):
    """The bytes of a file; where two sets of files differ, a test says which and not how."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes, {hashlib.sha256(self).hexdigest()[:12]}>"


@contextmanager
def held(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Within the block the process stands still and keeps its locks; else it might be over before it is looked at."""
    assert process.poll() is None, "it ended before it could be held"
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def jobs(output: str) -> dict[str, int]:
    """The jobs of a plan by rule, from Snakemake's job table (without the rule that is only a target)."""
    found: dict[str, int] = {}
    for line in output.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and words[0] not in ("total", "all"):
            found[words[0]] = int(words[1])
    return found


def ran(output: str) -> dict[str, int]:
    """The jobs that a run finished, by rule."""
    return dict(Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", output, re.MULTILINE)))


def clone_code(folder: Path) -> None:
    """Put the checkout's code, prompts and resources into `folder`, over what is there, with the time of now."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_file():
            shutil.copyfile(source, folder / part)
        else:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, ignore=ignored, copy_function=shutil.copyfile, dirs_exist_ok=True)


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
    config["task_sets"]["evaluation"] = {"count": 4, "writer": "writer", "casts": 1, "shards": 1}
    config["task_sets"]["safety"]["casts"] = 1
    config["knowledge"]["limit"] = 3
    config["evaluations"] = {"all": {"tasks": "evaluation", "partner": "partner", "judge": "judge"}}
    config["human"] |= {"evaluation": "all", "per_policy": 2}
    for policy in ("bc", "sr", "bc_sr"):
        config["policies"][policy]["training"] = {**config["policies"][policy].get("training", {}), "epochs": 1}
    return json.loads(json.dumps(config))


def learning() -> dict[str, Any]:
    """A small experiment with two trained policies, in which how many calls there are does not depend on what is said.

    Every episode has two turns, and its prompts do not show what was said before.
    """
    training = {"epochs": 3, "learning_rate": 0.003, "batch_size": 4, "rank": 4, "alpha": 8, "dropout": 0}
    bc = {"players": ["expert", "expert"], "tasks": "round1", "judge": "judge", "selection": {"rule": "bc", "top": 1}}
    sr = {"players": ["bc", "bc"], "tasks": "round2", "judge": "judge", "selection": {"rule": "sr", "share": 0.3}}
    return {
        "experiment": "small",
        "seed": 3,
        "models": {
            "agent": {
                **{"engine": "llamacpp", "name": "pocket", "path": "resources/pocket"},
                **{"temperature": 0.7, "max_tokens": 64, "concurrency": 1},
            },
            "expert": {"engine": "playhouse", "name": "expert"},
            "partner": {"engine": "playhouse", "name": "partner"},
            "writer": {"engine": "playhouse", "name": "writer"},
            "judge": {"engine": "playhouse", "name": "judge", "temperature": 0},
        },
        "prompts": {"turn": "turn.jinja"},
        "task_sets": {
            "round1": {"count": 3, "writer": "writer", "casts": 2, "shards": 2},
            "round2": {"count": 2, "writer": "writer", "casts": 3},
            "test": {"file": "mine.jsonl"},
        },
        "play": {"max_turns": 2, "history": 4},
        "policies": {
            "base": {"model": "agent"},
            "bc": {"parent": "base", "learns_from": bc, "training": training},
            "sr": {"parent": "bc", "learns_from": sr, "training": training},
        },
        "evaluations": {"all": {"tasks": "test", "partner": "partner", "judge": "judge"}},
    }


def build_learning(folder: Path) -> Workshop:
    """A clone in which the experiment `learning` has run."""
    workshop = Workshop(folder, learning(), clone=True)
    lines = (ROOT / "resources/tasks/evaluation.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "mine.jsonl").write_text("".join(line + "\n" for line in lines[:2]), encoding="utf-8")
    short = (ROOT / "prompts/turn_short.jinja").read_text(encoding="utf-8")
    blind = re.sub(r"{% for turn in history %}.*?{% endfor %}\n", "", short, flags=re.DOTALL)
    assert "history" not in blind
    (folder / "turn.jinja").write_text(blind, encoding="utf-8")
    workshop.run()
    return workshop
