"""Pull an adapter, or the same merged into its base model, or a dataset from the hub into a folder."""

import argparse
import json
import os
import shutil
from pathlib import Path

from parley.canonical import digest
from parley.errors import ParleyError, run_as_script
from parley.exchange.share import pull
from parley.learning.folder import new_folder, scratch
from parley.llm.weights import cache_folder, checkpoint_identity
from parley.progress import Journal

WHAT, BASE = "PARLEY_PULL", "PARLEY_PULL_BASE"
PROVENANCE = "provenance.json"


def bring_in(options: argparse.Namespace, journal: Journal) -> None:
    """Fetch, check, and put the folder in its place, whole or not at all."""
    wanted = pull.Wanted.of(options.what, "dataset" if options.kind == "dataset" else "model")
    if options.kind == "model" and options.base is None:
        raise ParleyError(f"say what to merge it into: {BASE}=FOLDER, a checkpoint of the base model")
    with new_folder(options.out) as part:
        if options.kind == "model":
            provenance = merged(options, wanted, part)
        else:
            provenance = pull.pull(wanted, part, options.files)
            if options.kind == "adapter":
                pull.check_adapter(part)
            elif told := pull.check_dataset(part):
                journal.line(told)
        if not provenance["files"]:
            raise ParleyError(f"{wanted.name} at {wanted.revision} holds no file of the kind; say which with --files")
        (part / PROVENANCE).write_text(json.dumps(provenance, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    journal.line(f"{wanted.name} at {provenance['revision']} → {options.out}", aloud=True)


def merged(options: argparse.Namespace, wanted: pull.Wanted, part: Path) -> dict[str, object]:
    """The base model with the adapter merged in, in the folder `part`."""
    pull.check_base(options.base)  # before anything is fetched
    adapter = scratch(options.out)
    try:
        provenance = pull.pull(wanted, adapter, options.files)
        pull.check_adapter(adapter)
        pull.merge(options.base, adapter, part)
    finally:
        shutil.rmtree(adapter, ignore_errors=True)
    return {**provenance, "base": digest(checkpoint_identity(options.base, cache_folder()))}


def main() -> None:
    """Parse the arguments and pull."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="where progress is written; stderr if not given")
    parser.add_argument(
        "kind", choices=["adapter", "model", "dataset"], help="`model`: an adapter merged into its base"
    )
    parser.add_argument("--what", default=os.environ.get(WHAT), metavar="OWNER/NAME@REVISION", help=f"else ${WHAT}")
    parser.add_argument(
        "--base", type=Path, default=os.environ.get(BASE), help=f"where `model` is merged into; else ${BASE}"
    )
    parser.add_argument("--files", nargs="+", help="patterns of the files that come in, other than the usual")
    parser.add_argument("--out", type=Path, required=True, help="output: a folder")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        bring_in(options, journal)


if __name__ == "__main__":
    run_as_script(main)
