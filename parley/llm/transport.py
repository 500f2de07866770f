"""The wire under an endpoint: a JSON question posted, a JSON answer or the reason why there is none.

aiohttp alone: a client library's own work (typed parameters, validated answers) costs several times the call.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

JSON = {"Content-Type": "application/json"}


class Refused(Exception):
    """The server answered with an error. `body` is its JSON if it is some, else its text."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str], phrase: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.headers = headers
        self.phrase = phrase


class Transport:
    """Connections to one address. `local`: a server on this machine, which is never asked for through a proxy."""

    def __init__(self, base_url: str, key: str | None, local: bool = False) -> None:
        self.base_url = base_url.rstrip("/") + "/"
        self._headers = {
            "Accept": "application/json",
            # Some servers insist on a key, whichever.
            "Authorization": f"Bearer {key or 'none'}",
            "User-Agent": "parley",
        }
        self._local = local
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: Mapping[str, Any], timeout: float) -> Any:
        """The JSON answer to a JSON `body`, within `timeout` seconds. Raises as `send`, and `ValueError` for no JSON."""
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        kind, content = await self.send("POST", path, timeout, data=data)
        return json.loads(content) if kind == "application/json" else _loads_or_text(content)

    async def send(
        self,
        method: str,
        path: str,
        timeout: float,
        *,
        data: bytes | aiohttp.FormData | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[str, bytes]:
        """The kind and the content of the answer to any question; `data` is JSON, or a form that brings its own kind.

        Raises `Refused`, `TimeoutError`, and aiohttp's `ClientError` for a connection that breaks or does not come
        about.
        """
        headers = JSON if isinstance(data, bytes) else None
        asking = self._open().request(method, self.base_url + path, data=data, params=query, headers=headers)
        async with asyncio.timeout(timeout), asking as answer:
            content = await answer.read()
        if answer.status >= 400:
            raise Refused(answer.status, _loads_or_text(content), answer.headers, answer.reason or "")
        return answer.content_type, content

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                # How many there are is the limiter's business, how long one may take the timeout's.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Not `trust_env`: that asks the environment again for every call, each time in a thread.
                proxy=None if self._local else proxy_for(self.base_url),
            )
        return self._session


def proxy_for(url: str) -> str | None:
    """The proxy through which the environment (`HTTPS_PROXY`, `NO_PROXY` and their like) sends calls to `url`."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    known = getproxies()
    return known.get(parts.scheme) or known.get("all")


def _loads_or_text(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
