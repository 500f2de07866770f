"""Playing: the loop of SOTOPIA, one model call a turn, any number of episodes in flight."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from parley.canonical import seed_from
from parley.config import Play
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from parley.llm.structured import Unreadable, ask
from parley.records.episode import Action, Ending, Episode, Turn
from parley.records.task import Cast, Task
from parley.world.observation import Renderer
from parley.world.prompts import Prompt

SEATS: tuple[Literal[0], Literal[1]] = (0, 1)


@dataclass(frozen=True)
class Part:
    """One episode that is to be played."""

    task: Task
    cast: Cast
    replicate: int


def parts(tasks: Iterable[Task], replicates: int) -> list[Part]:
    """Every episode of some tasks: task by task, cast by cast, replicate by replicate."""
    return [Part(task, cast, replicate) for task in tasks for cast in task.casts for replicate in range(replicates)]


def silent_in_a_row(turns: Sequence[Turn], rule: Literal["acting", "legacy"]) -> int:
    """How many silent acts the episode ends on.

    `acting` counts the acts of the seat whose turn it was. `legacy` counts, as sotopia v0.0.10 did, the masked silence
    of the waiting seat too, both seats a turn in seat order; there one silent act of the second agent right after the
    first one spoke is three in a row, while one of the first agent is two.
    """
    log: list[bool] = []
    for turn in turns:
        silent = turn.action.action_type == "none"
        log += [silent] if rule == "acting" else [silent if turn.seat == seat else True for seat in SEATS]
    count = 0
    for quiet in reversed(log):
        if not quiet:
            break
        count += 1
    return count


def ending(turns: Sequence[Turn], play: Play) -> Ending | None:
    """How the episode has ended after `turns`, or None if it goes on."""
    if turns and turns[-1].action.action_type == "leave":
        return "left"
    if len(turns) >= play.max_turns:
        return "turns"
    if turns and silent_in_a_row(turns, play.stale_rule) > play.max_silence:
        return "silence"
    return None


def fault_in(action: Action) -> str | None:
    """What is wrong with an action of the right form; None if nothing."""
    if action.action_type in ("none", "leave"):
        return None
    if not action.argument.strip():
        return f"the action {action.action_type!r} needs an argument that is not empty"
    return None


def settled(action: Action) -> Action:
    """The action with spaces folded, and without words where the action has none."""
    words = "" if action.action_type in ("none", "leave") else " ".join(action.argument.split())
    return Action(action_type=action.action_type, argument=words)


async def play_part(
    part: Part, players: Sequence[tuple[str, Speaker]], renderer: Renderer, retry: Prompt, seed: int
) -> Episode:
    """Play one episode. A call that fails for good ends it as failed, with the reason; no turn is made up."""
    people, page = renderer.people(part.cast), renderer.page(part.task, part.cast)
    turns: list[Turn] = []
    over: Ending | None = None
    failure = None
    while over is None:
        seat = SEATS[len(turns) % 2]
        try:
            answer = await ask(
                players[seat][1],
                page.messages(turns, seat),
                Action,
                retry=lambda _, fault: retry.render(fault=fault),
                seed=seed_from(seed, part.task.id, part.cast, part.replicate, len(turns)),
                replicate=part.replicate,
                check=fault_in,
            )
        except (CallFailed, Unreadable) as error:
            over, failure = "failed", f"seat {seat}, turn {len(turns) + 1}: {error.reason}"
            break
        turns.append(
            Turn(
                seat=seat,
                speaker=people[seat].name,
                action=settled(answer.value),
                call=answer.reply.key,
                attempts=answer.attempts,
                repaired=answer.repaired,
            )
        )
        over = ending(turns, renderer.play)
    return Episode(
        task=part.task.name,
        task_id=part.task.id,
        cast=part.cast,
        names=(people[0].name, people[1].name),
        players=(players[0][0], players[1][0]),
        replicate=part.replicate,
        turns=tuple(turns),
        ending=over,
        failure=failure,
    )


async def play_all(
    wanted: Sequence[Part],
    players: tuple[str, str],
    speakers: Mapping[str, Speaker],
    renderer: Renderer,
    retry: Prompt,
    seed: int,
    in_flight: int,
    on_episode: Callable[[Episode], None] = lambda episode: None,
) -> list[Episode]:
    """Play every part, `in_flight` at a time and none waiting for another; episodes come back in the order of `wanted`."""
    seated = [(name, speakers[name]) for name in players]
    played: list[Episode | None] = [None] * len(wanted)
    queue = iter(enumerate(wanted))

    async def work() -> None:
        for index, part in queue:
            episode = await play_part(part, seated, renderer, retry, seed)
            played[index] = episode
            on_episode(episode)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, len(wanted))):
            group.create_task(work())
    return [episode for episode in played if episode is not None]
