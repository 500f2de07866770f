"""Colours: one for each player, the same in every figure, table and transcript, for light and for dark pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: (on a light page, on a dark page). Each can be read as text on its page (WCAG AA) and told from its neighbours
#: with the common kinds of colour blindness by lightness or hue. The first is the quiet one: the base policy's.
PLAYERS: tuple[tuple[str, str], ...] = (
    ("#5d6775", "#a9b3c1"),
    ("#1f62a8", "#7db4f0"),
    ("#96590a", "#e3ae55"),
    ("#0b7466", "#57c9b5"),
    ("#7b3f95", "#cf9fe4"),
    ("#ad3326", "#f0907f"),
    ("#566410", "#b7c763"),
    ("#2a4a5e", "#8fd0e8"),
)
#: The two seats of a transcript, in the same two forms.
SEATS: tuple[tuple[str, str], tuple[str, str]] = (("#a12d4d", "#f294ab"), ("#4547b3", "#a9abf7"))
#: Paper, ink, quiet ink, hairlines, and the edge of a field.
PAGE: dict[str, tuple[str, str]] = {
    "paper": ("#fcfbf8", "#15171a"),
    "panel": ("#f4f2ec", "#1d2024"),
    "ink": ("#23221f", "#e8e5de"),
    "quiet": ("#66635b", "#a3a098"),
    "rule": ("#dedad0", "#353940"),
    "edge": ("#8b877d", "#767b84"),
}


@dataclass(frozen=True)
class Colours:
    """Colours by role: each player's name, and `ink`, `quiet`, `rule`, `paper`. Values are what a drawing takes."""

    players: Mapping[str, str]
    roles: Mapping[str, str]


def printed(players: Sequence[str]) -> Colours:
    """The colours of a light page, for files that stand alone."""
    named = {name: PLAYERS[place % len(PLAYERS)][0] for place, name in enumerate(players)}
    return Colours(named, {role: light for role, (light, _) in PAGE.items()})


def variable(place: int) -> str:
    """The CSS variable of the player at a place of `Experiment.measured()`; colours repeat after the last."""
    return f"--player-{place % len(PLAYERS)}"


def stylesheet() -> str:
    """The variables for both kinds of page; paper is light."""
    light, dark = _variables(0), _variables(1)
    return f":root {{{light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n"


def _variables(side: int) -> str:
    named = {f"--{role}": pair[side] for role, pair in PAGE.items()}
    named |= {variable(place): pair[side] for place, pair in enumerate(PLAYERS)}
    named |= {f"--seat-{seat}": pair[side] for seat, pair in enumerate(SEATS)}
    return " ".join(f"{name}: {colour};" for name, colour in named.items())
