"""Keywords: which ones a task set is written from."""

from collections.abc import Sequence
from itertools import chain, zip_longest

from parley.canonical import digest
from parley.config import Experiment
from parley.records.task import Keyword


def lane(experiment: Experiment, task_set: str) -> int:
    """The place of a written task set among the written ones, in the order of the config."""
    return [name for name, entry in experiment.task_sets.items() if entry.file is None].index(task_set)


def share_of(experiment: Experiment, task_set: str, keywords: Sequence[Keyword]) -> list[Keyword]:
    """The keywords of one written task set, in the order in which they are tried.

    Each keyword serves one set only (paper, section 3), sources take turns (equal thirds), and the order is a seeded
    shuffle. The first set has every second keyword of a source, the next every second of the rest, and so on: neither a
    larger `count` nor another set at the end of the config changes what any set is written from.
    """
    by_source: dict[str, list[Keyword]] = {}
    for keyword in sorted(keywords, key=lambda keyword: digest([experiment.seed, keyword.name, keyword.text])):
        by_source.setdefault(keyword.source, []).append(keyword)
    step = 2 ** (lane(experiment, task_set) + 1)
    queues = [by_source[source][step // 2 - 1 :: step] for source in sorted(by_source)]
    return [keyword for keyword in chain.from_iterable(zip_longest(*queues)) if keyword is not None]
