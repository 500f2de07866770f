"""What the foresights of all stages share: the experiment, what is known, what is paid for, what to expect."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from parley.config import Experiment
from parley.errors import ParleyError
from parley.estimate.forecast import Calls, Range
from parley.estimate.known import Known
from parley.estimate.lengths import Lengths
from parley.estimate.paid import TIMEOUT, Paid, Replayer
from parley.estimate.policies import Policies
from parley.estimate.priors import Priors
from parley.job import SINGLE_CALLS
from parley.llm.identity import identity_of
from parley.llm.siblings import Siblings
from parley.llm.weights import cache_folder

T = TypeVar("T")
NOWHERE = Path("no-such-file")


@dataclass
class Stage:
    """Everything that a foresight looks at."""

    experiment: Experiment
    ledger: Path
    known: Known
    policies: Policies
    priors: Priors
    lengths: Lengths
    _siblings: dict[str, Siblings] = field(default_factory=dict)
    _identities: dict[tuple[str, Path | None], dict[str, Any] | None] = field(default_factory=dict)

    @contextmanager
    def paid(self, name: str, file: str) -> Iterator[Paid]:
        """What a job of the stage `name` with the ledger file `file` would find."""
        root = self.ledger / name
        siblings = self._siblings.setdefault(name, Siblings(root, NOWHERE, TIMEOUT))
        paid = Paid(root / file, siblings)
        try:
            yield paid
        finally:
            paid.close()

    def speaker(self, player: str, paid: Paid, *, former: bool = False) -> Replayer:
        """A speaker for `player` that answers from what is paid for; with `former` as the policy is now."""
        adapter = None
        if self.experiment.trained(player):
            adapter = self.policies.former(player) if former else self.policies.adapter(player)
            if adapter is None:
                return Replayer(player, None, paid)
        return Replayer(player, self._identity(player, adapter), paid)

    def _identity(self, player: str, adapter: Path | None) -> dict[str, Any] | None:
        at = (player, adapter)
        if at not in self._identities:
            try:
                self._identities[at] = identity_of(self.experiment.model_of(player), adapter, cache_folder())
            except ParleyError:  # an engine or a checkpoint that is not here: the run will say so
                self._identities[at] = None
        return self._identities[at]

    def new_calls(self, stage: str, player: str, paid: int, answers: Range, characters: float) -> Calls:
        """The calls for so many `answers` of a player whose prompts have so many characters on average."""
        calls = answers * self.priors.attempts(stage, player).value
        ratio, answer = self.priors.characters_per_token(stage, player).value, self.priors.answer(stage, player).value
        tokens = Range(characters / ratio.high, characters / ratio.likely, characters / ratio.low)
        return Calls(
            model=self.experiment.model_name(player),
            paid=paid,
            new=calls,
            prompt_tokens=calls * tokens,
            completion_tokens=calls * answer,
            cached=self.priors.cached(stage, player),
            batched=float(stage in SINGLE_CALLS and self.experiment.model_of(player).batch is not None),
        )


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: it answers from what is there."""
    return asyncio.run(work)
