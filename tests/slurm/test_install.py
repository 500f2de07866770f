"""Where there can be no throw-away cluster the reason is said, and nobody else's is touched."""

import os
import shutil
from pathlib import Path

import pytest

from tests.slurm import cluster
from tests.slurm.cluster import Absent, free_ports, install


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if by root, on a machine that has SLURM and no cluster."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(cluster, "USUAL", tmp_path / "slurm.conf")


def test_with_all_there_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.subprocess, "run", lambda *_, **__: pytest.fail("something is run"))
    install()


def test_without_root_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Absent, match="needs root"):
        install()


def test_without_slurm_and_apt_get_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Absent, match="no apt-get"):
        install()


def test_an_apt_get_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false" if name == "apt-get" else None)
    failed = cluster.subprocess.CompletedProcess([], 100, "", "W: old\nE: Unable to locate package slurm-wlm\n")
    monkeypatch.setattr(cluster.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(Absent, match="apt-get update fails: E: Unable to locate package"):
        install()


def test_the_cluster_of_somebody_else_is_left_alone() -> None:
    cluster.USUAL.write_text("ClusterName=theirs\n")
    with pytest.raises(Absent, match="belongs to another cluster"):
        install()
    assert cluster.USUAL.read_text() == "ClusterName=theirs\n"


def test_the_link_of_a_cluster_of_ours_that_was_killed_is_none_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "parley-slurm-x").mkdir()
    cluster.USUAL.symlink_to(tmp_path / "parley-slurm-x" / "slurm.conf")  # gone with its folder
    install()
    (tmp_path / "parley-slurm-x" / "slurm.conf").touch()  # and if the folder was left
    install()


def test_ports_are_free_and_differ() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5 and all(port > 1024 for port in ports)


def test_where_accounting_cannot_be_installed_there_is_a_cluster_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false" if name == "apt-get" else None)
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        asked.append(command)
        return cluster.subprocess.CompletedProcess(command, 100 if "slurmdbd" in command else 0, "", "E: no slurmdbd")

    monkeypatch.setattr(cluster.subprocess, "run", run)
    install()
    assert [command[1] for command in asked] == ["update", "install", "install"]
    assert not cluster.Cluster(Path("somewhere")).accounting
