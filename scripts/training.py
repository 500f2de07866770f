"""Train a policy's adapter on its dataset, or take it from the store if the very same was trained before."""

from argparse import Namespace
from pathlib import Path

from parley.arguments import arguments
from parley.canonical import digest
from parley.config import Policy, load
from parley.errors import ParleyError, run_as_script
from parley.learning.adapters import AdapterStore, adapter_key, library_versions, training_code
from parley.learning.folder import essence
from parley.learning.training import train
from parley.llm.weights import adapter_identity, cache_folder, checkpoint_identity
from parley.lock import alone
from parley.progress import Journal, Progress
from parley.records.jsonl import read_json, write_text
from parley.records.published import check_room

SIMULATED = "It was trained in a simulated world: scripted speakers and judge, no people and no language models."


def make(options: Namespace, policy: Policy, base: Path, simulated: bool, journal: Journal) -> None:
    """Fill the policy's folder, from the store or by training."""
    parent = Path(options.adapter.partition("=")[2]) if options.adapter else None
    dataset = read_json(options.dataset)
    store = AdapterStore(options.store)
    key = adapter_key(
        digest(checkpoint_identity(base, cache_folder())),
        adapter_identity(parent)["adapter"] if parent else None,
        dataset["sha256"],
        policy.training,
        training_code(),
        library_versions(),
    )
    unfinished = options.store / "unfinished" / key
    with alone(unfinished):  # another experiment may be training the very same
        if store.fetch(key, options.out):
            journal.line(f"{options.policy}: taken from the store, trained before from the same data and settings")
            return
        check_room(unfinished.parent)  # before the hours of training, not after
        progress: list[Progress] = []

        def show(step: int, steps: int, loss: float) -> None:
            if not progress:
                progress.append(Progress(journal, f"training {options.policy}", steps))
            progress[0].at(step, f"loss {loss:.3f}")

        summary = train(
            base,
            parent,
            options.dataset.parent,
            policy.training,
            options.out,
            on_progress=show,
            note=SIMULATED if simulated else None,
            checkpoints=unfinished,
        )
        journal.line(str(summary))
        store.keep(key, options.out)


def main() -> None:
    """Parse the arguments and train."""
    parser = arguments(__doc__)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--dataset", type=Path, required=True, help="manifest.json of the dataset folder")
    parser.add_argument("--adapter", metavar="PARENT=FOLDER", help="the adapter that training goes on from")
    parser.add_argument("--store", type=Path, required=True, help="where trained adapters are kept")
    parser.add_argument("--out", type=Path, required=True, help="output: the policy's folder")
    parser.add_argument("--manifest", type=Path, required=True, help="output: what stands for its content")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        experiment = load(options.experiment)
        model = experiment.model_of(options.policy)
        if model.path is None:
            raise ParleyError(
                f"policies.{options.policy}: its base model has no `path`; only a local checkpoint can be trained"
            )
        policy = experiment.policies[options.policy]
        simulated = any(other.engine == "playhouse" for other in experiment.models.values())
        make(options, policy, Path(model.path), simulated, journal)
        write_text(options.manifest, essence(options.out))


if __name__ == "__main__":
    run_as_script(main)
