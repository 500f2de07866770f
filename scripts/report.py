"""Write the report: one self-contained page with everything that the experiment found."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.layout import Layout
from parley.progress import Journal
from parley.records.jsonl import write_text
from parley.report.load import load as load_findings
from parley.report.page import render
from parley.report.provenance import provenance


def main() -> None:
    """Parse the arguments and write the page."""
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="output: the page")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        findings = load_findings(Path(Layout(experiment).results), experiment)
        page = render(findings, provenance(experiment))
        write_text(options.out, page)
        journal.line(f"{options.out}: {len(page) / 1000:.0f} kB")


if __name__ == "__main__":
    run_as_script(main)
