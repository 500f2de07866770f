"""Links: from a number on the page to the episodes and files behind it. All are relative: the folder may be moved whole."""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from markupsafe import Markup

#: The folder of episodes, seen from the page.
EPISODES = "episodes/index.html"
#: Where the paper warns of judges that mark what they taught.
FIGURE_4 = Markup('<span data-plain="name">SOTOPIA-π, Figure 4</span>')


def episodes(**filters: str | int | float | None) -> str:
    """The episodes that pass these filters (`parley/report/templates/episodes-rows.js` says which there are)."""
    told = {name: value for name, value in filters.items() if value is not None}
    return f"{EPISODES}#{urlencode(told)}" if told else EPISODES


def file(path: str) -> str:
    """A file or folder of the results, seen from the page."""
    return f"../{quote(path, safe='/+')}"


def number(text: str, href: str) -> Markup:
    """A number in a sentence as a link to what is behind it."""
    return Markup('<a href="{}">{}</a>').format(href, text)


def said(sentence: str, *parts: str) -> Markup:
    """A sentence with `parts` for its braces: links of `number` stay, all else is escaped."""
    return Markup(sentence).format(*parts)


def listing(parts: Iterable[str]) -> Markup:
    """`a`, `a and b`, `a, b and c`, links among them."""
    *some, last = parts
    return Markup(" and ").join([Markup(", ").join(some), last]) if some else Markup("{}").format(last)
