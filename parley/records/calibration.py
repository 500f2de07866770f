"""A calibrated score: what people say of a policy, what the judge says, and what the two together say that people would."""

import polars as pl

#: One row a player, evaluation, dimension and method; of differences to the baseline the same.
#:
#: `method` is `people` (the seats that they rated), `judge` (all seats) or `calibrated` (`parley.evaluation.ppi`).
#: `n_people` and `n_judge` count the rated seats, `clusters` the tasks that the interval rests on, `weight` says how much
#: of the judge's word was taken, `halving` how many more seats people would have to rate for half the standard error
#: (null: not to be had in this evaluation). `simulated` if any of the ratings is not by a person.
CALIBRATION: dict[str, pl.DataType] = {
    "player": pl.String(),
    "partner": pl.String(),
    "evaluation": pl.String(),
    "dimension": pl.String(),
    "judge": pl.String(),
    "method": pl.String(),
    "mean": pl.Float64(),
    "se": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n_people": pl.Int32(),
    "n_judge": pl.Int32(),
    "clusters": pl.Int32(),
    "halving": pl.Int32(),
    "weight": pl.Float64(),
    "simulated": pl.Boolean(),
}
