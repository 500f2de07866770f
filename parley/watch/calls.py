"""Calls: how many an experiment's jobs have made so far and what they cost, from their ledgers, while they write."""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley.config import Experiment, Model
from parley.config.prices import Price
from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.prices import cost
from parley.llm.siblings import open_read_only

#: The pace is that of so many last seconds.
LATELY = 300.0
TIMEOUT = 5.0  # seconds to wait for a job that is writing
CALLS = """SELECT model, seconds = 0, count(*), sum(created > ?), sum(prompt_tokens), sum(cached_tokens),
           sum(completion_tokens) FROM calls GROUP BY model, seconds = 0"""


@dataclass
class Calls:
    """Sums over ledgers. `lately` are the answers of the last five minutes; `money` is by currency.

    `unpriced` names the models whose calls are counted and whose price is not known; `unreadable` are ledgers.
    """

    answered: int = 0
    lately: int = 0
    given_up: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: dict[str, float] = field(default_factory=dict)
    unpriced: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)


def calls(experiment: Experiment, ledgers: Iterable[Path]) -> Calls:
    """What the ledgers of an experiment's jobs hold; those that are not there yet count nothing.

    Ledgers are shared by experiments whose jobs have the same names; calls of models that the config does not have are
    left out.
    """
    total, since = Calls(), time.time() - LATELY
    for path in ledgers:
        if not path.exists():
            continue
        try:
            with closing(open_read_only(path, TIMEOUT)) as connection:
                _add(total, experiment, connection, since)
        except (sqlite3.Error, ValueError):
            total.unreadable.append(str(path))
    return total


def _add(total: Calls, experiment: Experiment, connection: sqlite3.Connection, since: float) -> None:
    blocks = Blocks(connection)
    for block, batched, count, lately, prompt, cached, completion in connection.execute(CALLS, (since,)):
        model = model_of(experiment, store.identity_of(block, blocks.get))
        if model is None:
            continue
        total.answered += count
        total.lately += lately
        total.prompt_tokens += prompt
        total.completion_tokens += completion
        if isinstance(model.price, Price):
            money = cost(model, prompt, cached, completion, batch=bool(batched)) or 0.0
            total.money[model.price.currency] = total.money.get(model.price.currency, 0.0) + money
        elif model.price is None and model.engine == "openai":
            total.unpriced.add(model.name)
    (given_up,) = connection.execute("SELECT count(*) FROM failures").fetchone()
    total.given_up += given_up


def model_of(experiment: Experiment, identity: dict[str, Any]) -> Model | None:
    """The model of the config that a call's identity is of; an adapter on it makes no difference."""
    for model in experiment.models.values():
        if all(identity.get(name) == value for name, value in model.identity().items()):
            return model
    return None
