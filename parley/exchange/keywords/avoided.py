"""What no keyword may repeat: the prompts that SOTOPIA's own tasks were written from, as far as they can be told."""

from collections.abc import Iterable

from parley.records.task import Task
from parley.world.duplicates import grams

#: So much of a keyword stands in a task's text that the task was written from it.
LIKE = 0.85
#: Shorter keywords stand in many texts by chance.
WORDS = 3


def folded(text: str) -> str:
    """A text without case, repeated spaces and closing punctuation: two that fold to the same are the same."""
    return " ".join(text.casefold().split()).rstrip(" .!?")


class Avoided:
    """Texts that are avoided as they are, and tasks whose keyword is avoided.

    The published profiles do not hold the prompts themselves. What they tell is the codename, which often is the prompt
    (`go_on_a_date`), and the scenario and goals, which repeat it: a keyword of at least `WORDS` words is taken for theirs
    if the share `LIKE` of its character 5-grams stands there.
    """

    def __init__(self, texts: Iterable[str] = (), tasks: Iterable[Task] = ()) -> None:
        self._texts = {folded(text) for text in texts} - {""}
        tasks = list(tasks)
        self._names = {folded(task.name.replace("_", " ").replace("-", " ")): task.name for task in tasks}
        self._keywords = {folded(task.keyword.text): task.name for task in tasks if task.keyword is not None}
        self._tasks = [
            (task.name, grams(text))
            for task in tasks
            for text in (task.scenario, *(goal.spoken() for goal in task.goals))
        ]

    def listed(self, text: str) -> bool:
        """True if a text is one of those that are avoided as they are."""
        return folded(text) in self._texts

    def like(self, text: str) -> str | None:
        """The name of the task that was written from such a text; None if it is like no task's."""
        plain = folded(text)
        if (name := self._names.get(plain) or self._keywords.get(plain)) is not None:
            return name
        if len(plain.split()) < WORDS:
            return None
        mark = grams(plain)
        return next((name for name, seen in self._tasks if len(mark & seen) >= LIKE * len(mark)), None)
