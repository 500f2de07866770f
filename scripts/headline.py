"""Print where the report lies and what it found, in two lines."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import ParleyError, run_as_script
from parley.layout import Layout
from parley.report.load import load as load_findings
from parley.report.page import headline


def main() -> None:
    """Parse the arguments and print."""
    parser = arguments(__doc__)
    options = parser.parse_args()
    experiment = load(options.experiment)
    page = Path(Layout(experiment).report)
    if not page.exists():
        raise ParleyError(f"{page}: no report yet; run snakemake --cores all")
    print(
        f"\n  {headline(load_findings(Path(Layout(experiment).results), experiment))}\n  report: file://{page.resolve()}\n"
    )


if __name__ == "__main__":
    run_as_script(main)
