"""A forecast: the calls that a stale job would make, as ranges from low to high."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from parley.config import Experiment
from parley.config.prices import Price
from parley.estimate.plan import Job
from parley.llm.prices import cost


@dataclass(frozen=True)
class Range:
    """A number that is not known: what it may be at least, what it will likely be, what it may be at most."""

    low: float = 0.0
    likely: float = 0.0
    high: float = 0.0

    @classmethod
    def about(cls, likely: float, margin: float) -> Self:
        """`likely`, give or take the share `margin` of it."""
        return cls(likely * max(0.0, 1 - margin), likely, likely * (1 + margin))

    @classmethod
    def exactly(cls, value: float) -> Self:
        """A number that is known."""
        return cls(value, value, value)

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: "Range | float") -> "Range":
        by = Range.exactly(other) if isinstance(other, int | float) else other
        return Range(self.low * by.low, self.likely * by.likely, self.high * by.high)

    @property
    def exact(self) -> bool:
        """True if nothing about it is open."""
        return self.low == self.high


ZERO = Range()


@dataclass(frozen=True)
class Calls:
    """The calls to one model (by its name in the config): those that are paid for already, and new ones.

    `cached` is the share of the prompt tokens that the endpoint is expected to read from its cache, `batched` the share
    of the calls that are to go through batches.
    """

    model: str
    paid: int = 0
    new: Range = ZERO
    prompt_tokens: Range = ZERO
    completion_tokens: Range = ZERO
    cached: float = 0.0
    batched: float = 0.0

    def __add__(self, other: "Calls") -> "Calls":
        tokens = self.prompt_tokens + other.prompt_tokens
        weights = (self.prompt_tokens.likely, other.prompt_tokens.likely)
        cached, batched = (
            sum(share * weight for share, weight in zip(shares, weights, strict=True)) / (tokens.likely or 1.0)
            for shares in ((self.cached, other.cached), (self.batched, other.batched))
        )
        return Calls(
            self.model,
            self.paid + other.paid,
            self.new + other.new,
            tokens,
            self.completion_tokens + other.completion_tokens,
            cached,
            batched,
        )

    def money(self, experiment: Experiment) -> Range:
        """What the new calls cost in the currency of the model's price; the most has nothing cached and all live."""
        model = experiment.models[self.model]

        def at(prompt: float, completion: float, cached: float, batched: float) -> float:
            live, batch = (cost(model, prompt, prompt * cached, completion, batch=how) or 0.0 for how in (False, True))
            return live + (batch - live) * batched

        prompt, completion = self.prompt_tokens, self.completion_tokens
        return Range(
            at(prompt.low, completion.low, self.cached, self.batched),
            at(prompt.likely, completion.likely, self.cached, self.batched),
            at(prompt.high, completion.high, 0.0, 0.0),
        )


@dataclass(frozen=True)
class Forecast:
    """What one stale job would do."""

    job: Job
    calls: tuple[Calls, ...] = field(default=())


def by_model(calls: Iterable[Calls]) -> dict[str, Calls]:
    """Sums by model, in the order in which the models come up."""
    sums: dict[str, Calls] = {}
    for one in calls:
        sums[one.model] = sums[one.model] + one if one.model in sums else one
    return sums


def money(calls: Iterable[Calls], experiment: Experiment) -> dict[str, Range]:
    """What calls cost, by currency; models without a price of money are left out."""
    sums: dict[str, Range] = {}
    for model, one in by_model(calls).items():
        price = experiment.models[model].price
        if isinstance(price, Price):
            sums[price.currency] = sums.get(price.currency, ZERO) + one.money(experiment)
    return sums
