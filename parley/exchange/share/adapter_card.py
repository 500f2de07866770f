"""The hub's card of an adapter: how it was made and what it scored, in the form that the hub's own tools read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from parley.config import Experiment
from parley.exchange.share import facts
from parley.learning.card import card
from parley.records.rating import DIMENSIONS

SHORT = {one.key: (one.short, f"{one.low} to {one.high}") for one in DIMENSIONS} | {
    "overall": ("Overall", "mean of the seven")
}


@dataclass(frozen=True)
class Made:
    """What is known of an adapter: its training's manifest, its dataset's, and its tables of scores and differences."""

    manifest: Mapping[str, Any]
    dataset: Mapping[str, Any]
    scores: pl.DataFrame
    differences: pl.DataFrame


def adapter_card(experiment: Experiment, policy: str, made: Made, licence: str, base: str, repository: str) -> str:
    """The card as text; the same facts give the same bytes. `base` and `repository` are ids of the hub."""
    from huggingface_hub import ModelCardData

    name = f"{experiment.experiment}-{policy}"
    whole = made.scores.filter(pl.col("seat").is_null())
    header = ModelCardData(
        base_model=base,
        library_name="peft",
        license=licence,
        pipeline_tag="text-generation",
        language="en",
        tags=["lora", "sft", "parley", "social-interaction"],
        model_name=name,
        eval_results=_results(experiment, whole) or None,
    ).to_dict()  # type: ignore[no-untyped-call]
    what = (
        f"A LoRA adapter for `{base}` that plays a character in a social situation and answers with one action as JSON. "
        f"It was trained on selected role-play episodes; the loss is on the answers only."
    )
    use = f'```python\nfrom peft import PeftModel\n\nmodel = PeftModel.from_pretrained(base_model, "{repository}")\n```'
    parts = [
        *([facts.SIMULATED] if facts.simulated(experiment) else []),
        *(what, use),
        *_score_tables(experiment, whole, made.differences),
        "## Limitations\n\n" + "\n".join(f"- {line}" for line in _limits(experiment, policy, whole, licence)),
        "## How it was made",
    ]
    return card(header, name, parts, _facts(experiment, policy, made, base))


def _results(experiment: Experiment, scores: pl.DataFrame) -> list[Any]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-generation",
            task_name=f"social interaction, judged by {row['judge']}",
            dataset_type=f"{experiment.experiment}-{experiment.evaluations[row['evaluation']].tasks}",
            dataset_name=row["evaluation"],
            metric_type=row["dimension"],
            metric_name=f"{SHORT[row['dimension']][0]} ({SHORT[row['dimension']][1]})",
            metric_value=round(row["mean"], 4),
            metric_args={
                "low": _rounded(row["low"]),
                "high": _rounded(row["high"]),
                "seats": row["n"],
                "tasks": row["clusters"],
            },
        )
        for row in scores.iter_rows(named=True)
        if row["mean"] is not None
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _score_tables(experiment: Experiment, scores: pl.DataFrame, differences: pl.DataFrame) -> list[str]:
    parts = ["## Scores"] if len(scores) else []
    for name in scores["evaluation"].unique(maintain_order=True):
        rows = scores.filter(pl.col("evaluation") == name)
        entry = experiment.evaluations[name]
        lines = [
            f"**{name}**: against {facts.speaker(experiment, entry.partner)}, judged by "
            f"{facts.speaker(experiment, entry.judge)}; both seats, mean with 95 % interval over {_tasks(rows)}."
        ]
        table = ["| | mean | interval | seats | failed |", "|---|---|---|---|---|"]
        table += [
            f"| {SHORT[row['dimension']][0]} ({SHORT[row['dimension']][1]}) | {_number(row['mean'])} "
            f"| {_interval(row)} | {row['n']} | {row['failed']} |"
            for row in rows.iter_rows(named=True)
        ]
        parts += [*lines, "\n".join(table), *_compared(differences.filter(pl.col("evaluation") == name))]
    return parts


def _tasks(rows: pl.DataFrame) -> str:
    return f"{max(rows['clusters'].to_list())} tasks"


def _compared(rows: pl.DataFrame) -> list[str]:
    lines = [
        f"- {SHORT[row['dimension']][0]} is {row['difference']:+.2f} ({_interval(row)}, p = {row['p']:.3g}) to that of "
        f"`{row['b']}`, paired over {row['n']} {'tasks' if row['method'] == 'task_means' else 'seats'}"
        for row in rows.iter_rows(named=True)
        if row["dimension"] in ("goal", "overall") and row["difference"] is not None and row["p"] is not None
    ]
    return ["\n".join(lines)] if lines else []


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _interval(row: Mapping[str, Any]) -> str:
    return "–" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"


def _limits(experiment: Experiment, policy: str, scores: pl.DataFrame, licence: str) -> list[str]:
    judges = sorted(set(scores["judge"])) if len(scores) else []
    said = [
        "Scores are one judge model's. In the paper (arXiv 2403.08715, Figure 4) a judge's lead over human raters grew "
        "with training, from 0.36 to 1.42 points of goal completion, so a gain here may be smaller to people.",
        "It learned to reach its own goal in talk. It is no assistant, and nothing was done to keep it from persuading or "
        "deceiving.",
        f"How it acts where harm is near was looked at on the tasks `{experiment.safety.tasks}` alone."
        if experiment.safety
        else "How it acts where harm is near was not looked at.",
        f"English only, two speakers, at most {experiment.play.max_turns} turns.",
    ]
    source = experiment.policies[policy].learns_from
    if source is not None and source.judge in judges:
        said.append("The judge that scored it also chose what it learned from.")
    if facts.simulated(experiment):
        said.append("Scripted speakers stood in for models: its scores say nothing of talk with people or models.")
    said.append(
        f"Licence {licence}: that of the texts that it learned from. The licence of the base model and the terms of those "
        "whose models wrote the texts hold besides."
    )
    return said


def _facts(experiment: Experiment, policy: str, made: Made, base: str) -> dict[str, Any]:
    entry = experiment.policies[policy]
    source = entry.learns_from
    assert source is not None
    manifest = made.manifest
    return {
        "base model": base,
        "trained from": f"`{entry.parent}`",
        "learns from": " and ".join(facts.speaker(experiment, name) for name in dict.fromkeys(source.players)),
        "task set": source.tasks,
        "selection": ", ".join(f"{key} {value}" for key, value in source.selection.model_dump().items()),
        "judge of the selection": facts.speaker(experiment, source.judge),
        "samples": f"{made.dataset['rows']} turns of {made.dataset['episodes']} episodes of {made.dataset['tasks']} tasks",
        **{key: manifest[key] for key in ("steps", "first_loss", "last_loss", "too_long") if key in manifest},
        **manifest["settings"],
        **manifest["versions"],
        **{f"hash of the {key}": manifest[key] for key in ("adapter", "base", "dataset")},
    }
