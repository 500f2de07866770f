"""Playing: the loop of SOTOPIA, one model call a turn, any number of episodes in flight."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from parley.canonical import seed_from
from parley.config import Play
from parley.llm.call import CallFailed
from parley.llm.speaker import Speaker
from parley.llm.structured import Unreadable, ask
from parley.many import each
from parley.records.episode import Action, Ending, Episode, Turn
from parley.records.task import Cast, Task
from parley.world.observation import Renderer
from parley.world.prompts import Prompt

SEATS: tuple[Literal[0], Literal[1]] = (0, 1)


@dataclass(frozen=True, slots=True)
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
    count = 0
    for turn in reversed(turns):
        seats = (turn.seat,) if rule == "acting" else SEATS[::-1]
        for seat in seats:
            if seat == turn.seat and turn.action.action_type != "none":
                return count
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
    task_id = part.task.id
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
                seed=seed_from(seed, task_id, part.cast, part.replicate, len(turns)),
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
        task_id=task_id,
        cast=part.cast,
        names=(people[0].name, people[1].name),
        players=(players[0][0], players[1][0]),
        replicate=part.replicate,
        turns=tuple(turns),
        ending=over,
        failure=failure,
    )


async def play_all(
    wanted: Iterable[Part],
    players: tuple[str, str],
    speakers: Mapping[str, Speaker],
    renderer: Renderer,
    retry: Prompt,
    seed: int,
    in_flight: int,
    on_episode: Callable[[int, Episode], None],
) -> None:
    """Play every part, `in_flight` at a time and none waiting for another.

    `on_episode` gets each episode as it ends, with its number in `wanted`; none is held here.
    """
    seated = [(name, speakers[name]) for name in players]

    async def play(part: Part) -> Episode:
        return await play_part(part, seated, renderer, retry, seed)

    await each(wanted, play, in_flight, on_episode)
