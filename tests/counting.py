"""A playhouse in a process of its own that counts what it is asked: what a run really cost, whoever was killed.

`python -m tests.counting --delay 0.05` prints its port and serves until its standard input ends.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from aiohttp import web

from parley.playhouse.server import application
from tests.builders import ROOT


class Tally:
    """What a counting server was asked. `twice` counts answers to requests that were answered before."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def read(self) -> dict[str, int]:
        """`answered`, `twice` and `in_flight`, as they are now."""
        with urllib.request.urlopen(f"{self.base_url}/tally", timeout=30) as answer:
            found: dict[str, int] = json.load(answer)
        return found

    def answer_after(self, seconds: float) -> None:
        """Let answers take so long from now on, those to calls in flight too."""
        urllib.request.urlopen(f"{self.base_url}/delay/{seconds}", timeout=30).close()


@contextmanager
def counting(delay: float = 0.05) -> Iterator[Tally]:
    """A counting server for the length of the block, which takes `delay` seconds for an answer."""
    command = [sys.executable, "-m", "tests.counting", "--delay", str(delay)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield Tally(f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        finally:
            process.kill()


def counted(delay: float) -> web.Application:
    """The playhouse's server, slowed down, with `/v1/tally` and `/v1/delay/SECONDS`."""
    asked: Counter[bytes] = Counter()
    in_flight = 0
    clock = asyncio.get_running_loop().time

    @web.middleware
    async def count(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
        nonlocal in_flight
        start = clock()
        if not request.path.endswith("/chat/completions"):
            return await handler(request)
        # An endpoint charges for what it answers, also if nobody waits for it any more.
        asked[sha256(await request.read()).digest()] += 1
        in_flight += 1
        try:
            while (left := start + delay - clock()) > 0:
                await asyncio.sleep(min(left, 0.1))
            return await handler(request)
        finally:
            in_flight -= 1

    async def tally(_: web.Request) -> web.Response:
        total = asked.total()
        return web.json_response({"answered": total, "twice": total - len(asked), "in_flight": in_flight})

    async def change(request: web.Request) -> web.Response:
        nonlocal delay
        delay = float(request.match_info["seconds"])
        return web.json_response({})

    app = application()
    app.middlewares.append(count)
    app.router.add_get("/v1/tally", tally)
    app.router.add_get("/v1/delay/{seconds}", change)
    return app


async def serve(delay: float) -> None:
    """Serve until standard input ends."""
    runner = web.AppRunner(counted(delay), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[attr-defined]
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05)
    asyncio.run(serve(parser.parse_args().delay))
