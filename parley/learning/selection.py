"""Selection: which rated seats are learned from, and why each of the others is not."""

import math
from collections.abc import Collection
from fractions import Fraction

import polars as pl

from parley.canonical import digest
from parley.config import Selection
from parley.errors import ParleyError
from parley.records.rating import KEYS

#: One row a candidate, that is, one seat of one episode (the paper's agent-data pair). `reward` is the score of the
#: dimension that ranks; `rank` counts from 1 within the task and seat; `outcome` is one of `OUTCOMES`.
SCHEMA: dict[str, pl.DataType] = {
    "episode": pl.String(),
    "task": pl.String(),
    "cast": pl.String(),
    "seat": pl.Int8(),
    "player": pl.String(),
    "replicate": pl.Int32(),
    "reward": pl.Float64(),
    "overall": pl.Float64(),
    "rank": pl.Int32(),
    "kept": pl.Boolean(),
    "outcome": pl.String(),
    "reason": pl.String(),
}

#: How a candidate can end, in the order of the funnel.
OUTCOMES: tuple[str, ...] = (
    "episode failed",
    "rating failed",
    "not learned from",
    "task set aside",
    "below the share",
    "below the bar",
    "no counterpart",
    "below the top",
    "below the threshold",
    "above the bar",
    "at the threshold",
    "within the share",
    "top",
)

_GROUP = ("task", "seat")
#: Candidates whose reward and overall are equal stand in this order: which of them is kept is no accident of a file.
_TIES = ("cast", "replicate", "episode")


def select(ratings: pl.DataFrame, rule: Selection, players: Collection[str] | None = None) -> pl.DataFrame:
    """Every candidate with `kept` and the reason: the funnel that the report shows; nothing disappears.

    `ratings` has the columns of `parley.records.rating.SCHEMA`, in which a failed episode has failed ratings; `players`
    names whose seats are learned from, by default everyone's (expert with expert, self-play). Candidates of a task and seat
    are ranked by reward, ties by overall (the higher first), then by cast, replicate and episode id (ascending). Failed
    ratings take part in no rank and no mean. Rows come back by task, seat and rank, unranked ones last.

    With `rule.tasks` below 1 only that share of the tasks is learned from, at least one. Which ones depends on their
    names alone, and those of a smaller share are among those of a greater one, so that a curve over shares only adds.

    The rules (`bc` and `sr`: arXiv 2403.08715, appendix B.2):

    - `bc`: the first `top` ranks of each task and seat are kept. A further rank is kept for both seats if each seat's
      reward there exceeds the smaller of its local mean (task and seat) and its global mean (seat, all tasks), and
      otherwise for neither; so also where one seat has no candidate of that rank.
    - `sr`: the first `share` of each task and seat, rounded up, so never none. The paper says "per task"; ranking each
      seat by itself keeps the seats balanced, as the released code does, where a pooled rank would learn mostly
      from the seat with the easier goal. For equally many candidates a seat the number kept is about the same.
      `within: task` is the pooled rank, to the letter.
    - `top`: the first `top` ranks of each task and seat; with one, what the authors' last code keeps.
    - `threshold`: every candidate whose reward reaches `threshold` (section 3 tells that this needed careful tuning).

    Raises `ParleyError` for an unknown reward and for a seat that is rated twice.
    """
    candidates = _set_aside(_candidates(ratings, rule, players), rule.tasks)
    pooled = rule.rule == "sr" and rule.within == "task"
    ranked = _ranked(candidates.filter(pl.col("outcome").is_null()), _GROUP[:1] if pooled else _GROUP)
    match rule.rule:
        case "bc":
            seats = candidates.filter(pl.col("outcome").ne_missing("not learned from"))["seat"].n_unique()
            judged = _behaviour_cloning(ranked, rule.top, seats)
        case "sr":
            judged = _self_reinforcement(ranked, rule.share, "task" if pooled else "task and seat")
        case "top":
            judged = _top(ranked, rule.top)
        case "threshold":
            judged = _threshold(ranked, rule.threshold)
    out = candidates.filter(pl.col("outcome").is_not_null())
    whole = pl.concat([_completed(judged), _completed(out)])
    return whole.sort(*_GROUP, "rank", "cast", "replicate", "episode", nulls_last=True)


def funnel(selection: pl.DataFrame) -> pl.DataFrame:
    """Candidates by outcome, in the order of `OUTCOMES`: `outcome`, `kept`, `candidates`, `episodes`."""
    order = pl.col("outcome").replace_strict(OUTCOMES, range(len(OUTCOMES)), return_dtype=pl.Int32)
    counts = selection.group_by("outcome", "kept").agg(
        candidates=pl.len().cast(pl.Int64), episodes=pl.col("episode").n_unique().cast(pl.Int64)
    )
    return counts.sort(order)


def _candidates(ratings: pl.DataFrame, rule: Selection, players: Collection[str] | None) -> pl.DataFrame:
    """The rated seats with `reward`; `outcome` and `reason` where a seat is out before any ranking, else null."""
    if rule.reward not in (*KEYS, "overall"):
        raise ParleyError(
            f"selection.reward: no dimension is called {rule.reward!r}; there are: {', '.join((*KEYS, 'overall'))}"
        )
    twice = ratings.filter(pl.struct("episode", "seat").is_duplicated())
    if not twice.is_empty():
        judges = ", ".join(twice["judge"].unique().sort())
        raise ParleyError(
            f"episode {twice['episode'][0]}: seat {twice['seat'][0]} is rated twice (judge {judges}); select from one"
        )
    foreign = pl.lit(False) if players is None else pl.col("player").is_in(list(players)).not_()
    unrated = pl.col("failure").is_not_null() | pl.col("reward").is_null()
    why = pl.col("failure").fill_null("rating failed: it has no score")
    unplayed = why.str.starts_with("episode failed")
    return ratings.with_columns(reward=pl.col(rule.reward).cast(pl.Float64)).with_columns(
        outcome=pl.when(foreign)
        .then(pl.lit("not learned from"))
        .when(unrated & unplayed)
        .then(pl.lit("episode failed"))
        .when(unrated)
        .then(pl.lit("rating failed")),
        reason=pl.when(foreign)
        .then(pl.format("played by {}, who is not learned from", "player"))
        .when(unrated)
        .then(why),
    )


