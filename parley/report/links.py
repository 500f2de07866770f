"""Links: from a number on the page to the episodes and files behind it. All are relative: the folder may be moved whole."""

from urllib.parse import quote, urlencode

#: The folder of episodes, seen from the page.
EPISODES = "episodes/index.html"


def episodes(**filters: str | int | float | None) -> str:
    """The episodes that pass these filters (`parley/report/templates/episodes-rows.js` says which there are)."""
    told = {name: value for name, value in filters.items() if value is not None}
    return f"{EPISODES}#{urlencode(told)}" if told else EPISODES


def file(path: str) -> str:
    """A file or folder of the results, seen from the page."""
    return f"../{quote(path, safe='/+')}"
