"""Have a model play the raters of the study, through the app's own pages; what it gives is labelled simulated."""

import tempfile
from argparse import Namespace
from pathlib import Path

from parley.annotate.files import export, read_items, read_key
from parley.annotate.simulated import Clock, simulate
from parley.annotate.study import Settings, Study
from parley.annotate.tokens import foretold
from parley.arguments import arguments
from parley.errors import ParleyError, run_as_script
from parley.job import Stage, run
from parley.progress import Journal
from parley.records.annotation import Marks
from parley.records.item import Item
from parley.world.annotating import annotate
from parley.world.prompts import prompt


async def rate(options: Namespace, journal: Journal) -> None:
    """Hold the study and write its ratings. Fails if not one item could be rated."""
    stage = Stage.of("human", options, journal)
    experiment, settings = stage.experiment, stage.experiment.human
    if settings is None or settings.simulated_by is None:
        raise ParleyError(f"{options.experiment}: nobody plays the raters; add `simulated_by` to `human`")
    key = read_key(options.key)
    clock, seed = Clock(), experiment.seed
    with tempfile.TemporaryDirectory(prefix="parley-study-") as folder:
        study = Study(
            Path(folder) / "study.sqlite",
            settings.raters,
            settings=Settings(simulated=True),
            clock=clock,
            mint=foretold(seed),
        )
        study.add(*read_items(options.items, key))
        async with stage.speakers([settings.simulated_by]) as speakers:
            model = speakers[settings.simulated_by]
            templates = prompt(experiment.prompts.annotation), prompt(experiment.prompts.retry)

            async def ask(item: Item, rater: str, attempt: int) -> tuple[Marks, Marks] | str:
                return await annotate(item, rater, model, *templates, seed, attempt)

            outcome = await simulate(study, clock, ask, seed)
        for failure in outcome.failures:
            journal.line(f"not rated: {failure}")
        if not study.work.annotations():
            why = f" ({outcome.failures[0]})" if outcome.failures else ""
            raise ParleyError(
                f"{settings.simulated_by} rated nothing{why}; check the model in the config and its prompt. "
                "The answers are in the ledger; nothing is lost"
            )
        count, left = export(study, key, options.out), study.work.open_places()
        study.close()
    journal.line(f"{count} ratings by {outcome.raters} simulated raters; {left} still wanted")


def main() -> None:
    """Parse the arguments and rate."""
    parser = arguments(__doc__)
    Stage.arguments(parser)
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="output: the ratings")
    options = parser.parse_args()
    with Journal(options.log) as journal:
        run(rate(options, journal))


if __name__ == "__main__":
    run_as_script(main)
