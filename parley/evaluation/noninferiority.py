"""Non-inferiority: whether a policy knows as much as the base within a margin, or less, or whether that is open.

"No significant difference" does not say that knowledge was kept: a small test finds none either. Here the claim is
that the policy is at most `margin` below the base, and its evidence a one-sided bound of 95 % (Piaggio et al., "Reporting
of Noninferiority and Equivalence Randomized Trials", 2012), on differences paired by question. The bound is the score
bound of Tango ("Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", 1998): two policies that answer a few questions alike are not thereby shown to be alike, as a t interval has it.
"""

from collections.abc import Mapping
from typing import Any, Literal

from parley.evaluation.knowledge import paired, ways
from parley.evaluation.shares import changes, score_bounds
from parley.evaluation.statistics import clustered_test, freedom, paired_difference

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
    n, (gained, lost) = len(questions), changes(first, second)
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

    found = clustered_test([a - b for a, b in zip(first, second, strict=True)], subjects)
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
