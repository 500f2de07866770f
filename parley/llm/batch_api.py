"""An endpoint's Batch API: hand a file of requests in, look at the batch, collect its answers."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from parley.errors import ParleyError
from parley.llm.batch_memory import Handed
from parley.llm.call import Reply
from parley.llm.endpoint import reply_of
from parley.llm.faults import redact

if TYPE_CHECKING:
    from openai.types import Batch

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
#: What the API takes in one file (https://platform.openai.com/docs/guides/batch), a little below.
MOST_LINES, MOST_BYTES = 50_000, 190_000_000
ENDED = ("completed", "expired", "cancelled", "failed")
TIMEOUT = 600.0  # seconds for a file of that size
TRIES = 5
FIRST_WAIT = 1.0  # seconds before the next try, doubled after each
#: Clocks of ours and theirs may differ by so many seconds.
SKEW = 3600.0


class NotNow(Exception):
    """A request to the API failed in a way that may have passed at the next try."""


@dataclass(frozen=True)
class View:
    """A batch as the endpoint shows it."""

    status: str
    total: int = 0
    completed: int = 0
    failed: int = 0
    files: tuple[str, ...] = ()  # of answers and errors
    faults: tuple[tuple[str, str], ...] = ()  # (code, message): why its validation failed

    @property
    def ended(self) -> bool:
        """True if nothing more will be answered."""
        return self.status in ENDED


def line_of(key: str, body: dict[str, Any]) -> bytes:
    """A request as a line of a batch's file: its key comes back with its answer."""
    line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


class BatchApi:
    """The batches of one endpoint. What may pass is tried again a few times, then `NotNow`; the rest is `ParleyError`."""

    def __init__(self, address: str, key: str | None) -> None:
        from openai import AsyncOpenAI

        self.address = address
        self._key = key
        # The client insists on a key and would else take OPENAI_API_KEY to whatever address this is.
        self._client = AsyncOpenAI(api_key=key or "none", base_url=address, max_retries=TRIES, timeout=TIMEOUT)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def hand_in(self, batch: Handed, lines: Iterable[bytes]) -> str:
        """Upload the lines and start the batch; gives the endpoint's id for it. It is never started twice."""
        with self._told():
            file = await self._client.files.create(file=("parley.jsonl", b"".join(lines)), purpose="batch")
        for failed in range(1, TRIES + 1):
            try:
                return await self._start(batch, file.id)
            except NotNow:
                # It may have come about all the same.
                if (found := await self.find(batch)) is not None:
                    return found
                if failed == TRIES:
                    raise
                await asyncio.sleep(FIRST_WAIT * 2.0 ** (failed - 1))
        raise AssertionError

    async def _start(self, batch: Handed, file: str) -> str:
        with self._told():
            started = await self._client.with_options(max_retries=0).batches.create(
                input_file_id=file,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={"parley": batch.name},
            )
        return started.id

    async def find(self, batch: Handed) -> str | None:
        """The id of a batch that was perhaps started, by its name; None if it was not."""
        with self._told():
            async for other in self._client.batches.list(limit=100):  # newest first
                if (other.metadata or {}).get("parley") == batch.name:
                    return other.id
                if other.created_at < batch.created - SKEW:
                    break
        return None

    async def look(self, batch_id: str) -> View | None:
        """How far a batch is; None if the endpoint does not know it."""
        from openai import NotFoundError

        with self._told():
            try:
                return _view(await self._client.batches.retrieve(batch_id))
            except NotFoundError:
                return None

    async def cancel(self, batch_id: str) -> None:
        """Ask for a batch to end early; what it has answered can be collected then."""
        from openai import BadRequestError, ConflictError

        with self._told():
            try:
                await self._client.batches.cancel(batch_id)
            except (ConflictError, BadRequestError):
                return  # it has ended by itself

    async def collect(self, view: View) -> dict[str, Reply | str] | None:
        """By key the reply, or the reason why there is none; a key that the endpoint left out is left out here.

        None if the endpoint does not have the files any more.
        """
        from openai import NotFoundError

        found: dict[str, Reply | str] = {}
        for file in view.files:
            with self._told():
                try:
                    content = (await self._client.files.content(file)).content
                except NotFoundError:
                    return None
            for text in content.split(b"\n"):
                if text.strip():
                    key, outcome = self._outcome(text)
                    # An answer is an answer, whatever else is said of it.
                    found[key] = outcome if key not in found or isinstance(outcome, Reply) else found[key]
        return found

    def _outcome(self, text: bytes) -> tuple[str, Reply | str]:
        """(key, reply or reason) of a line."""
        key = ""
        try:
            line = json.loads(text)
            key, response, error = str(line["custom_id"]), line.get("response"), line.get("error")
            if response is None:
                return key, self._plain(f"{error['code']}: {error['message']}")
            status, body = response["status_code"], response["body"]
            if status != 200:
                message = body.get("error", {}).get("message", "no reason given")
                return key, self._plain(f"HTTP {status}: {message}")
            # What a batch took is no measure of a call.
            return key, reply_of(key, body, seconds=0.0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return key, self._plain(f"unreadable answer: {error}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the client as ours."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            if error.status_code in (408, 409, 429) or error.status_code >= 500:
                raise NotNow(self._plain(str(error))) from None
            raise ParleyError(
                f"endpoint {self.address}: {self._plain(str(error))}; if it has no Batch API, delete `batch` in the config"
            ) from None
        except (openai.OpenAIError, OSError, ValueError) as error:
            raise NotNow(self._plain(f"{error} {error.__cause__ or ''}")) from None

    def _plain(self, text: str) -> str:
        """`text` as one line of at most 300 characters, without the key."""
        return redact(" ".join(text.split()), self._key)[:300]


def _view(batch: "Batch") -> View:
    counts = batch.request_counts
    errors = (batch.errors.data if batch.errors else None) or []
    return View(
        status=batch.status,
        total=counts.total if counts else 0,
        completed=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        files=tuple(file for file in (batch.output_file_id, batch.error_file_id) if file),
        faults=tuple((error.code or "", error.message or "") for error in errors),
    )
