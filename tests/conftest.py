"""The order of the tests, and the examples that Hypothesis tries.

Files that take minutes come first, so that at the end no core waits for one of them.
"""

import pytest
from hypothesis import settings

# The same examples each time; `--hypothesis-profile search` looks for new ones. None has a deadline: machines are busy.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("same")

#: From the longest on; each stays on one core (`--dist=loadfile`), where its tests share what they build first.
LONGEST = ("staleness", "workflow", "cluster", "resumption", "fuzz", "share_workflow", "money_workflow", "cutoff")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order by file: the longest, then those with a slow test, then the rest. Within a file nothing changes."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    rank = {f"test_{name}": place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> tuple[int, bool]:
        return rank.get(item.path.stem, len(LONGEST)), item.path not in slow

    items.sort(key=place)
