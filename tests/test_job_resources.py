"""What jobs are given: from models, checkpoints, counts and attempts."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley import resources
from parley.config import Model
from parley.config.learning import Training
from parley.llm.devices import shares
from parley.llm.source import Source


def model(engine: str = "openai", **changes: Any) -> Model:
    return Model.model_validate({"engine": engine, "name": "one", **changes})


def checkpoint(folder: Path, megabytes: float, parts: int = 1) -> str:
    """A checkpoint whose weights have this size together, and which takes no disk."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    for number in range(parts):
        with (folder / f"model-{number}.safetensors").open("wb") as file:
            file.truncate(int(megabytes * 1e6 / parts))
    return str(folder)


@pytest.fixture
def seven(tmp_path: Path) -> str:
    """A checkpoint as large as one of seven billion parameters in bf16."""
    return checkpoint(tmp_path / "seven", 14_500, parts=3)


@given(st.floats(1, 1e6), st.integers(1, 10))
def test_each_attempt_gets_as_much_again(amount: float, attempt: int) -> None:
    assert resources.grown(amount, attempt + 1) >= resources.grown(amount, attempt) + int(amount)
    assert resources.grown(amount, attempt) >= amount * attempt


def test_what_is_not_there_takes_no_memory_and_has_no_weights(tmp_path: Path) -> None:
    assert resources.size([tmp_path / "none.safetensors", tmp_path]) == 0
    assert resources.weights_of(model("vllm", path=str(tmp_path / "none"))) == []
    assert resources.weights_of(model(path="what an endpoint has")) == []
    single = tmp_path / "one.gguf"
    single.write_bytes(b"x" * 2_000_000)
    assert resources.size(resources.weights_of(model("llamacpp", path=str(single)))) == 2


def test_a_job_that_only_asks_an_endpoint_is_small() -> None:
    assert resources.serving([model(), model(name="two")], own=1000) == 1000 + resources.AROUND
    assert (resources.gpus([model()]), resources.cpus([model()])) == (0, 1)


def test_a_job_that_serves_a_checkpoint_has_room_for_its_weights(seven: str) -> None:
    served = resources.serving([model("vllm", path=seven)], own=1000)
    assert served >= 1000 + 14_500 + 4_000
    # llama.cpp's copy is converted first.
    assert resources.serving([model("llamacpp", path=seven)], own=1000) >= 1000 + 2 * 14_500


def test_players_of_one_checkpoint_share_an_engine_and_others_add_up(seven: str, tmp_path: Path) -> None:
    agent, warm = model("vllm", path=seven), model("vllm", path=seven, temperature=0.2)
    other = model("vllm", name="other", path=checkpoint(tmp_path / "other", 64_000), gpus=2)
    assert resources.gpus([agent, warm]) == 1 and resources.gpus([agent, other, warm]) == 3
    assert resources.cpus([agent, other]) == 8
    assert resources.serving([agent, warm], 0) == resources.serving([agent], 0)
    more = resources.serving([agent, other], 0) - resources.serving([agent], 0)
    assert more == 64_000 + resources.ENGINE["vllm"]


@given(
    st.lists(
        st.builds(
            lambda name, path, gpus: model("vllm", name=name, path=path, gpus=gpus),
            *(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), st.integers(1, 4)),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_job_gets_the_gpus_that_its_engines_will_want(models: list[Model]) -> None:
    groups: dict[object, int] = {}
    for one in models:
        groups[Source.kind(one)] = max(groups.get(Source.kind(one), 0), one.gpus)
    assert resources.gpus(models) == sum(groups.values())
    shares(list(groups.values()), ",".join(map(str, range(resources.gpus(models)))))  # raises if they are too few


def test_training_has_room_for_the_weights_twice(seven: str) -> None:
    assert resources.training(model("vllm", path=seven)) >= 2 * 14_500 + resources.TRAINER_GPU
    small = resources.training(model("llamacpp", path="resources/pocket"))
    assert 3_000 < small < 4_000  # the default experiment, on any laptop


def test_time_grows_with_the_calls_and_shrinks_with_how_many_are_in_flight() -> None:
    few, many = resources.asking(1_000, [model()]), resources.asking(100_000, [model()])
    assert resources.LEAST <= few < many
    assert resources.asking(100_000, [model(concurrency=64)]) == pytest.approx(many / 2, rel=0.01)
    assert resources.asking(0, [model()]) == resources.asking(0, []) == resources.LEAST


def test_the_slowest_sets_the_pace_and_every_engine_has_time_to_start(seven: str) -> None:
    quick, slow = model("playhouse", name="expert"), model("llamacpp", path="resources/pocket")
    assert (
        resources.asking(10_000, [quick, slow]) >= resources.asking(10_000, [slow]) > resources.asking(10_000, [quick])
    )
    one, two = model("vllm", path=seven), model("vllm", name="two", path=seven)
    assert resources.asking(10_000, [one, two]) == resources.asking(10_000, [one]) + resources.START["vllm"]
    # An engine on the CPU answers one call a core, however many wait.
    assert resources.asking(9_000, [slow]) == resources.asking(9_000, [slow.model_copy(update={"concurrency": 1})])


def test_a_batch_is_waited_for_as_long_as_the_config_says() -> None:
    assert resources.waiting(model(batch={"hours": 12})) == 720
    assert resources.waiting(model()) == 0


def test_time_to_train_goes_by_samples_epochs_and_parameters(seven: str) -> None:
    large, settings = model("vllm", path=seven), Training(epochs=2)
    once = resources.learning(10_000, settings, large)
    assert resources.learning(20_000, settings, large) == pytest.approx(2 * once, rel=0.2)
    assert resources.learning(10_000, Training(epochs=4), large) == pytest.approx(2 * once, rel=0.2)
    assert resources.learning(10_000, Training(epochs=2, max_length=150), large) < once / 2
    # The paper's own: some thousands of samples, 20 epochs; a day on a slow card, not a week.
    assert 8 * 60 < resources.learning(2_000, Training(epochs=20), large) < 24 * 60
    assert resources.learning(500, Training(epochs=6), model("llamacpp", path="resources/pocket")) <= 60


def test_counts_come_from_what_other_jobs_wrote(tmp_path: Path) -> None:
    (tmp_path / "00.casts.json").write_text(json.dumps({"tasks": 3, "casts": 15}))
    assert resources.count(tmp_path / "00.casts.json", "casts") == 15
    assert resources.count(tmp_path / "00.casts.json", "another") == 0
    (tmp_path / "00.jsonl").write_text("{}\n{}\n")
    assert resources.count(tmp_path / "00.jsonl") == 2
    with pytest.raises(FileNotFoundError):  # which Snakemake takes for "not yet"
        resources.count(tmp_path / "01.jsonl")
