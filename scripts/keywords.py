"""Bring keywords in from the three published sources that SOTOPIA-π took its own from: the hub, a folder, or files."""

import argparse
import os
from pathlib import Path

from parley.errors import ParleyError, run_as_script
from parley.exchange.hub import Repository
from parley.exchange.keywords.imported import Origin, Wanted, bring_in, columns
from parley.exchange.keywords.source import LICENCE, PUBLISHED, SOURCES, Source, from_hub, in_folder
from parley.progress import Journal

VARIABLE = "PARLEY_KEYWORDS"
HUB = "hub"


def origin(options: argparse.Namespace, source: Source, column: str) -> Origin:
    """Where a source's keywords come from: the file that was given, or that of the folder or the hub."""
    given: Path | None = getattr(options, source.kind)
    repository = Repository(options.repository, "dataset", options.revision, options.folder)
    if given is not None:
        return Origin(source, given, column)
    if not options.source:
        raise ParleyError(
            f"say where keywords ({', '.join(one.title for one in SOURCES)}; {LICENCE}) come from: {VARIABLE}={HUB} "
            f"fetches them from the hub ({repository}), {VARIABLE}=FOLDER takes them from a folder that holds "
            f"{', '.join(one.files[0] for one in SOURCES)}"
        )
    if options.source == HUB:
        return Origin(source, from_hub(repository, source), column, repository)
    return Origin(source, in_folder(Path(options.source), source), column)


def main() -> None:
    """Parse the arguments, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="where progress is written; stderr if not given")
    parser.add_argument("--source", default=os.environ.get(VARIABLE), help=f"`{HUB}` or a folder; else ${VARIABLE}")
    for source in SOURCES:
        parser.add_argument(f"--{source.kind}", type=Path, metavar="FILE", help=f"the file of {source.title} itself")
    parser.add_argument(
        "--column", nargs="+", default=[], metavar="SOURCE=COLUMN", help="other columns than the paper's"
    )
    parser.add_argument("--count", type=int, default=6000, help="keywords to draw, a third of each source")
    parser.add_argument("--seed", type=int, default=1, help="draws others")
    parser.add_argument("--tasks", type=Path, nargs="+", default=[], help="tasks whose keywords are avoided: SOTOPIA's")
    parser.add_argument("--without", type=Path, nargs="+", default=[], help="files of prompts that are avoided")
    parser.add_argument("--without-column", default="prompt", help="where the prompts are in those")
    parser.add_argument("--out", type=Path, default=Path("imported/keywords.jsonl"), help="output: the keywords")
    parser.add_argument("--repository", default=PUBLISHED.name, help="the hub's dataset")
    parser.add_argument("--revision", default=PUBLISHED.revision, help="a commit of it")
    parser.add_argument("--folder", default=PUBLISHED.folder, help="where the files lie in it")
    options = parser.parse_args()
    wanted = Wanted(options.count, options.seed, options.without, options.without_column, options.tasks)
    with Journal(options.log) as journal:
        names = columns(options.column)
        origins: dict[str, Origin] = {source.kind: origin(options, source, names[source.kind]) for source in SOURCES}
        for line in bring_in(origins, wanted, options.out):
            journal.line(line, aloud=True)


if __name__ == "__main__":
    run_as_script(main)
