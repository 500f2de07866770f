"""Write the card and the manifest of a policy that is a model as it is."""

import json
from pathlib import Path

from parley.arguments import arguments
from parley.canonical import digest
from parley.config import load
from parley.errors import run_as_script
from parley.llm.weights import cache_folder, checkpoint_identity
from parley.progress import Journal
from parley.records.jsonl import write_text


def main() -> None:
    """Parse the arguments and write."""
    parser = arguments(__doc__)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the policy's folder")
    parser.add_argument("--manifest", type=Path, required=True, help="output: what stands for its content")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        model = load(options.experiment).model_of(options.policy)
        folder = Path(model.path) if model.path else None
        weights = digest(checkpoint_identity(folder, cache_folder())) if folder and folder.is_dir() else None
        manifest = {"policy": options.policy, "model": model.identity(), "path": model.path, "weights": weights}
        write_text(
            options.out / "README.md", f"# {options.policy}\n\nThe model `{model.path or model.name}` as it is.\n"
        )
        write_text(options.manifest, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        journal.line(f"{options.policy} is {model.path or model.name}")


if __name__ == "__main__":
    run_as_script(main)
