"""Keywords: which ones a task set is written from."""

from collections.abc import Sequence
from itertools import chain, zip_longest

from parley.canonical import digest
from parley.config import Experiment
from parley.records.task import Keyword


def share_of(experiment: Experiment, task_set: str, keywords: Sequence[Keyword]) -> list[Keyword]:
    """The keywords of one written task set, in the order in which they are tried.

    Each keyword serves one set only (paper, section 3), sources take turns (equal thirds), and the order is a seeded
    shuffle. A larger `count` goes on in the same order; it changes nothing for the other sets.
    """
    written = [name for name, entry in experiment.task_sets.items() if entry.file is None]
    turn = written.index(task_set)
    by_source: dict[str, list[Keyword]] = {}
    for keyword in sorted(keywords, key=lambda keyword: digest([experiment.seed, keyword.name, keyword.text])):
        by_source.setdefault(keyword.source, []).append(keyword)
    queues = [by_source[source][turn :: len(written)] for source in sorted(by_source)]
    return [keyword for keyword in chain.from_iterable(zip_longest(*queues)) if keyword is not None]
