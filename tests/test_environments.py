"""The environments and the container hold what the lock pins, and nothing else."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from parley.environments import CONCERNS, PYTHON, environment, locked, reached
from tests.builders import ROOT

LOCK = locked()
CUDA = locked(ROOT / "constraints-cuda.txt")


def pins_of(concern: str) -> list[str]:
    *_, pip = yaml.safe_load((ROOT / f"envs/{concern}.yaml").read_text())["dependencies"]
    return list(pip["pip"])


@pytest.mark.parametrize("concern", CONCERNS)
def test_an_environment_is_what_is_written_from_the_lock(concern: str) -> None:
    assert (ROOT / f"envs/{concern}.yaml").read_text() == environment(concern), "run python -m parley.environments"


@pytest.mark.parametrize("concern", CONCERNS)
def test_every_pin_is_the_lock_s_and_all_that_is_asked_for_is_there(concern: str) -> None:
    pins = pins_of(concern)
    assert len(pins) == len(set(pins)) and set(pins) <= {*LOCK.values(), *CUDA.values()}
    names = {canonicalize_name(Requirement(pin).name) for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [need for extra in CONCERNS[concern] for need in project["optional-dependencies"][extra]]
    assert {canonicalize_name(Requirement(need).name) for need in [*project["dependencies"], *extras]} <= names


def test_there_is_one_for_every_rule_and_none_that_no_rule_uses() -> None:
    named = {
        name for file in (ROOT / "rules").glob("*.smk") for name in re.findall(r"envs/(\w+)\.yaml", file.read_text())
    }
    assert named == set(CONCERNS) == {path.stem for path in (ROOT / "envs").glob("*.yaml")}


def test_who_only_speaks_needs_no_torch_and_who_trains_has_what_torch_brings() -> None:
    heavy = ("torch==", "transformers==", "trl==", "lm_eval==", "lm-eval==")
    assert not [pin for pin in pins_of("core") if pin.startswith(heavy)]
    assert any(pin.startswith("torch==") for pin in pins_of("train")) and set(CUDA.values()) <= set(pins_of("train"))
    assert set(pins_of("train")) - set(pins_of("knowledge")) == set()


def test_the_closure_is_followed_through_extras_and_ends() -> None:
    found = reached(["snakemake"], LOCK)
    assert LOCK["jinja2"] in found and LOCK["markupsafe"] in found  # what it needs, and what that needs
    assert reached(["markupsafe"], LOCK) == [LOCK["markupsafe"]]
    assert reached(["nothing-of-ours"], LOCK) == []


@pytest.mark.parametrize("recipe", ["Containerfile", "parley.def"])
def test_a_container_is_made_from_the_locks_and_the_same_python(recipe: str) -> None:
    text = (ROOT / "containers" / recipe).read_text()
    assert f"docker.io/library/python:{PYTHON}-" in text
    assert "-r requirements.lock -r requirements-slurm.lock -c constraints-cuda.txt" in text
    assert "==" not in text  # no pin of its own


def test_vllm_s_environment_is_pinned_whole_and_apart() -> None:
    pins = locked(ROOT / "requirements-vllm.lock")
    assert len(pins) > 100 and all("==" in pin for pin in pins.values())
    assert pins["vllm"] == "vllm==0.32.0" and "vllm" not in LOCK
