"""Duplicate tasks: the same text, or nearly the same by the character n-grams they share."""

from collections.abc import Iterable

from parley.records.task import Task

NGRAM = 5


def fingerprint(task: Task) -> frozenset[str]:
    """The character 5-grams of scenario and goals, case and spacing folded."""
    return grams(" ".join([task.scenario, *(goal.spoken() for goal in task.goals)]))


def grams(text: str) -> frozenset[str]:
    """The character 5-grams of a text, case and spacing folded; a shorter text is one."""
    text = " ".join(text.casefold().split())
    return frozenset(text[start : start + NGRAM] for start in range(max(1, len(text) - NGRAM + 1)))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard overlap of two fingerprints, 0 to 1; 1 means the same set of n-grams."""
    return len(one & other) / len(one | other)


class Duplicates:
    """Remembers tasks and tells whether a new one repeats any of them."""

    def __init__(self, known: Iterable[Task] = (), threshold: float = 0.85) -> None:
        self.threshold = threshold
        self._seen: list[tuple[str, frozenset[str]]] = [(task.name, fingerprint(task)) for task in known]

    def of(self, task: Task) -> str | None:
        """Why `task` is a duplicate ("same as …", "0.91 like …"), or None, in which case it is remembered."""
        mark = fingerprint(task)
        for name, seen in self._seen:
            # A cheap bound first: the overlap cannot exceed the ratio of the sizes.
            if min(len(mark), len(seen)) < self.threshold * max(len(mark), len(seen)):
                continue
            if (alike := similarity(mark, seen)) >= self.threshold:
                return f"same as {name}" if alike == 1.0 else f"{alike:.2f} like {name}"
        self._seen.append((task.name, mark))
        return None
