"""Write the report: a page with everything that the experiment found, all its episodes to read."""

from pathlib import Path

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.layout import Layout
from parley.progress import Journal
from parley.records.jsonl import write_text
from parley.report.episodes.catalogue import Catalogue
from parley.report.episodes.folder import write_folder
from parley.report.load import load as load_findings
from parley.report.page import render
from parley.report.parts import simulated
from parley.report.provenance import provenance


def main() -> None:
    """Parse the arguments and write the page and the episodes."""
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="output: the page")
    parser.add_argument("--episodes", type=Path, help="output: the folder of episodes; beside the page if not given")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        layout = Layout(experiment)
        findings = load_findings(Path(layout.results), experiment)
        folder = options.episodes or options.out.parent / "episodes"
        number = write_folder(Catalogue(layout, findings.gaps), folder, bool(simulated(findings)))
        journal.line(f"{folder}: {number} episodes")
        page = render(findings, provenance(experiment))
        write_text(options.out, page)
        journal.line(f"{options.out}: {len(page) / 1000:.0f} kB")


if __name__ == "__main__":
    run_as_script(main)
