"""Drawing: matplotlib figures as SVG that belongs to a page (its font, its colours, light and dark) or stands alone."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from parley.report.palette import PAGE, Colours, variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Draws itself in given colours and hands the figure to the function that wants it.
Draw = Callable[[Colours, Callable[["Figure"], None]], None]

#: Points; a figure is shown at most a little larger than drawn, so these are about the sizes that one reads.
SIZE = 10.0

_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.size": SIZE,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "hatch.linewidth": 1.1,
    "text.parse_math": False,
}


def placeholders(players: Sequence[str]) -> Colours:
    """Colours that stand for the page's variables until `on_page` puts those in. No drawing uses them for itself."""
    named = {name: f"#0a0b{place:02x}" for place, name in enumerate(players)}
    return Colours(named, {role: f"#0a0c{place:02x}" for place, role in enumerate(PAGE)})


@contextmanager
def canvas(width: float, height: float, colours: Colours) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure of `width` by `height` points with one pair of axes in the house style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ink, quiet = colours.roles["ink"], colours.roles["quiet"]
    inks = {"text.color": ink, "axes.edgecolor": quiet, "axes.labelcolor": quiet, "xtick.color": quiet}
    settings: Any = {**_SETTINGS, **inks, "ytick.color": quiet}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        axes = figure.add_subplot()
        axes.tick_params(length=0, pad=4)
        yield figure, axes


def bytes_of(figure: "Figure", kind: str) -> bytes:
    """The figure as a file of `kind` (svg, pdf), without a date: the same figure gives the same bytes."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    settings: Any = {**_SETTINGS, "svg.hashsalt": "parley"}
    with mpl.rc_context(settings):
        figure.savefig(buffer, format=kind, metadata=dates[kind], transparent=True)
    return buffer.getvalue()


def on_page(svg: str, name: str, label: str, colours: Colours, links: str = "") -> str:
    """An SVG file as an element of the page: its ids begin with `name`, its colours are the page's variables.

    `label` is what those who cannot see it are told, `links` what `marks.over` lays over it.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # A style sheet inside would hold for the whole page.
    body = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*">', "<g>", body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = body.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    body = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", body)
    body = re.sub(r'\b(fill|stroke)="(#[0-9a-f]{6})"', r'style="\1: \2"', body)
    for place, colour in enumerate(colours.players.values()):
        body = body.replace(colour, f"var({variable(place)})")
    for role, colour in colours.roles.items():
        body = body.replace(colour, f"var(--{role})")
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    assert size is not None
    shown = f"max-width: {float(size[1]) * 1.5:.0f}px"
    # What is inside of an image is hidden from those who listen, and links must not be.
    role = "group" if links else "img"
    opening = f'<svg {size[0]} role="{role}" aria-label="{_escaped(label)}" style="{shown}">'
    inside = body[body.index(">") + 1 : body.rindex("</svg>")].strip().replace("\n", " ")
    inside = f'<g aria-hidden="true">{inside}</g>{links}' if links else inside
    return f"{opening}{inside}</svg>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
