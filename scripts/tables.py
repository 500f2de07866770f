"""Make one of the paper's tables: as CSV with every digit and all that it stands on, as Markdown and as LaTeX."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.layout import TABLES
from parley.progress import Journal
from parley.records.jsonl import write_text
from parley.report.latex import latex
from parley.report.markdown import markdown
from parley.report.sheets import sheet
from parley.tables.catalogue import make
from parley.tables.cells import write_cells
from parley.whereabouts import layout_beside


def main() -> None:
    """Parse the arguments, make the table and write it."""
    parser = arguments(__doc__)
    parser.add_argument("--table", required=True, choices=TABLES)
    parser.add_argument("--out", type=Path, required=True, help="output: the CSV file; .md and .tex go beside it")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        cells = make(options.table, layout_beside(options.out, experiment))
        shown = sheet(options.table, cells, experiment)
        write_cells(options.out, cells)
        write_text(options.out.with_suffix(".md"), markdown(shown))
        write_text(options.out.with_suffix(".tex"), latex(shown))
        here = cells.filter(origin="here")
        journal.line(f"{len(here)} numbers, {len(cells) - len(here)} published ones beside them")


if __name__ == "__main__":
    run_as_script(main)
