"""Results in storage: a trained policy is made and played where jobs have nothing but what their rules name as input."""

import copy
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.config import check
from parley.whereabouts import layout_beside
from tests.workflow import ROOT, Workshop, learning, ran

#: What is made on one machine: an adapter, and samples for another one.
MADE = ("results/small/policies/bc.json", "results/small/datasets/sr/manifest.json")
#: What stands on them: a play with the adapter, and a training that goes on from it.
TARGETS = ("results/small/policies/sr.json", "results/small/episodes/test/bc+partner/00.jsonl")


def config() -> dict[str, Any]:
    """Two policies, the second on top of the first, from a few tasks that are there already."""
    found = copy.deepcopy(learning())
    found["prompts"] = {"turn": "prompts/turn_short.jinja"}
    found["task_sets"] = {"round": {"file": "round.jsonl", "casts": 1}, "test": {"file": "test.jsonl", "casts": 1}}
    source = {"players": ["expert", "expert"], "tasks": "round", "judge": "judge"}
    for name in ("bc", "sr"):
        found["policies"][name]["learns_from"] = {**source, "selection": {"rule": "top", "top": 1}}
        found["policies"][name]["training"]["epochs"] = 1
    del found["models"]["writer"]
    return found


class Stored(Workshop):
    """A workshop whose results lie in storage."""

    def __init__(self, folder: Path, storage: list[str]) -> None:
        super().__init__(folder, config())
        self.storage = storage
        lines = (ROOT / "resources/tasks/evaluation.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "round.jsonl").write_text(lines[0] + "\n" + lines[1] + "\n", encoding="utf-8")
        (folder / "test.jsonl").write_text(lines[2] + "\n", encoding="utf-8")

    def start(self, *arguments: str, cores: int = 2) -> "subprocess.Popen[str]":
        return super().start(*arguments, *self.storage, cores=cores)


@pytest.fixture
def cellar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as storage (tests/cellar)."""
    folder = tmp_path / "cellar"
    folder.mkdir()
    monkeypatch.setenv("CELLAR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests/cellar"))
    return folder


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that speaks S3."""
    for name in ("snakemake_storage_plugin_s3", "moto", "flask"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install snakemake-storage-plugin-s3 'moto[s3,server]'")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path / "moto.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            while server.poll() is None and not _answers(port):
                time.sleep(0.1)
            assert server.poll() is None, (tmp_path / "moto.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_machine_that_has_nothing_of_the_results_plays_and_trains_with_what_is_fetched(
    cellar: Path, tmp_path: Path
) -> None:
    shop = Stored(
        tmp_path / "shop", ["--default-storage-provider", "cellar", "--default-storage-prefix", "cellar://wine"]
    )
    shop.run(*MADE)
    made = cellar / "wine/results/small"
    assert (made / "policies/bc/adapter_model.safetensors").is_file()
    assert {path.name for path in shop.results.rglob("*") if path.is_file()} == {"experiment.json", ".lock"}

    for folder in ("results", ".snakemake"):
        shutil.rmtree(shop.folder / folder)
    assert ran(shop.run(*TARGETS, "--rerun-triggers", "mtime")) == {"cast": 1, "play": 1, "train": 1}
    assert (made / "policies/sr/adapter_model.safetensors").is_file()
    episodes = (made / "episodes/test/bc+partner/00.jsonl").read_text(encoding="utf-8")
    assert episodes.count("\n") == 1 and "endpoint" not in episodes
    fetched = {path.removeprefix("wine/") for path in (cellar / "fetched.log").read_text().splitlines()}
    assert {f"results/small/{path}" for path in ("policies/bc", "datasets/sr/train.parquet")} <= fetched
    assert all(path.startswith("results/") for path in fetched)  # prompts and models stay where they are


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_with_a_server_that_speaks_s3(s3: str, tmp_path: Path) -> None:
    storage = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://parley"]
    shop = Stored(tmp_path / "shop", [*storage, "--storage-s3-endpoint-url", s3])
    shop.run(*MADE)
    for folder in ("results", ".snakemake"):
        shutil.rmtree(shop.folder / folder)
    assert ran(shop.run(*TARGETS, "--rerun-triggers", "mtime")) == {"cast": 1, "play": 1, "train": 1}
    assert "Nothing to be done" in shop.run(*TARGETS)


@pytest.mark.parametrize(
    ("out", "root"),
    [
        ("results/small/tables/table_2.csv", "results"),
        (".snakemake/storage/s3/parley/results/small/judges/all.json", ".snakemake/storage/s3/parley/results"),
        ("/data/results/small/human/agreement.json", "/data/results"),
        ("results/other/tables/table_2.csv", "results"),
        ("small/table_2.csv", "results"),
        ("table_2.csv", "results"),
    ],
)
def test_a_script_finds_what_it_reads_beside_what_it_writes(out: str, root: str) -> None:
    layout = layout_beside(Path(out), check(config(), "config"))
    assert layout.results == f"{root}/small"
    assert layout.policy("bc") == os.path.join(root, "small/policies/bc")
