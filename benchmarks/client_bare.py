"""The floor: the same number of calls of the same size with nothing around them, by aiohttp or by the openai client."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.gauge import Gauge

Ask = Callable[[list[dict[str, str]]], Awaitable[Any]]


async def aiohttp_asks(url: str, stack: AsyncExitStack) -> Ask:
    """One POST and the JSON of its answer."""
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

    async def ask(messages: list[dict[str, str]]) -> Any:
        body = {"model": "agent", "messages": messages, "temperature": 1.0, "max_tokens": 1024}
        async with session.post(f"{url}/chat/completions", json=body) as answer:
            return (await answer.json())["choices"][0]["message"]["content"]

    return ask


async def openai_asks(url: str, stack: AsyncExitStack) -> Ask:
    """The openai client as its documentation has it for many calls at once: on aiohttp."""
    import openai

    client = await stack.enter_async_context(
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=openai.DefaultAioHttpClient())
    )

    async def ask(messages: list[dict[str, str]]) -> Any:
        answer = await client.chat.completions.create(
            model="agent",
            messages=messages,  # type: ignore[arg-type]
            temperature=1.0,
            max_tokens=1024,
        )
        return answer.choices[0].message.content

    return ask


CLIENTS = {"aiohttp": aiohttp_asks, "openai": openai_asks}


async def loop(client: str, url: str, width: int, episodes: int, turns: int, characters: int) -> None:
    """`width` lines of calls, each call right after the other, until all episodes' calls are made."""
    async with AsyncExitStack() as stack:
        ask = await CLIENTS[client](url, stack)
        waiting = iter(range(episodes * turns))
        prompt = "A word or two. " * (characters // 15)

        async def line() -> None:
            for number in waiting:
                json.loads(await ask([{"role": "user", "content": f"{prompt}{number}"}]))

        gauge = Gauge()
        await asyncio.gather(*(line() for _ in range(width)))
        gauge.report(episodes=episodes, client=client)


def main() -> None:
    """Make `--episodes` × `--turns` calls, `--width` at a time, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--client", choices=CLIENTS, default="aiohttp")
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--characters", type=int, default=3200, help="of a prompt")
    asked = parser.parse_args()
    asyncio.run(loop(asked.client, asked.url, asked.width, asked.episodes, asked.turns, asked.characters))


if __name__ == "__main__":
    main()
