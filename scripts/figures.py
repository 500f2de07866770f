"""Draw the page's figures for a paper: each as SVG and as PDF."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.progress import Journal
from parley.report.figures import save_figures
from parley.report.load import load as load_findings
from parley.whereabouts import layout_beside


def main() -> None:
    """Parse the arguments and draw."""
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="output: the folder of figures")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        findings = load_findings(Path(layout_beside(options.out, experiment).results), experiment)
        journal.line(f"{options.out}: {len(save_figures(findings, options.out))} files")


if __name__ == "__main__":
    run_as_script(main)
