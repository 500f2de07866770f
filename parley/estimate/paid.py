"""What is paid for: the calls of past runs, read without touching their files, and a speaker that answers from them."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from parley.llm import store
from parley.llm.call import Reply, Request
from parley.llm.siblings import Siblings, open_read_only
from parley.llm.taken import Usage
from parley.records.message import Message

TIMEOUT = 5.0  # seconds to wait for a job that is writing


class Missing(Exception):
    """A call that nobody has paid for yet."""


class Paid:
    """The calls that a job would find in the ledger: in its own file first, then in those of its stage."""

    def __init__(self, path: Path, stage: Siblings) -> None:
        self._stage = stage
        self._connection: sqlite3.Connection | None = None
        if path.exists():
            with suppress(sqlite3.Error):
                self._connection = open_read_only(path, TIMEOUT)

    def get(self, key: str) -> Reply | None:
        """The stored reply to the request with this key, or None."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                query = f"SELECT {store.REPLY} FROM calls WHERE key = ?"
                if (row := self._connection.execute(query, (key,)).fetchone()) is not None:
                    return store.reply_of(row)
        found = self._stage.get(key)
        return found[0] if found else None

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()


class Replayer:
    """A speaker that knows only what it was paid for: it raises `Missing` where a call would be sent.

    `asked` counts what was asked for the first time, `replayed` what was answered, second tries too. `identity` is None
    where it is not known yet, such as that of a policy that is still to be trained.
    """

    def __init__(self, name: str, identity: dict[str, Any] | None, paid: Paid) -> None:
        self.name = name
        self.asked = 0
        self.replayed = 0
        self.usage = Usage()
        self._identity = identity
        self._paid = paid

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        seed: int | None = None,
        replicate: int = 0,
    ) -> Reply:
        """The answer as it was paid for."""
        self.asked += len(messages) == 1
        if self._identity is None:
            raise Missing(self.name)
        request = Request(self._identity, tuple(messages), seed, schema, replicate)
        if (reply := self._paid.get(request.key)) is None:
            raise Missing(self.name)
        self.replayed += 1
        return reply
