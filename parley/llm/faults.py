"""What went wrong with one try of a call, and what that means for the next."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from parley.llm.transport import Refused


@dataclass(frozen=True)
class Fault:
    """One failed try. `reason` is one line without secrets."""

    reason: str
    status: int | None = None  # of the HTTP answer, if there was one
    passing: bool = False  # may be gone at the next try
    crowded: bool = False  # turned away for lack of room
    unreached: bool = False  # no connection came about
    hopeless: bool = False  # no call to this endpoint can succeed
    retry_after: float = 0.0  # seconds


def classify(error: Exception, key: str | None, timeout: float) -> Fault:
    """The fault behind an exception of the client. An exception that is not about the call is raised again."""
    if isinstance(error, Refused):
        return _refused(error, key)
    if isinstance(error, TimeoutError):
        return Fault(f"no answer within {timeout:g} s", passing=True)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return Fault("this is not an http address; correct base_url in the config", hopeless=True)
    if isinstance(error, aiohttp.ClientError | OSError):
        return _broken(error)
    if isinstance(error, ValueError):
        return Fault(redact(f"unreadable answer: {_line(str(error))}", key), passing=True)
    raise error


def redact(text: str, key: str | None) -> str:
    """`text` without the key, should a server repeat it."""
    return text.replace(key, "***") if key else text


def _refused(error: Refused, key: str | None) -> Fault:
    status = error.status
    code = _inner(error.body).get("code")
    reason = redact(f"HTTP {status}: {_message(error)}", key)
    return Fault(
        reason=reason,
        status=status,
        passing=status in (408, 409, 429) or status >= 500,
        crowded=status in (429, 503),
        hopeless=status in (401, 404) or code == "insufficient_quota",
        retry_after=_retry_after(error) if status in (429, 503) else 0.0,
    )


def _message(error: Refused) -> str:
    """The server's own words, in one line of at most 300 characters."""
    body = error.body
    if isinstance(body, dict):
        body = _inner(body).get("message") or body.get("error", body)
    text = str(body) if body else error.phrase
    return _line(text) or "no reason given"


def _inner(body: Any) -> dict[str, Any]:
    """What stands under `error` in the protocol's form; the body itself where a server leaves that out."""
    inner = body.get("error", body) if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def _broken(error: Exception) -> Fault:
    """A connection that did not come about, or broke. The error or its cause tells which."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    names = {base.__name__ for cause in causes for base in type(cause).__mro__}
    deepest = _line(str(causes[-1])) or type(causes[-1]).__name__
    if names & {"ClientConnectorError", "ConnectionRefusedError", "gaierror"}:
        return Fault(f"no connection: {deepest}", passing=True, unreached=True)
    return Fault(f"connection broken: {deepest}", passing=True)


def _retry_after(error: Refused) -> float:
    """Seconds that the server asks to wait, as a number or until a date; 0 if it does not say."""
    headers = error.headers
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        if not (value := headers.get("retry-after")):
            return 0.0
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
