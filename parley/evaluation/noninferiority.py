"""Non-inferiority: whether a policy knows as much as the base within a margin, or less, or whether that is open.

"No significant difference" does not say that knowledge was kept: a small test finds none either. Here the claim is
that the policy is at most `margin` below the base, and its evidence a one-sided bound of 95 % (Piaggio et al., "Reporting
of Noninferiority and Equivalence Randomized Trials", 2012), on differences paired by question. The bound is the score
bound of Tango ("Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", 1998): two policies that answer a few questions alike are not thereby shown to be alike, as a t interval has it.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, Literal

from parley.evaluation.knowledge import paired, ways
from parley.evaluation.statistics import freedom, paired_difference

Verdict = Literal["not inferior", "inferior", "open"]
#: One-sided.
CONFIDENCE = 0.95


def verdicts(result: Mapping[str, Any], base: Mapping[str, Any], margin: float) -> dict[str, Any]:
    """By way, the verdict on the accuracy of `result` minus that of `base`, as JSON values.

    `difference` has its `se` and two-sided 95 % interval (`low`, `high`), by question; `least` and `most` are the one-sided
    bounds of 95 % that decide. `by_subject` has the same with the subject as the cluster, by Student's t, and its own
    verdict. `gained` and `lost` are questions that one of the two alone answered right. Raises `ParleyError` if the two
    did not answer the same questions.
    """
    mine, theirs = ways(result), ways(base)
    return {
        "policy": result["policy"],
        "base": base["policy"],
        "margin": margin,
        "limit": result.get("limit"),
        "ways": {way: _compared(mine[way], theirs[way], margin) for way in mine if way in theirs},
    }


def verdict(least: float | None, most: float | None, margin: float) -> Verdict:
    """`least` and `most` bound the true difference from below and from above, each with 95 %."""
    if least is None or most is None:
        return "open"
    return "not inferior" if least > -margin else "inferior" if most < -margin else "open"


def _compared(result: Mapping[str, Any], base: Mapping[str, Any], margin: float) -> dict[str, Any]:
    first, second, questions = paired(result, base)
    pairs = list(zip(first, second, strict=True))
    gained, lost, n = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs), len(pairs)
    found = paired_difference(first, second, questions)
    least, most = score_bounds(gained, lost, n, CONFIDENCE)
    low, high = score_bounds(gained, lost, n, (1 + CONFIDENCE) / 2)
    told = {"difference": found.mean, "se": found.se, "low": low, "high": high, "least": least, "most": most}
    subjects = [answer["subject"] for answer in result["answers"]]
    clustered = _by_subject(first, second, subjects, margin)
    decided = {"verdict": verdict(least, most, margin), **told, "n": n}
    return {**decided, "gained": gained, "lost": lost, "by_subject": clustered}


def _by_subject(first: list[float], second: list[float], subjects: list[str], margin: float) -> dict[str, Any]:
    """The same between subjects. Where the differences do not vary there is nothing to tell a bound by."""
    from scipy.special import stdtrit

    found = paired_difference(first, second, subjects)
    least = most = None
    if found.mean is not None and found.se:
        reach = float(stdtrit(freedom(subjects), CONFIDENCE)) * found.se
        least, most = found.mean - reach, found.mean + reach
    return {
        "verdict": verdict(least, most, margin),
        "difference": found.mean,
        "se": found.se,
        "low": found.low,
        "high": found.high,
        "least": least,
        "most": most,
        "clusters": found.clusters,
    }


def score_bounds(gained: int, lost: int, n: int, confidence: float) -> tuple[float, float]:
    """The one-sided score bounds of the difference (`gained` - `lost`) / `n` of paired shares, from below and above."""
    reach = NormalDist().inv_cdf(confidence)
    estimate = (gained - lost) / n
    return (
        _crossing(gained, lost, n, reach, -1.0, estimate),
        _crossing(gained, lost, n, -reach, estimate, 1.0),
    )


def _crossing(gained: int, lost: int, n: int, wanted: float, low: float, high: float) -> float:
    """Where the score, which falls as the difference rises, is `wanted`."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(gained, lost, n, middle) > wanted else (low, middle)
    return (low + high) / 2


def score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's score for a true difference: the distance to what was seen, in the standard error that it would have."""
    # The likeliest share of lost questions if that were the difference: the root of a quadratic.
    a, b = 2 * n, (2 * n - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share = max(0.0, (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a))
    variance = n * (2 * share + difference * (1 - difference))
    distance = gained - lost - n * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0
