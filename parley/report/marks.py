"""Marks: the places of a figure behind which there are episodes, as links over the drawing for pointer and keyboard.

They lie over a figure of the page alone: what is drawn, and so every file for a paper, is the same without them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import escape

from parley.report.drawing import Draw, bytes_of, on_page
from parley.report.palette import Colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    found = list(marks)
    if not found:
        return ""
    corners = [corner for mark in found for corner in zip(mark.x, mark.y, strict=True)]
    places = axes.figure.transFigure.inverted().transform(axes.transData.transform(corners))
    width, height = (72 * inches for inches in axes.figure.get_size_inches())  # type: ignore[union-attr]
    points = [(float(x) * width, (1 - float(y)) * height) for x, y in places]
    return "".join(_link(*box) for box in zip(found, points[::2], points[1::2], strict=True))


def shown(name: str, told: str, draw: Draw, marks: Iterable[Mark], colours: Colours) -> str:
    """A drawing with its marks as an element of the page; `name` is unique there, `told` is the whole in words."""
    files: list[str] = []

    def collect(figure: "Figure") -> None:
        svg = bytes_of(figure, "svg").decode()
        files.append(on_page(svg, name, told, colours, over(figure.axes[0], marks)))

    draw(colours, collect)
    return files[0]


def _link(mark: Mark, one: tuple[float, float], other: tuple[float, float]) -> str:
    left, wide = _at_least(*sorted((one[0], other[0])))
    top, high = _at_least(*sorted((one[1], other[1])))
    told = escape(mark.told)
    return (
        f'<a href="{escape(mark.href)}" aria-label="{told}"><title>{told}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/></a>'
    )


def _at_least(start: float, end: float) -> tuple[float, float]:
    """Where a side begins and how long it is: around the same middle, not shorter than `LEAST`."""
    more = max(0.0, LEAST - (end - start)) / 2
    return start - more, end - start + 2 * more
