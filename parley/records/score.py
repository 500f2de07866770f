"""A score: what ratings say about one policy on one dimension; and a difference: what they say about two."""

import polars as pl
from pydantic import Field

from parley.records.jsonl import Record


class Provenance(Record):
    """Where a score comes from. Names are those of the config; the `*_model` strings say what spoke under the name."""

    policy: str
    evaluation: str
    partner: str
    judge: str
    policy_model: str = Field(description="identity of the model (and adapter) behind the policy")
    partner_model: str
    judge_model: str
    judge_prompt: str = Field(description="SHA-256 of the rating template")
    taught: bool = Field(default=False, description="the judge's ratings selected what the policy learned from")


#: One row a dimension (the seven and `overall`) and seat (null = both pooled).
#:
#: `mean` over `n` rated seats in `clusters` tasks; `se`, `low`, `high` as in `parley.evaluation.statistics`.
#: `failed` seats have a rating that could not be read; `missing` ones should have been rated and have no row at all
#: (null where the caller did not say what should be there). Neither is in the mean.
SCHEMA: dict[str, pl.DataType] = {
    "policy": pl.String(),
    "evaluation": pl.String(),
    "partner": pl.String(),
    "judge": pl.String(),
    "dimension": pl.String(),
    "seat": pl.Int8(),
    "mean": pl.Float64(),
    "se": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Int32(),
    "clusters": pl.Int32(),
    "failed": pl.Int32(),
    "missing": pl.Int32(),
    "policy_model": pl.String(),
    "partner_model": pl.String(),
    "judge_model": pl.String(),
    "judge_prompt": pl.String(),
    "taught": pl.Boolean(),
}

#: One row a dimension and method: `a` minus `b` against the same partner.
#:
#: `method` is `pairs` (rows matched on task, cast, seat and replicate, clustered by task; `n` pairs) or `task_means`
#: (paired t test on the tasks' means; `n` tasks). `mean_a` and `mean_b` are over what was compared, `unmatched_a` and
#: `unmatched_b` count the rated rows that had no partner row to be compared with. `p` is of this test alone, `p_holm`
#: corrected for testing the seven dimensions (null for `overall`, which is their mean and no eighth hypothesis), and
#: `effect` the difference in units of a seat's spread (`parley.evaluation.effect`).
DIFFERENCES: dict[str, pl.DataType] = {
    "a": pl.String(),
    "b": pl.String(),
    "evaluation": pl.String(),
    "partner": pl.String(),
    "judge": pl.String(),
    "dimension": pl.String(),
    "method": pl.String(),
    "mean_a": pl.Float64(),
    "mean_b": pl.Float64(),
    "difference": pl.Float64(),
    "se": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "t": pl.Float64(),
    "p": pl.Float64(),
    "p_holm": pl.Float64(),
    "effect": pl.Float64(),
    "n": pl.Int32(),
    "clusters": pl.Int32(),
    "unmatched_a": pl.Int32(),
    "unmatched_b": pl.Int32(),
}
