"""Marks: the places of a figure behind which there are episodes, as links over the drawing for pointer and keyboard.

They lie over a figure of the page alone: what is drawn, and so every file for a paper, is the same without them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points that a link is wide and high at the least.
LEAST = 7.0


@dataclass(frozen=True)
class Mark:
    """A bar, or a point with its interval: the box around it in the units of the axes, its number in words, its episodes."""

    x: tuple[float, float]
    y: tuple[float, float]
    told: str
    href: str


def over(axes: "Axes", marks: Iterable[Mark]) -> str:
    """The links over axes that were drawn as SVG, in the figure's points from its upper left corner."""
    return "".join(_link(axes, mark) for mark in marks)


def _link(axes: "Axes", mark: Mark) -> str:
    corners = axes.transData.transform(list(zip(mark.x, mark.y, strict=True)))
    (x0, y0), (x1, y1) = axes.figure.transFigure.inverted().transform(corners)
    width, height = (72 * inches for inches in axes.figure.get_size_inches())  # type: ignore[union-attr]
    left, wide = _at_least(*sorted((x0 * width, x1 * width)))
    top, high = _at_least(*sorted(((1 - y0) * height, (1 - y1) * height)))
    told = escape(mark.told)
    return (
        f'<a href="{escape(mark.href)}" aria-label="{told}"><title>{told}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/></a>'
    )


def _at_least(start: float, end: float) -> tuple[float, float]:
    """Where a side begins and how long it is: around the same middle, not shorter than `LEAST`."""
    more = max(0.0, LEAST - (end - start)) / 2
    return start - more, end - start + 2 * more
