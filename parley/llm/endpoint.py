"""An endpoint: one address that speaks the OpenAI chat protocol, with retries, a limiter and plain reasons."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import aiohttp

from parley.canonical import seed_from, whole
from parley.config import Model
from parley.errors import ParleyError
from parley.llm.call import CallFailed, Reply, Request
from parley.llm.faults import Fault, classify
from parley.llm.launch import Shape, response_format
from parley.llm.limiter import Limiter
from parley.llm.pulse import PATIENCE, Patience, Pulse
from parley.llm.transport import Refused, Transport

#: Parts of a request that an endpoint may not know and that can be left out; the answer is checked all the same.
OPTIONAL = ("seed", "response_format")


def api_key(model: Model) -> str | None:
    """The key from the model's variable. Raises `ParleyError` if the variable is named but empty or not set."""
    if model.api_key_env is None:
        return None
    if not (key := os.environ.get(model.api_key_env, "").strip()):
        raise ParleyError(f"model {model.name!r} needs a key: set the environment variable {model.api_key_env}")
    return key


class Endpoint:
    """One address. `send` may be called many times at once; the limiter decides how many calls are in flight.

    `revive` starts a server of ours that has ended once more and gives its new address, None if it has not ended. Calls
    that were in flight are then sent again, and its end is not counted as their failure.
    """

    def __init__(
        self,
        base_url: str | None,
        *,
        key: str | None = None,
        concurrency: int = 32,
        timeout: float = 120.0,
        patience: Patience = PATIENCE,
        remedy: str = "start the server, or correct base_url in the config",
        shape: Shape = response_format,
        local: bool = False,
        revive: Callable[[], Awaitable[str | None]] | None = None,
    ) -> None:
        self.limiter = Limiter(concurrency)
        self._key = key
        self._timeout = timeout
        self._patience = patience
        self._shape = shape
        self._left_out: set[str] = set()
        self._uncounted = False
        self._length_field = "max_tokens"
        self._remedy = remedy
        self._local = local
        self._revive = revive
        self._reviving = asyncio.Lock()
        self._left: list[Transport] = []  # to where a server of ours was before
        self._move(base_url or "https://api.openai.com/v1")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        for transport in (*self._left, self._transport):
            await transport.close()

    def _move(self, base_url: str) -> None:
        self._transport = Transport(base_url, self._key, self._local)
        self.address = self._transport.base_url
        self._pulse = Pulse(self.address, self._patience, self._look, self._remedy)

    async def _revived(self, fault: Fault, sent_over: Transport, worn: bool) -> bool:
        """Whether the server that a try went to had ended, and is there again. Raises `ParleyError` if it will not be.

        One that is about to end may answer 500 to everybody before: it is looked at before such a call is given up.
        """
        if self._revive is None or fault.late or (fault.status is not None and not (worn and fault.status >= 500)):
            return False
        async with self._reviving:
            if sent_over is self._transport:
                if (base_url := await self._revive()) is None:
                    return False
                self._left.append(self._transport)
                self._move(base_url)
            return True

    async def send(self, request: Request, name: str, extra_body: Mapping[str, Any] | None = None) -> Reply:
        """Ask the model called `name` here. Sampling is what `request.model` says.

        Raises `CallFailed` when the call is refused or has failed too often, and `ParleyError` when no call to this
        endpoint can succeed (no server, wrong key, unknown model, no credit).
        """
        failures: list[str] = []
        worn, seen = 0.0, self._pulse.signs
        while True:
            async with self.limiter.slot() as number:
                started, sent_over = time.monotonic(), self._transport
                outcome = await self._try(request, name, extra_body)
                if isinstance(outcome, Reply):
                    self._note_silence(outcome)
                    self.limiter.succeeded()
                    self._pulse.beat()
                    return replace(outcome, retries=len(failures), failures=tuple(failures)) if failures else outcome
                if outcome.crowded:
                    self.limiter.turned_away(number, self._pause(outcome))
            if outcome.hopeless:
                raise ParleyError(f"endpoint {self.address}: {outcome.reason}")
            if not outcome.passing:
                self._pulse.beat(answered=False)
                if self._adapt(outcome, request):
                    continue
                raise CallFailed(request.key, outcome.reason, [*failures, outcome.reason])
            failures.append(outcome.reason)
            worn += outcome.weight
            if await self._revived(outcome, sent_over, worn >= self._patience.tries):
                worn, seen = 0.0, self._pulse.signs
                continue
            if await self._pulse.blames(outcome, started, worn >= self._patience.tries, seen):
                raise CallFailed(request.key, _told(failures), failures)
            seen = self._pulse.signs
            await asyncio.sleep(self._wait(request, len(failures)))

    async def _try(self, request: Request, name: str, extra_body: Mapping[str, Any] | None) -> Reply | Fault:
        started = time.perf_counter()
        try:
            body = self.body(request, name, extra_body)
            completion = await self._transport.post("chat/completions", body, self._timeout)
            return reply_of(request.key, completion, time.perf_counter() - started)
        except Exception as error:
            return classify(error, self._key, self._timeout)

    def body(self, request: Request, name: str, extra_body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON that asks the model called `name` here, in the dialect that the endpoint is known to speak."""
        body: dict[str, Any] = {
            "model": name,
            "messages": list(request.messages),
            "temperature": request.model["temperature"],
            self._length_field: request.model["max_tokens"],
        }
        if request.model["top_p"] != 1:
            body["top_p"] = request.model["top_p"]
        if request.seed is not None:
            body["seed"] = request.seed
        if request.schema is not None:
            body |= self._shape(request.schema)
        body |= extra_body or {}
        for part in self._left_out:
            body.pop(part, None)
        return body

    def _adapt(self, fault: Fault, request: Request) -> bool:
        """Speak the endpoint's dialect from now on, if its refusal says which part of the request it does not know."""
        if fault.status not in (400, 422):
            return False
        if self._length_field == "max_tokens" and "max_completion_tokens" in fault.reason:
            self._length_field = "max_completion_tokens"
            return True
        sent = self.body(request, "")
        for part in OPTIONAL:
            if part in sent and part in fault.reason:
                self._left_out.add(part)
                self._say(f"does not take `{part}` ({fault.reason}); it is left out from now on")
                return True
        return False

    async def _look(self) -> bool:
        """Whether the server is there: it has a list of models, or a word about why it gives none."""
        try:
            _, content = await self._transport.send("GET", "models", min(10.0, self._timeout))
            return isinstance(json.loads(content), dict)
        except Refused as error:
            return error.status < 500
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False

    def _pause(self, fault: Fault) -> float:
        if fault.retry_after > self._patience.longest_pause:
            raise ParleyError(
                f"endpoint {self.address}: asks to wait {fault.retry_after / 60:.0f} min ({fault.reason}); "
                "nothing is lost, run the same command again then"
            )
        if fault.retry_after > 60:
            self._say(f"asks to wait {fault.retry_after:.0f} s ({fault.reason}); waiting")
        return fault.retry_after

    def _wait(self, request: Request, failed: int) -> float:
        """Seconds before the next try: doubled each time, spread between a half and the whole."""
        spread = 0.5 + 0.5 * seed_from("wait", request.key, failed) / 0x7FFFFFFF
        return min(self._patience.longest_wait, self._patience.first_wait * 2.0 ** (failed - 1)) * spread

    def _note_silence(self, reply: Reply) -> None:
        """Say once that an endpoint does not count tokens: what its calls took cannot be known then."""
        if not reply.prompt_tokens and not reply.completion_tokens and not self._uncounted:
            self._uncounted = True
            self._say("gives no token counts; its tokens and costs count as 0")

    def _say(self, line: str) -> None:
        print(f"endpoint {self.address}: {line}", file=sys.stderr, flush=True)


def _told(failures: Sequence[str]) -> str:
    """All tries of a call in one line, the last one first."""
    last, others = failures[-1], [reason for reason in dict.fromkeys(failures) if reason != failures[-1]]
    return f"{last} ({len(failures)} tries{'; before: ' if others else ''}{'; '.join(others)})"


def reply_of(key: str, completion: Any, seconds: float) -> Reply:
    """The reply in a completion (its JSON). Raises `ValueError` for an answer that is not one."""
    try:
        choice, usage = completion["choices"][0], completion.get("usage") or {}
        message = choice["message"]
        refusal, content = message.get("refusal"), message.get("content") or ""
        details = usage.get("prompt_tokens_details") or {}
        return Reply(
            key=key,
            text=whole(refusal or content),
            finish_reason="refusal" if refusal else str(choice.get("finish_reason")),
            prompt_tokens=int(usage["prompt_tokens"]) if usage else 0,
            completion_tokens=int(usage["completion_tokens"]) if usage else 0,
            cached_tokens=int(details.get("cached_tokens") or 0),
            seconds=seconds,
        )
    except (AttributeError, LookupError, TypeError):
        raise ValueError("the answer is not a chat completion") from None
