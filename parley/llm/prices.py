"""What calls cost, and the purse: the most that a run may spend."""

import asyncio
import os
from pathlib import Path

from parley.config import Budget, Model, Price
from parley.errors import ParleyError
from parley.llm.call import Request

#: Names a file that the jobs of one run share, so that the budget holds for all of them together.
PURSE = "PARLEY_PURSE"
#: An English token has four characters or so; an estimate before a call must not be too low.
CHARACTERS_PER_TOKEN = 2.5


def cost(
    model: Model, prompt_tokens: float, cached_tokens: float, completion_tokens: float, *, batch: bool = False
) -> float | None:
    """What calls cost in the currency of the model's price; 0 for `free`, None if the model has no price.

    `cached_tokens` is the part of `prompt_tokens` that the endpoint read from its cache. With `batch` the calls were
    sent in a batch: a price that names no batch price takes as much as for live calls.
    """
    if model.price is None:
        return None
    if model.price == "free":
        return 0.0
    price = model.price
    fresh_price = _first(price.batch_input if batch else None, price.input)
    cached_price = min(_first(price.cached_input, fresh_price), fresh_price)
    answer_price = _first(price.batch_output if batch else None, price.output)
    fresh = prompt_tokens - cached_tokens
    return (fresh * fresh_price + cached_tokens * cached_price + completion_tokens * answer_price) / 1e6


def _first(preferred: float | None, otherwise: float) -> float:
    return otherwise if preferred is None else preferred


def most(model: Model, request: Request, *, batch: bool = False) -> float:
    """The most that a call may cost: every character of its prompt counted generously, an answer of full length."""
    characters = sum(len(message["content"]) for message in request.messages)
    return cost(model, int(characters / CHARACTERS_PER_TOKEN), 0, model.max_tokens, batch=batch) or 0.0


class Purse:
    """Keeps a run within its budget: the most that a call may cost is set aside before it is sent.

    With a shared file (one amount a line, appended) the budget holds for all jobs of a run together; without, for this
    job. A job that is killed leaves what it had set aside as spent.
    """

    def __init__(self, budget: Budget | None, shared: Path | None = None) -> None:
        self._budget = budget
        self._shared = shared
        self._spent = 0.0
        self._read = 0
        self._reserved = 0  # calls of this job that have something set aside
        self._settled = asyncio.Event()

    @classmethod
    def of_run(cls, budget: Budget | None) -> "Purse":
        """The purse that the variable `PARLEY_PURSE` names, or one for this job alone."""
        shared = os.environ.get(PURSE)
        return cls(budget, Path(shared) if shared else None)

    @property
    def spent(self) -> float:
        """What was spent and set aside so far."""
        if self._shared is not None and self._shared.exists():
            with self._shared.open("rb") as file:
                file.seek(self._read)
                news = file.read()
            whole = news[: news.rfind(b"\n") + 1]
            self._read += len(whole)
            self._spent += sum(float(line) for line in whole.split())
        return self._spent

    async def set_aside(self, model: Model, request: Request, *, batch: bool = False) -> float:
        """Reserve the most that the call may cost; gives the amount, which `settle` wants back.

        Waits for calls in flight if what they do not need may be enough. Raises `ParleyError` if the budget would be
        exceeded all the same.
        """
        if self._budget is None or not isinstance(model.price, Price):
            return 0.0
        if model.price.currency != self._budget.currency:
            raise ParleyError(
                f"budget is in {self._budget.currency}, but {model.name} is priced in {model.price.currency}; "
                "give both in one currency"
            )
        amount = most(model, request, batch=batch)
        while (spent := self.spent) + amount > self._budget.amount:
            if not self._reserved:
                raise ParleyError(
                    f"budget: {spent:.4f} of {self._budget.amount:g} {self._budget.currency} is spent, and the next "
                    f"call to {model.name} may cost {amount:.4f}; raise budget.amount and run again, nothing is lost"
                )
            self._settled.clear()
            await self._settled.wait()
        self._add(amount)
        self._reserved += 1
        return amount

    def settle(self, set_aside: float, paid: float) -> None:
        """Replace what was set aside by what the call cost."""
        if set_aside:
            self._add(paid - set_aside)
            self._reserved -= 1
            self._settled.set()

    def _add(self, amount: float) -> None:
        if self._shared is None:
            self._spent += amount
            return
        self._shared.parent.mkdir(parents=True, exist_ok=True)
        with self._shared.open("ab") as file:
            file.write(f"{amount!r}\n".encode())
