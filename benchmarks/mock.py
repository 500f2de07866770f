"""A model server that answers after a fixed time, in a process of its own, and counts what is in flight.

`python -m benchmarks.mock --latency 0.05 --leave 0.08`. It speaks `/v1/chat/completions`; `/stats` says what it saw.
An agent is answered with an action that is valid for Parley and for sotopia.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web

WORDS = (
    "I hear you, and I would like us both to be glad of this tomorrow. What if we settle on {} and share the rest "
    "between us? Tell me what matters most to you."
)


def action(content: str, seed: int, leave: float) -> str:
    """The answer to a prompt: words that differ from prompt to prompt, or with chance `leave` the end of the talk."""
    number = zlib.crc32(content.encode(), seed & 0xFFFFFFFF)
    if number % 10_000 < leave * 10_000:
        return '{"action_type": "leave", "argument": ""}'
    return json.dumps({"action_type": "speak", "argument": WORDS.format(number)})


class Mock:
    """The handler, and the time integral of the calls in flight from the first arrival to the last answer."""

    def __init__(self, latency: float, leave: float) -> None:
        self._latency, self._leave = latency, leave
        self._calls = self._characters = self._flying = self._most = 0
        self._area = 0.0
        self._first = self._last = 0.0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/stats":
            return web.json_response(self.stats())
        body = await request.read()
        self._move(1)
        asked = json.loads(body)
        content = asked["messages"][-1]["content"]
        self._characters += sum(len(message["content"]) for message in asked["messages"])
        text = action(content, asked.get("seed") or 0, self._leave)
        answer = {
            "id": f"call-{self._calls}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": asked["model"],
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
            ],
            "usage": {
                "prompt_tokens": len(content) // 4,
                "completion_tokens": len(text) // 4,
                "total_tokens": (len(content) + len(text)) // 4,
            },
        }
        if self._latency:
            await asyncio.sleep(self._latency)
        self._move(-1)
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")

    def _move(self, step: int) -> None:
        now = time.perf_counter()
        self._first = self._first or now
        self._area += self._flying * (now - (self._last or now))
        self._last = now
        self._flying += step
        self._most = max(self._most, self._flying)
        self._calls += step > 0

    def stats(self) -> dict[str, float]:
        """Calls, characters a prompt, mean and most calls in flight, and seconds from first arrival to last answer."""
        span = self._last - self._first
        return {
            "calls": self._calls,
            "characters": self._characters / max(1, self._calls),
            "mean": self._area / span if span else 0.0,
            "most": self._most,
            "seconds": span,
        }


class Running:
    """A mock that runs in another process, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        """What it saw so far."""
        with urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/stats", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextmanager
def running(latency: float, leave: float = 0.0) -> Iterator[Running]:
    """Start a mock on a free loopback port; it ends with the block."""
    command = [sys.executable, "-m", "benchmarks.mock", "--latency", str(latency), "--leave", str(leave)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Running(process.stdout.readline().strip())
        finally:
            process.terminate()


async def serve(latency: float, leave: float) -> None:
    """Serve until the process is ended; the first line on stdout is the address."""
    server = web.Server(Mock(latency, leave))  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds from question to answer")
    parser.add_argument("--leave", type=float, default=0.0, help="chance that an answer ends the talk")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options.latency, options.leave))


if __name__ == "__main__":
    main()
