"""The hub's card of a dataset: whose turns it holds, how they were chosen, and under which licence."""

from collections.abc import Mapping
from typing import Any

from parley.config import Experiment
from parley.exchange.share import facts
from parley.learning.card import card
from parley.learning.dataset import COLUMNS, TABLE


def dataset_card(experiment: Experiment, policy: str, counts: Mapping[str, Any], licence: str, repository: str) -> str:
    """The card as text. `repository` is its id on the hub, `counts` are those of the dataset's manifest and funnel. The same
    facts give the same bytes.
    """
    from huggingface_hub import DatasetCardData

    source = experiment.policies[policy].learns_from
    assert source is not None
    name = f"{experiment.experiment}-{policy}-data"
    header = DatasetCardData(
        pretty_name=name,
        license=licence,
        language="en",
        task_categories=["text-generation"],
        size_categories=[_size(counts["rows"])],
        tags=["parley", "social-interaction", "role-play"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": TABLE}]}],
    ).to_dict()  # type: ignore[no-untyped-call]
    task_set = experiment.task_sets[source.tasks]
    written = (
        f"written by {facts.speaker(experiment, task_set.writer)}" if task_set.writer else "brought in from a file"
    )
    parts = [
        *([facts.SIMULATED] if facts.simulated(experiment) else []),
        COLUMNS,
        f'```python\nfrom datasets import load_dataset\n\nload_dataset("{repository}", split="train")\n```',
        "## Limitations\n\n" + "\n".join(f"- {line}" for line in _limits(experiment, counts, licence)),
        "## How it was made",
    ]
    told = {
        "learned by": f"policy `{policy}` of the experiment `{experiment.experiment}`",
        "players": " and ".join(facts.speaker(experiment, name) for name in dict.fromkeys(source.players)),
        "tasks": f"`{source.tasks}`, {written}; {task_set.casts or 1} casts each unless a task has its own",
        "judge": facts.speaker(experiment, source.judge),
        "selection": ", ".join(f"{key} {value}" for key, value in source.selection.model_dump().items()),
        "samples": f"{counts['rows']} turns of {counts['episodes']} episodes of {counts['tasks']} tasks",
        "seats kept": f"{counts['kept']} of {counts['candidates']}",
        **{f"seats: {outcome}": number for outcome, number in counts["funnel"].items()},
        **{f"dropped turns: {why}": number for why, number in counts["dropped_turns"].items()},
        "hash of what is learned": counts["sha256"],
    }
    return card(header, name, parts, told)


def _size(rows: int) -> str:
    """The hub's name for a number of rows."""
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for bound, name in bounds if rows < bound), "1M<n<10M")


def _limits(experiment: Experiment, counts: Mapping[str, Any], licence: str) -> list[str]:
    return [
        "Chosen by one judge model's scores, which people may not share.",
        f"{counts['tasks']} tasks: what is rare in them is rare or missing here.",
        "The characters are invented, and some want what harms others; their words are role-play.",
        *(["Scripted speakers stood in for models."] if facts.simulated(experiment) else []),
        f"Licence {licence}: that of the tasks and characters. The terms of those whose models wrote the talk hold besides.",
    ]
