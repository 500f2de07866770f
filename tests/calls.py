"""Calls for tests of the ledger, kept and found again."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from parley.llm.call import Reply, Request
from parley.llm.ledger import Ledger

MODEL = {"engine": "openai", "name": "judge", "temperature": 0}


def request(number: int = 0, **changes: Any) -> Request:
    messages = (
        {"role": "system", "content": "Be brief.\r\nPlease.\n"},
        {"role": "user", "content": f"Ask {number} é\n"},
    )
    return replace(Request(MODEL, messages, seed=number), **changes)  # type: ignore[arg-type]


def reply(asked: Request, text: str = "yes", **changes: Any) -> Reply:
    return replace(Reply(asked.key, text, "stop", 100, 20, 40, 0.5), **changes)


def fill(path: Path, count: int, start: int = 0) -> list[Request]:
    """Store `count` calls in one transaction: on a slow disk every wait for it counts."""
    asked = [request(number) for number in range(start, start + count)]

    async def work(ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.keep(one, reply(one, f"answer {one.seed} " + "x" * 200)) for one in asked))

    with Ledger(path) as ledger:
        asyncio.run(work(ledger))
    return asked


def salvaged(path: Path, asked: list[Request]) -> int:
    """How many of the calls a fresh opening still has; each must be right."""
    with Ledger(path) as ledger:
        found = [(one, ledger.get(one.key)) for one in asked]
    for one, answer in found:
        assert answer is None or answer.text == f"answer {one.seed} " + "x" * 200
    return sum(answer is not None for _, answer in found)
