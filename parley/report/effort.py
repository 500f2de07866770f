"""Effort: the calls, tokens, money and time that the results stand on."""

from dataclasses import dataclass

import polars as pl

from parley.config.prices import Price
from parley.llm.prices import cost
from parley.report.findings import TOKENS, Findings


@dataclass(frozen=True)
class Effort:
    """What a stage's calls to one speaker took.

    `model` is what spoke under that name. `seconds` were waited for answers, many of them at once; `wall` is the time on
    the clock of the jobs in which it spoke, None if it was not measured. `money` is None where the model has no price.
    """

    stage: str
    speaker: str
    model: str | None
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    seconds: float
    retries: int
    failures: int
    wall: float | None
    money: float | None
    currency: str | None

    @property
    def cached_share(self) -> float | None:
        """The share of the prompt tokens that the endpoint read from its cache, None if there were none."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else None


STAGES = (
    "tasks",
    "casts",
    "episodes",
    "ratings",
    "judgements",
    "human",
    "selections",
    "datasets",
    "policies",
    "scores",
    "knowledge",
    "safety",
)


def efforts(findings: Findings) -> list[Effort]:
    """What calls took, by stage, speaker and model, in the order of the stages and of the experiment."""
    keys = ("stage", "speaker", "model")
    walls = pl.when(pl.col("wall").is_not_null().any()).then(pl.col("wall").sum())
    sums = findings.usage.group_by(*keys).agg(pl.exclude(*keys, "wall").sum(), wall=walls)
    experiment = findings.experiment
    speakers = [*experiment.measured(), *experiment.models]

    def place(row: dict[str, object]) -> tuple[int, int, str, str]:
        stage, speaker = str(row["stage"]), str(row["speaker"])
        return (
            STAGES.index(stage) if stage in STAGES else len(STAGES),
            speakers.index(speaker) if speaker in speakers else len(speakers),
            speaker,
            str(row["model"] or ""),
        )

    efforts = []
    for row in sorted(sums.iter_rows(named=True), key=place):
        is_known = row["speaker"] in speakers
        model = experiment.model_of(row["speaker"]) if is_known else None
        price = model.price if model else None
        batched = [int(row.pop(f"batch_{name}") or 0) for name in TOKENS]
        live = [row[name] - part for name, part in zip(TOKENS, batched, strict=True)]
        money = _sum(cost(model, *live), cost(model, *batched, batch=True)) if model else None
        efforts.append(Effort(**row, money=money, currency=price.currency if isinstance(price, Price) else None))
    return efforts


def _sum(*amounts: float | None) -> float | None:
    """The sum, None if one of the amounts is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def spent(efforts: list[Effort]) -> dict[str, float]:
    """Money by currency over all efforts that have a price."""
    total: dict[str, float] = {}
    for effort in efforts:
        if effort.currency is not None and effort.money is not None:
            total[effort.currency] = total.get(effort.currency, 0.0) + effort.money
    return total


def jobs(findings: Findings) -> list[tuple[str, int, float, float | None]]:
    """(stage, jobs, seconds of all jobs together, most memory of one in MiB) in the order of the stages."""
    sums = findings.timings.group_by("stage").agg(
        jobs=pl.len(), seconds=pl.col("seconds").sum(), most=pl.col("max_rss").max()
    )
    rows = [(str(s), int(j), float(t), m) for s, j, t, m in sums.iter_rows()]
    return sorted(rows, key=lambda row: (STAGES.index(row[0]) if row[0] in STAGES else len(STAGES), row[0]))
