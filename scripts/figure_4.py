"""Draw the paper's Figure 4, judge against people, from its table: as SVG and as PDF."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.progress import Journal
from parley.report.gap import save_gap
from parley.tables.cells import read_cells


def main() -> None:
    """Parse the arguments and draw."""
    parser = arguments(__doc__)
    parser.add_argument("--cells", type=Path, required=True, help="figure_4.csv")
    parser.add_argument("--out", type=Path, required=True, help="output: the SVG file; .pdf goes beside it")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        save_gap(read_cells(options.cells), experiment, options.out)
        journal.line(f"{options.out}: drawn")


if __name__ == "__main__":
    run_as_script(main)