def _set_aside(candidates: pl.DataFrame, share: float) -> pl.DataFrame:
    """Candidates of tasks beyond the share get an outcome. Tasks are taken in the order of their names' hashes."""
    names = sorted(candidates["task"].unique(), key=digest)
    chosen = names[: max(1, math.ceil(Fraction(str(share)) * len(names)))]
    beyond = pl.col("outcome").is_null() & pl.col("task").is_in(chosen).not_()
    why = pl.lit(f"its task is not among the {100 * share:.4g} % that are learned from")
    return candidates.with_columns(
        outcome=pl.when(beyond).then(pl.lit("task set aside")).otherwise("outcome"),
        reason=pl.when(beyond).then(why).otherwise("reason"),
    )


def _ranked(candidates: pl.DataFrame, group: tuple[str, ...]) -> pl.DataFrame:
    """Candidates with their `rank` (from 1) and the number of candidates `of` in their group."""
    falling = [*(False for _ in group), True, True, *(False for _ in _TIES)]
    order = candidates.sort(*group, "reward", "overall", *_TIES, descending=falling)
    return order.with_columns(rank=pl.int_range(1, pl.len() + 1).over(*group), of=pl.len().over(*group))


def _behaviour_cloning(ranked: pl.DataFrame, top: int, seats: int) -> pl.DataFrame:
    """The `bc` rule; `seats` is how many seats must pass the bar together."""
    local, overall = pl.col("reward").mean().over(*_GROUP), pl.col("reward").mean().over("seat")
    measured = ranked.with_columns(local=local, overall_mean=overall, bar=pl.min_horizontal(local, overall))
    together = measured.with_columns(
        paired=pl.len().over("task", "rank") == seats,
        passed=(pl.col("reward") > pl.col("bar")).all().over("task", "rank"),
    )
    in_top = pl.col("rank") <= top
    numbers = (pl.col(name).round(2) for name in ("reward", "local", "overall_mean"))
    against = pl.format("{} against min(local {}, global {})", *numbers)
    return together.with_columns(
        kept=in_top | (pl.col("paired") & pl.col("passed")),
        outcome=pl.when(in_top)
        .then(pl.lit("top"))
        .when(pl.col("paired").not_())
        .then(pl.lit("no counterpart"))
        .when("passed")
        .then(pl.lit("above the bar"))
        .otherwise(pl.lit("below the bar")),
        reason=pl.when(in_top)
        .then(pl.format("rank {} of its task and seat", "rank"))
        .when(pl.col("paired").not_())
        .then(pl.format("rank {}: the other seat has no candidate of that rank", "rank"))
        .when("passed")
        .then(pl.format("rank {}: each seat above its bar, this one {}", "rank", against))
        .otherwise(pl.format("rank {}: not each seat above its bar, this one {}", "rank", against)),
    )


def _self_reinforcement(ranked: pl.DataFrame, share: float, group: str) -> pl.DataFrame:
    """The `sr` rule. The share is taken as the decimal number that was written, so that 0.07 of 100 is 7 and not 8."""
    quota = {count: math.ceil(Fraction(str(share)) * count) for count in ranked["of"].unique()}
    kept = pl.col("rank") <= pl.col("of").replace_strict(quota, return_dtype=pl.Int64)
    words = pl.lit(f"{100 * share:.4g} %"), pl.lit(group)
    return ranked.with_columns(
        kept=kept,
        outcome=pl.when(kept).then(pl.lit("within the share")).otherwise(pl.lit("below the share")),
        reason=pl.when(kept)
        .then(pl.format("rank {} of {}: within the top {} of its {}", "rank", "of", *words))
        .otherwise(pl.format("rank {} of {}: below the top {} of its {}", "rank", "of", *words)),
    )


def _top(ranked: pl.DataFrame, top: int) -> pl.DataFrame:
    kept = pl.col("rank") <= top
    return ranked.with_columns(
        kept=kept,
        outcome=pl.when(kept).then(pl.lit("top")).otherwise(pl.lit("below the top")),
        reason=pl.format("rank {} of its task and seat", "rank"),
    )


def _threshold(ranked: pl.DataFrame, threshold: float) -> pl.DataFrame:
    kept = pl.col("reward") >= threshold
    return ranked.with_columns(
        kept=kept,
        outcome=pl.when(kept).then(pl.lit("at the threshold")).otherwise(pl.lit("below the threshold")),
        reason=pl.format("{} against {}", pl.col("reward").round(2), pl.lit(threshold)),
    )


def _completed(part: pl.DataFrame) -> pl.DataFrame:
    """Just the columns of `SCHEMA`: without a score or a rank they are null, without a verdict `kept` is false."""
    missing = {key: pl.lit(None) for key in SCHEMA if key not in part.columns}
    kept = pl.col("kept").cast(pl.Boolean).fill_null(False)
    return part.with_columns(**missing).with_columns(kept=kept).select(pl.col(k).cast(t) for k, t in SCHEMA.items())
