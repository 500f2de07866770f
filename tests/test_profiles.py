"""The profiles and the lock of the cluster: what must agree with what. tests/slurm runs them."""

import re
import tomllib

import yaml

from tests.builders import ROOT

DEFAULT = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
SLURM = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())


def test_what_decides_what_is_stale_is_the_same_everywhere() -> None:
    same = {"rerun-incomplete", "nolock", "show-failed-logs", "max-checksum-file-size", "scheduler"}
    assert {key: SLURM[key] for key in same} == {key: DEFAULT[key] for key in same}


def test_no_limit_of_one_machine_holds_on_a_cluster() -> None:
    limits = {entry.split("=")[0] for entry in DEFAULT["resources"]}
    assert {f"{name}=local" for name in limits} == set(SLURM["set-resource-scopes"])
    assert "resources" not in SLURM and "cores" not in SLURM


def test_the_partitions_are_there_and_their_times_are_no_clock_times() -> None:
    file = ROOT / SLURM["slurm-partition-config"]
    partitions = yaml.safe_load(file.read_text())["partitions"]
    assert set(partitions) == {"cpu", "gpu"}
    assert all(limits["max_runtime"] >= 24 * 60 for limits in partitions.values())
    assert "max_gpu" in partitions["gpu"] and "max_gpu" not in partitions["cpu"]


def test_what_the_cluster_adds_is_pinned_once_and_kept_apart() -> None:
    lock = (ROOT / "requirements-slurm.lock").read_text().splitlines()
    pins = [line for line in lock if line and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(pins) == sorted(project["optional-dependencies"]["slurm"])
    assert "snakemake-executor-plugin" not in (ROOT / "requirements.lock").read_text()


def test_every_rule_that_makes_something_says_what_its_jobs_are_given() -> None:
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for name, body in re.findall(r"^\s*rule (\w+):\n(.*?)(?=^\s*rule |\Z)", file.read_text(), re.M | re.S):
            if "    shell:\n" in body:
                missing = [word for word in ("threads:", "mem_mb=", "runtime=", "gpu=") if word not in body]
                assert not missing, f"{file.name}: rule {name} does not say {missing}"


def test_rules_that_ask_no_model_run_beside_snakemake() -> None:
    """A SLURM job costs seconds to start; and one that asks a model, or trains, never runs on a login node."""
    for file in ("tasks", "episodes", "ratings", "learning"):
        text = (ROOT / f"rules/{file}.smk").read_text()
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, re.M | re.S):
            if "    shell:\n" in body:
                asks = "--ledger" in body or "--store" in body
                assert asks != ("    localrule: True\n" in body), name
