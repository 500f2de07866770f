"""`parley COMMAND`: what a person types besides Snakemake. `python -m parley` is the same."""

import argparse

from parley import status
from parley.annotate import command as annotate
from parley.errors import run_as_script


def main() -> None:
    """Run a command; a fault that a person can mend is one line."""
    run_as_script(_run)


def _run() -> None:
    parser = argparse.ArgumentParser(prog="parley", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    annotate.attach(commands)
    status.attach(commands)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
