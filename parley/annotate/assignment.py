"""Assignment: which item a rater gets next. A function of what is known of the study, without a database."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parley.canonical import seed_from


@dataclass(frozen=True)
class Standing:
    """How an item stands: how many have rated it, how many are at it, whether something about it is doubtful.

    `stratum` is the group that the study is balanced over (whose episode it is); raters never see it.
    """

    item: str
    stratum: str
    done: int = 0
    busy: int = 0
    doubtful: bool = False


def wanted(standing: Standing, raters: int) -> int:
    """How many more raters an item wants now: up to `raters`, and one more once those are in and there is doubt."""
    most = raters + 1 if standing.doubtful and standing.done >= raters else raters
    return max(0, most - standing.done - standing.busy)


def choose(
    standings: Iterable[Standing], seen: Mapping[str, str], rater: str, raters: int, seed: int = 0
) -> str | None:
    """The item that `rater` gets next, or None if there is none left for this rater.

    `seen` has the items that this rater has or had, with their strata. A doubtful item goes first. Then the stratum that
    the rater has seen least, then the one that the study has rated least, then the item that lacks fewest; who is equal
    in all that is drawn by a hash, so that no two raters go through the items in the same order.
    """
    known = list(standings)
    mine = Counter(seen.values())
    rated = Counter[str]()
    for one in known:
        rated[one.stratum] += one.done + one.busy
    free = [one for one in known if one.item not in seen and wanted(one, raters)]

    def rank(one: Standing) -> tuple[bool, int, int, int, int]:
        third = one.done >= raters
        return not third, mine[one.stratum], rated[one.stratum], -one.done, seed_from(seed, rater, one.item)

    return min(free, key=rank).item if free else None


def open_places(standings: Iterable[Standing], raters: int) -> int:
    """How many more annotations the study wants now."""
    return sum(wanted(one, raters) for one in standings)
