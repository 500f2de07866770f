"""An endpoint: one address that speaks the OpenAI chat protocol, with retries, a limiter and plain reasons."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from parley.canonical import seed_from, whole
from parley.config import Model
from parley.errors import ParleyError
from parley.llm.call import CallFailed, Reply, Request
from parley.llm.faults import Fault, classify
from parley.llm.launch import Shape, response_format
from parley.llm.limiter import Limiter
from parley.llm.transport import Transport

#: Parts of a request that an endpoint may not know and that can be left out; the answer is checked all the same.
OPTIONAL = ("seed", "response_format")


@dataclass(frozen=True)
class Patience:
    """How long to go on after failures, in tries and seconds."""

    tries: int = 6  # of one call
    first_wait: float = 0.5  # doubled after each try
    longest_wait: float = 60.0
    dead_after_tries: int = 8  # refused in a row, by any calls, with no answer in between …
    dead_after: float = 10.0  # … over at least so many seconds


def api_key(model: Model) -> str | None:
    """The key from the model's variable. Raises `ParleyError` if the variable is named but empty or not set."""
    if model.api_key_env is None:
        return None
    if not (key := os.environ.get(model.api_key_env, "").strip()):
        raise ParleyError(f"model {model.name!r} needs a key: set the environment variable {model.api_key_env}")
    return key


class Endpoint:
    """One address. `send` may be called many times at once; the limiter decides how many calls are in flight."""

    def __init__(
        self,
        base_url: str | None,
        *,
        key: str | None = None,
        concurrency: int = 32,
        timeout: float = 120.0,
        patience: Patience = Patience(),
        remedy: str = "start the server, or correct base_url in the config",
        shape: Shape = response_format,
        local: bool = False,
    ) -> None:
        self.limiter = Limiter(concurrency)
        self._key = key
        self._timeout = timeout
        self._patience = patience
        self._remedy = remedy
        self._shape = shape
        self._left_out: set[str] = set()
        self._uncounted = False
        self._length_field = "max_tokens"
        self._unanswered: list[float] = []  # when tries failed to reach the server, since its last answer
        self._transport = Transport(base_url or "https://api.openai.com/v1", key, local)
        self.address = self._transport.base_url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def send(self, request: Request, name: str, extra_body: Mapping[str, Any] | None = None) -> Reply:
        """Ask the model called `name` here. Sampling is what `request.model` says.

        Raises `CallFailed` when the call is refused or has failed too often, and `ParleyError` when no call to this
        endpoint can succeed (no server, wrong key, unknown model, no credit).
        """
        failures: list[str] = []
        while True:
            async with self.limiter.slot() as number:
                outcome = await self._try(request, name, extra_body)
                if isinstance(outcome, Reply):
                    self._note_silence(outcome)
                    self.limiter.succeeded()
                    self._unanswered.clear()
                    return replace(outcome, retries=len(failures), failures=tuple(failures))
                if outcome.crowded:
                    self.limiter.turned_away(number, self._pause(outcome))
            self._watch(outcome)
            if outcome.hopeless:
                raise ParleyError(f"endpoint {self.address}: {outcome.reason}")
            if self._adapt(outcome, request):
                continue
            if not outcome.passing:
                raise CallFailed(request.key, outcome.reason)
            failures.append(outcome.reason)
            if len(failures) >= self._patience.tries:
                raise CallFailed(request.key, f"{outcome.reason} ({len(failures)} tries)")
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

    def _watch(self, fault: Fault) -> None:
        """Give up on an endpoint that nothing reaches, soon and with one line."""
        if not fault.unreached:
            self._unanswered.clear()
            return
        self._unanswered.append(time.monotonic())
        lasted = self._unanswered[-1] - self._unanswered[0]
        if len(self._unanswered) >= self._patience.dead_after_tries and lasted >= self._patience.dead_after:
            raise ParleyError(
                f"endpoint {self.address}: {len(self._unanswered)} tries in a row did not reach it ({fault.reason}); "
                f"{self._remedy}"
            )

    def _pause(self, fault: Fault) -> float:
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
