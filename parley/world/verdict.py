"""A verdict: what a judge answers about one episode, in one call, or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from parley.canonical import seed_from
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from parley.llm.structured import Answer, Unreadable, ask
from parley.records.episode import Episode
from parley.world.prompts import Prompt

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class NoVerdict:
    """Why there is none, and the last call; no call for an episode that failed, which nobody is asked about."""

    reason: str
    call: str = ""


async def verdict_on(
    episode: Episode,
    judge: Speaker,
    text: Callable[[], str],
    form: type[T],
    fault: Callable[[T], str | None],
    retry: Prompt,
    seed: int,
    doing: str,
    replicate: int = 0,
) -> Answer[T] | NoVerdict:
    """The judge's answer of this `form` to `text`. One with a `fault` is asked for once more.

    `doing` (rating, judging) begins the reason of a failure; `replicate` tells wanted repetitions of a call apart.
    """
    if episode.failed:
        return NoVerdict(f"episode failed: {episode.failure}")
    try:
        return await ask(
            judge,
            [{"role": "user", "content": text()}],
            form,
            retry=lambda _, wrong: retry.render(fault=wrong),
            seed=seed_from(seed, episode.id),
            replicate=replicate,
            check=fault,
        )
    except (CallFailed, Unreadable) as failure:
        return NoVerdict(f"{doing} failed: {failure.reason}", failure.key)
