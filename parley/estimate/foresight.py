"""Foresight: walks through a plan and tells for each job which calls are paid for already, and how many are new.

What is known is played through exactly as the job would do it, with answers from the ledger alone. It ends where a call
was never made; from there on priors tell. So a plan that only replays is known to its end, trained adapters included.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from parley.config import Experiment
from parley.errors import ParleyError
from parley.estimate import annotating, canary, judging, playing, rating, writing
from parley.estimate.forecast import Calls, Forecast
from parley.estimate.known import Known
from parley.estimate.lengths import Lengths
from parley.estimate.plan import Job
from parley.estimate.policies import Policies
from parley.estimate.priors import Priors
from parley.estimate.stage import Stage

#: What is told of a job, by its rule; other rules make no calls.
ACTS: dict[str, Callable[[Job, Stage], list[Calls]]] = {
    "write": writing.write,
    "cast": writing.cast,
    "play": playing.play,
    "rate": rating.rate,
    "rate_swapped": rating.rate,
    "judge": judging.judge,
    "ask_canary": canary.ask_canary,
    "annotate": annotating.annotate,
}

#: Rules that bring in what others have published.
IMPORTS = ("sotopia", "keywords")


def foresee(
    jobs: Sequence[Job], experiment: Experiment, priors: Priors, ledger: Path = Path("ledger")
) -> list[Forecast]:
    """What each job of a plan would do; `jobs` come after those that they need. Nothing is written or sent.

    Raises `ParleyError` if the plan begins with an import: what comes in decides everything behind it.
    """
    if first := [job for job in jobs if job.rule in IMPORTS]:
        raise ParleyError(
            f"{first[0].outputs[0]}: is not there yet, and what it holds decides the rest; bring it in first "
            f"(snakemake --cores 1 {first[0].rule}), then ask again"
        )
    experiment = _measurable(experiment)
    known = Known(experiment)
    policies = Policies(experiment, known, ledger / "adapters")
    policies.planned(jobs)
    stage = Stage(experiment, ledger, known, policies, priors, Lengths(experiment))
    return [Forecast(job, tuple(ACTS[job.rule](job, stage)) if job.rule in ACTS else ()) for job in jobs]


def _measurable(experiment: Experiment) -> Experiment:
    """The experiment with prompts as long as they come, if the tokenizer that measures them is not there yet."""
    play = experiment.play
    if play.tokenizer is None or Path(play.tokenizer).exists():
        return experiment
    return experiment.model_copy(update={"play": play.model_copy(update={"prompt_tokens": None, "tokenizer": None})})
