"""The purse: keeps a run within its budget, all its jobs together."""

import asyncio
import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from parley.config import Budget, Model
from parley.config.prices import Price
from parley.errors import ParleyError
from parley.llm.call import Request
from parley.llm.prices import most

#: Names a file that the jobs of one run share, so that the budget holds for all of them together.
PURSE = "PARLEY_PURSE"


class Purse:
    """Sets the most that a call may cost aside before it is sent.

    With a shared file the budget holds for all jobs of a run together; without, for this job. The file has one line an
    amount: how much, and by which model. It is locked while it is looked at and added to, so that jobs on several
    machines may share it, and it is only ever appended to. A job that is killed leaves what it had set aside as spent:
    the endpoint may charge for the calls that were in flight.
    """

    def __init__(self, budget: Budget | None, shared: Path | None = None) -> None:
        self._budget = budget
        self._shared = shared
        self._by_model: defaultdict[str, float] = defaultdict(float)
        self._read = 0  # bytes of the shared file that are counted
        self._reserved = 0  # calls of this job that have something set aside
        self._empty: ParleyError | None = None
        self._settled = asyncio.Event()

    @classmethod
    def of_run(cls, budget: Budget | None) -> "Purse":
        """The purse that the variable `PARLEY_PURSE` names, or one for this job alone."""
        shared = os.environ.get(PURSE)
        return cls(budget, Path(shared) if shared else None)

    def of(self, name: str) -> "Account":
        """The account of the model called `name` in the config."""
        return Account(self, name)

    @property
    def spent(self) -> float:
        """What was spent and set aside so far."""
        return sum(self.spent_by_model().values())

    def spent_by_model(self) -> dict[str, float]:
        """What was spent and set aside so far, by the names of the models in the config."""
        if self._shared is not None and self._shared.exists():
            with self._shared.open("rb") as file:
                self._count(file)
        return dict(self._by_model)

    async def set_aside(self, name: str, model: Model, request: Request, *, batch: bool = False) -> float:
        """Reserve the most that the call may cost; gives the amount, which `settle` wants back.

        Waits for calls in flight if what they do not need may be enough. Raises `ParleyError` if the budget would be
        exceeded all the same: nothing of this job is in flight then, and no further call is made.
        """
        if self._budget is None or not isinstance(model.price, Price):
            return 0.0
        if model.price.currency != self._budget.currency:
            raise ParleyError(
                f"budget is in {self._budget.currency}, but {model.name} is priced in {model.price.currency}; "
                "give both in one currency"
            )
        amount = most(model, request, batch=batch)
        while (refusal := self._try(name, model, amount)) is not None:
            if not self._reserved or self._empty:
                self._empty = self._empty or refusal
                raise self._empty
            self._settled.clear()
            await self._settled.wait()
        self._reserved += 1
        return amount

    def settle(self, name: str, set_aside: float, paid: float) -> None:
        """Replace what was set aside by what the call cost."""
        if set_aside:
            with self._opened() as file:
                self._add(name, paid - set_aside, file)
            self._reserved -= 1
            self._settled.set()

    def _try(self, name: str, model: Model, amount: float) -> ParleyError | None:
        """Set `amount` aside, or say why not. Looking and adding are one step for all jobs."""
        if self._empty:
            return self._empty
        assert self._budget is not None
        with self._opened() as file:
            if file is not None:
                self._count(file)
            for where, what, limit, spent in (
                ("amount", "", self._budget.amount, sum(self._by_model.values())),
                (f"models.{name}", f" for {name}", self._budget.models.get(name), self._by_model[name]),
            ):
                if limit is not None and spent + amount > limit:
                    return ParleyError(
                        f"budget: {spent:.4f} of {limit:g} {self._budget.currency}{what} is spent, and the next call to "
                        f"{model.name} may cost {amount:.4f}; raise budget.{where} and run again, nothing is lost"
                    )
            self._add(name, amount, file)
            return None

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO | None]:
        """The shared file, locked: on network file systems appending alone is not safe."""
        if self._shared is None:
            yield None
            return
        try:
            self._shared.parent.mkdir(parents=True, exist_ok=True)
            with self._shared.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            raise ParleyError(
                f"{self._shared}: the purse of the budget cannot be written or locked ({error.strerror}); "
                f"set {PURSE} to a file where it can, and run again"
            ) from None

    def _count(self, file: BinaryIO) -> None:
        """Count the lines that were added since the last time."""
        file.seek(self._read)
        news = file.read()
        whole = news[: news.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            amount, _, name = line.decode(errors="replace").partition(" ")
            with suppress(ValueError):  # a line that a power cut left half written
                self._by_model[name] += float(amount)

    def _add(self, name: str, amount: float, file: BinaryIO | None) -> None:
        if file is None:
            self._by_model[name] += amount
            return
        size = file.seek(0, os.SEEK_END)
        torn = b""
        if size:
            file.seek(size - 1)
            torn = b"" if file.read(1) == b"\n" else b"\n"
        file.write(torn + f"{amount!r} {name}\n".encode())


@dataclass(frozen=True)
class Account:
    """One model's share of a purse."""

    purse: Purse
    name: str

    async def set_aside(self, model: Model, request: Request, *, batch: bool = False) -> float:
        """As `Purse.set_aside`."""
        return await self.purse.set_aside(self.name, model, request, batch=batch)

    def settle(self, set_aside: float, paid: float) -> None:
        """As `Purse.settle`."""
        self.purse.settle(self.name, set_aside, paid)
