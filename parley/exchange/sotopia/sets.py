"""Sets: SOTOPIA's named lists of environments, which become tags of tasks."""

from collections.abc import Sequence

from parley.errors import ParleyError
from parley.exchange.sotopia.line import Line
from parley.records.task import Task

ALL, HARD = "all", "hard"
#: The names of the authors' lists, and our tags for them; a list of another name is a tag of that name.
TAGS = {"sotopia_env": ALL, "sotopia_hard_env": HARD}
_NAMES = {tag: name for name, tag in TAGS.items()}

#: The hard environments (SOTOPIA, section 5.2), as the authors' evaluation scripts list them.
HARD_IDS = frozenset(
    (
        "01H7VFHNV13MHN97GAH73E3KM8",
        "01H7VFHN5WVC5HKKVBHZBA553R",
        "01H7VFHN9W0WAFZCBT09PKJJNK",
        "01H7VFHPDZVVCDZR3AARA547CY",
        "01H7VFHPQQQY6H4DNC6NBQ8XTG",
        "01H7VFHN7WJK7VWVRZZTQ6DX9T",
        "01H7VFHPS5WJW2694R1MNC8JFY",
        "01H7VFHNN7XTR99319DS8KZCQM",
        "01H7VFHQ11NAMZS4A2RDGDB01V",
        "01H7VFHPSWGDGEYRP63H2DJKV0",
        "01H7VFHNF4G18PC9JHGRC8A1R6",
        "01H7VFHNNYH3W0VRWVY178K2TK",
        "01H7VFHP8AN5643B0NR0NP00VE",
        "01H7VFHN7A1ZX5KSMT2YN9RXC4",
    )
)

Sets = dict[str, list[str]]


def tags(sets: Sets | None, environments: Sequence[Line], source: str) -> list[tuple[str, ...]]:
    """The tags of each environment. Without lists all are `all`, and those that the authors call so are `hard`.

    Raises `ParleyError` for a list with an id that no environment has.
    """
    ids = [line.key("env_id") for line in environments]
    if sets is None:
        return [(ALL, HARD) if one in HARD_IDS else (ALL,) for one in ids]
    for name, members in sets.items():
        if unknown := [one for one in members if one not in ids]:
            raise ParleyError(
                f"{source}: {name}: no environment has the id {unknown[0]!r}; add it, or take it off the list"
            )
    return [tuple(TAGS.get(name, name) for name, members in sets.items() if one in members) for one in ids]


def sets_of(tasks: Sequence[Task], ids: Sequence[str]) -> Sets:
    """The list of each tag: the authors' first, then as tags come up; members in the order of the tasks."""
    found: Sets = {name: [] for name in TAGS}
    for task, one in zip(tasks, ids, strict=True):
        for tag in task.tags:
            found.setdefault(_NAMES.get(tag, tag), []).append(one)
    return {name: members for name, members in found.items() if members}
