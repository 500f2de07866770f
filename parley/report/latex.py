r"""A sheet as LaTeX: a `table*` with booktabs (`\usepackage{booktabs}`), in UTF-8."""

from collections.abc import Iterator

from parley.report.sheets import Sheet
from parley.report.words import MINUS

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    MINUS: "$-$", "±": r"$\pm$", "–": "--", "π": r"$\pi$", "†": r"\dag{}", "\N{NARROW NO-BREAK SPACE}": r"\,",
}  # fmt: skip


def latex(sheet: Sheet) -> str:
    """The sheet as one table, its parts below each other, its notes under them."""
    lines = [r"\begin{table*}", r"\centering", r"\small"]
    for number, block in enumerate(sheet.blocks):
        lines += [r"\medskip"] if number else []
        lines += [
            rf"\emph{{{_text(block.title)}}}\\[2pt]",
            rf"\begin{{tabular}}{{l{'r' * len(block.head)}}}",
            r"\toprule",
        ]
        lines += [_row(["", *block.head]), r"\midrule"]
        for line in block.lines:
            indent = r"\quad " if line.published else ""
            lines.append(indent + _row([line.label, *map(str, line.cells)]))
        lines += [r"\bottomrule", r"\end{tabular}\\"]
    caption = " ".join(_caption(sheet))
    return "\n".join([*lines, rf"\caption{{{caption}}}", rf"\label{{tab:{sheet.name}}}", r"\end{table*}"]) + "\n"


def _caption(sheet: Sheet) -> Iterator[str]:
    yield f"{_text(sheet.title)}."
    yield from map(_text, sheet.notes)


def _row(cells: list[str]) -> str:
    return rf"{' & '.join(map(_text, cells))} \\"


def _text(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
