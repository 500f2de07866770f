"""GPUs of a job: no two engines on the same one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.config import Model
from parley.errors import ParleyError
from parley.llm.devices import VARIABLE, shares
from parley.llm.source import Source


def test_each_engine_gets_its_own_in_order() -> None:
    assert shares([1, 2], "4,5,7") == ["4", "5,7"]
    assert shares([1, 1], "GPU-aa,GPU-bb,GPU-cc") == ["GPU-aa", "GPU-bb"]


def test_where_nobody_set_any_they_are_counted_from_zero() -> None:
    assert shares([2, 1], None) == ["0,1", "2"]


@given(wanted=st.lists(st.integers(1, 4), max_size=5), more=st.integers(0, 3))
def test_no_gpu_is_given_twice(wanted: list[int], more: int) -> None:
    visible = [f"g{number}" for number in range(sum(wanted) + more)]
    given_out = [name for share in shares(wanted, ",".join(visible)) for name in share.split(",")]
    assert given_out == visible[: sum(wanted)]


@pytest.mark.parametrize("visible", ["0", "", "3,"])
def test_too_few_are_said_before_anything_starts(visible: str) -> None:
    with pytest.raises(ParleyError, match=r"need 2 GPUs together and it sees [01] \(CUDA_VISIBLE_DEVICES="):
        shares([1, 1], visible)


def model(name: str, engine: str = "vllm", gpus: int = 1) -> Model:
    return Model.model_validate({"engine": engine, "name": name, "path": f"models/{name}", "gpus": gpus})


def test_a_policy_and_a_partner_that_are_both_served_share_the_job_s_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2,3,6")
    sources: list[Source] = []
    for one in (model("agent"), Model(engine="playhouse", name="judge"), model("partner", gpus=2)):
        source = Source(Path("cache"), None, list(sources))
        source.add(one, None, None)
        sources.append(source)
    sources[0].add(model("agent"), "bc", Path("policies/bc"))  # an adapter on the same base takes no GPU more
    assert [source._devices() for source in sources] == ["2", None, "3,6"]
