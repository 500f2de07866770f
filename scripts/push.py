"""Push a policy's dataset or adapter to the hub, with a card that says how it was made and what it scored."""

import os
import tempfile
from argparse import Namespace
from pathlib import Path

import polars as pl

from parley.arguments import arguments
from parley.config import Experiment, load
from parley.errors import ParleyError, run_as_script
from parley.exchange.share import facts, push
from parley.exchange.share.adapter_card import Made
from parley.exchange.share.stage import stage_adapter, stage_dataset
from parley.progress import Journal
from parley.records.frames import read_parquet
from parley.records.jsonl import read_json, write_text
from parley.records.score import DIFFERENCES, SCHEMA

NAMESPACE, PUBLIC, LICENCE, BASE = "PARLEY_HUB", "PARLEY_HUB_PUBLIC", "PARLEY_HUB_LICENCE", "PARLEY_HUB_BASE"


def repository(options: Namespace, experiment: Experiment) -> str:
    """The repository's id: `{namespace}/{experiment}-{policy}`, with `-data` for a dataset."""
    if not options.namespace:
        raise ParleyError(f"say whose repository it will be: {NAMESPACE}=NAME, a user or an organisation of the hub")
    ending = "-data" if options.what == "dataset" else ""
    return f"{options.namespace}/{experiment.experiment}-{options.policy}{ending}"


def fill(options: Namespace, experiment: Experiment, folder: Path, licence: str, name: str) -> None:
    """Put what is pushed into an empty folder."""
    if options.what == "dataset":
        stage_dataset(experiment, options.policy, options.dataset.parent, folder, licence, name)
        return
    made = Made(
        read_json(options.adapter / "manifest.json"),
        read_json(options.dataset),
        pl.concat([pl.DataFrame(schema=SCHEMA), *map(read_parquet, options.scores)]),
        pl.concat([pl.DataFrame(schema=DIFFERENCES), *map(read_parquet, options.differences)]),
    )
    stage_adapter(experiment, options.policy, options.adapter, made, folder, licence, name, options.base)


def main() -> None:
    """Parse the arguments, stage, push and keep the receipt."""
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["dataset", "adapter"])
    parser.add_argument("--policy", required=True)
    parser.add_argument("--dataset", type=Path, required=True, help="manifest.json of the dataset folder")
    parser.add_argument("--adapter", type=Path, help="the policy's folder")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], help="of the policy, for the card")
    parser.add_argument("--differences", type=Path, nargs="*", default=[], help="to the base policy, for the card")
    parser.add_argument("--namespace", default=os.environ.get(NAMESPACE), help=f"else ${NAMESPACE}")
    parser.add_argument("--licence", default=os.environ.get(LICENCE), help=f"else ${LICENCE}, else that of the sources")
    parser.add_argument("--base", default=os.environ.get(BASE), help=f"the base model's id on the hub; else ${BASE}")
    parser.add_argument("--receipt", type=Path, help="output: what lies where on the hub")
    parser.add_argument("--stage", type=Path, help="output: the folder as it would be pushed; nothing is pushed then")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        licence = facts.licence(experiment, options.policy, options.licence)
        if (known := facts.licences(experiment, options.policy)) and licence not in known:
            journal.line(f"licence {licence}, though what it was made from says {', '.join(known)}", aloud=True)
        if options.stage is not None:
            options.stage.mkdir(parents=True, exist_ok=True)
            fill(options, experiment, options.stage, licence, repository(options, experiment))
            return
        name, secret = repository(options, experiment), push.token()
        with tempfile.TemporaryDirectory() as folder:
            fill(options, experiment, Path(folder), licence, name)
            private = os.environ.get(PUBLIC) != "1"
            kind: push.Kind = "dataset" if options.what == "dataset" else "model"
            message = f"{options.what} of {options.policy} ({experiment.experiment}), by Parley"
            receipt, new = push.push(push.client(secret), Path(folder), name, kind, private, message)
        if options.receipt is not None:
            write_text(options.receipt, receipt.as_json())
        journal.line(f"{name}: {'pushed' if new else 'there already'}, revision {receipt.revision}", aloud=True)


if __name__ == "__main__":
    run_as_script(main)
