"""A sheet as Markdown: a table that reads well as plain text too."""

import re
from collections.abc import Iterator

from parley.report.sheets import Block, Sheet


def markdown(sheet: Sheet) -> str:
    """The sheet with its title, parts and notes."""
    parts = [f"# {sheet.number}: {sheet.title}"]
    for block in sheet.blocks:
        parts += [f"## {block.title}", "\n".join(_table(block))]
    return "\n\n".join([*parts, *(_text(note) for note in sheet.notes)]) + "\n"


def _table(block: Block) -> Iterator[str]:
    rows = [["", *block.head], *([line.label, *map(str, line.cells)] for line in block.lines)]
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in texts) for place in range(len(texts[0]))]
    head, *body = texts
    yield _row(head, widths)
    yield f"|{'-' * (widths[0] + 2)}|" + "|".join(f"{'-' * (width + 1)}:" for width in widths[1:]) + "|"
    yield from (_row(row, widths) for row in body)


def _row(texts: list[str], widths: list[int]) -> str:
    first, *rest = zip(texts, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Text in which nothing is taken for a cell's end or for HTML; a star behind a number is no markup."""
    return re.sub(r"<(?! )", "&lt;", text.replace("|", "\\|"))
