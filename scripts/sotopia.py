"""Bring SOTOPIA's tasks and characters in, from the hub or a folder; or write ours as SOTOPIA's files."""

import argparse
import os
from pathlib import Path

from parley.errors import ParleyError, run_as_script
from parley.exchange.sotopia import imported
from parley.exchange.sotopia.files import NAMES, read_files
from parley.exchange.sotopia.hub import LICENCE, Repository, fetch
from parley.exchange.sotopia.profiles import take
from parley.progress import Journal

VARIABLE = "PARLEY_SOTOPIA"
HUB = "hub"


def bring_in(options: argparse.Namespace, journal: Journal) -> None:
    """Read the profiles of the source and write them as our records."""
    repository = Repository(options.repository, options.kind, options.revision, options.folder)
    if not options.source:
        raise ParleyError(
            f"say where SOTOPIA's profiles ({LICENCE}) come from: {VARIABLE}={HUB} fetches them from the hub "
            f"({repository}), {VARIABLE}=FOLDER takes them from a folder that holds {', '.join(NAMES)}"
        )
    if options.source == HUB:
        folder, source = fetch(repository), {"hub": repository.name, **vars(repository)}
        source.pop("name")
    else:
        folder, source = Path(options.source), {"folder": options.source}
    profiles = take(read_files(folder, options.uncast), options.uncast)
    for line in imported.write_import(profiles, options.out, imported.provenance(source, folder, profiles)):
        journal.line(line, aloud=True)


def give_out(options: argparse.Namespace, journal: Journal) -> None:
    """Write our records as SOTOPIA's files."""
    imported.export(imported.read_import(options.characters, options.relationships, options.tasks), options.out)
    journal.line(f"{', '.join(NAMES)} → {options.out}", aloud=True)


def main() -> None:
    """Parse the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="where progress is written; stderr if not given")
    actions = parser.add_subparsers(required=True, metavar="import|export")
    coming = actions.add_parser("import", help="SOTOPIA's files → ours")
    coming.add_argument("--source", default=os.environ.get(VARIABLE), help=f"`{HUB}` or a folder; else ${VARIABLE}")
    coming.add_argument("--out", type=Path, default=Path("imported/sotopia"), help="output: the folder of our records")
    coming.add_argument("--uncast", action="store_true", help="environments may have no casts: they are drawn at play")
    hub = Repository()
    coming.add_argument("--repository", default=hub.name, help="the hub's repository")
    coming.add_argument("--kind", default=hub.kind, choices=["dataset", "model", "space"], help="of what kind it is")
    coming.add_argument("--revision", default=hub.revision, help="a commit of it")
    coming.add_argument("--folder", default=hub.folder, help="where the files lie in it")
    coming.set_defaults(do=bring_in)
    going = actions.add_parser("export", help="our files → SOTOPIA's")
    for noun in ("characters", "relationships", "tasks"):
        going.add_argument(f"--{noun}", type=Path, default=Path(f"imported/sotopia/{noun}.jsonl"))
    going.add_argument("--out", type=Path, required=True, help="output: a folder")
    going.set_defaults(do=give_out)
    options = parser.parse_args()
    with Journal(options.log) as journal:
        options.do(options, journal)


if __name__ == "__main__":
    run_as_script(main)
