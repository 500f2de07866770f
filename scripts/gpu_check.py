"""Check whether this machine can serve a model on its GPU: driver, vLLM, start, structured answers, adapter, pace.

Without arguments it serves the pocket model, which fits on any card. `--experiment CONFIG --model NAME` takes one of a
config instead.
"""

import tempfile
from argparse import Namespace
from pathlib import Path

from parley.arguments import arguments
from parley.checkup import checkup
from parley.code import ROOT
from parley.config import Model, load
from parley.errors import ParleyError, run_as_script
from parley.job import run

POCKET = Model(engine="vllm", name="pocket", path=str(ROOT / "resources/pocket"), max_tokens=64, concurrency=64)


def model_of(options: Namespace) -> Model:
    """The model that is to be served. Raises `ParleyError` if the config has none of that name, or another serves it."""
    if options.model is None:
        return POCKET
    models = load(options.experiment).models
    if options.model not in models:
        raise ParleyError(f"{options.experiment}: no model is called {options.model!r}; there are {', '.join(models)}")
    model = models[options.model]
    if model.engine != "vllm":
        raise ParleyError(f"models.{options.model}: its engine is {model.engine}; only vllm is served on a GPU")
    return model


async def check(options: Namespace) -> None:
    """Print a line for each step."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="parley-gpu-check-"))
    async for step in checkup(model_of(options), folder, options.calls):
        print(step.line, flush=True)
    print("all is well")


def main() -> None:
    """Parse the arguments and check."""
    parser = arguments(__doc__)
    parser.add_argument("--model", help="a model of the config; else the pocket model")
    parser.add_argument("--calls", type=int, default=64, help="how many are made at once to time it")
    parser.add_argument("--folder", type=Path, help="for the engine's log and the adapter; else one below /tmp")
    options = parser.parse_args()
    run(check(options))


if __name__ == "__main__":
    run_as_script(main)
