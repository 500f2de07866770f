"""A publication: episodes and ratings of ours in the format of SOTOPIA's published ones.

An import of it gives back exactly what went out, for any episode and its ratings by one judge.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from parley.errors import ParleyError
from parley.exchange.comments import as_comments
from parley.exchange.context import background, context
from parley.exchange.episodes import IMPORTED, World
from parley.exchange.prose import as_prose
from parley.exchange.released import Beside, Line, Rated, messages_of, turns_in
from parley.exchange.rewards import as_reward, marks_in
from parley.exchange.sotopia.goal import written_goal
from parley.records.character import Character
from parley.records.episode import Episode
from parley.records.published import published
from parley.records.rating import Rating
from parley.records.task import Task


def export_episodes(
    path: str | Path, episodes: Iterable[Episode], ratings: Iterable[Rating], world: World, tag: str = "parley"
) -> int:
    """Write episodes with their ratings as a published file, and return how many.

    `world` needs tasks and characters: the format repeats of them what it needs. `tag` is the experiment's name. An
    episode without ratings gets the rewards of a failed judge. Raises `ParleyError` for an episode whose task or cast is
    not there, and for ratings by several judges or of no episode here, since a line has one judge.
    """
    by_episode: dict[str, list[Rating]] = {}
    for rating in ratings:
        by_episode.setdefault(rating.episode, []).append(rating)
    count = 0
    with published(Path(path)) as part, part.open("w", encoding="ascii", newline="\n") as file:
        for episode in episodes:
            line = line_of(episode, by_episode.pop(episode.id, []), world, tag)
            file.write(json.dumps(line) + "\n")
            count += 1
        if by_episode:
            raise ParleyError(
                f"{len(by_episode)} episodes are rated but not given, {next(iter(by_episode))} for one; give them too"
            )
    return count


def line_of(episode: Episode, ratings: Sequence[Rating], world: World, tag: str = "parley") -> dict[str, Any]:
    """The published line of an episode. Raises as `export_episodes`."""
    judges = sorted({rating.judge for rating in ratings})
    if len(judges) > 1 or len({rating.seat for rating in ratings}) < len(ratings):
        raise ParleyError(f"episode {episode.id} is rated more than once (by {', '.join(judges)}); name one judge")
    task, people = _known(episode, world)
    theirs = {ours: id_ for id_, ours in world.ids.items()}
    seats = {rating.seat: rating for rating in ratings}
    marks = [seats[seat].marks if seat in seats else None for seat in (0, 1)]
    reasons = [None if given is None else {key: mark.reasoning for key, mark in given.items()} for given in marks]
    rewards = [as_reward(seats.get(seat)) for seat in (0, 1)]
    done = [(turn.speaker, turn.action) for turn in episode.turns]
    line: dict[str, Any] = {
        "episode_id": _published_id(episode),
        "environment_id": theirs.get(episode.task, episode.task),
        "agent_ids": [theirs.get(one, one) for one in episode.cast],
        "experiment_tag": tag,
        "experiment_model_name_pairs": [*(judges or [""]), *episode.players],
        "raw_messages": messages_of(episode.turns, episode.names, [context(task, people, seat) for seat in (0, 1)]),
        "raw_rewards": rewards,
        "raw_rewards_prompt": "",
        "scenario": task.scenario,
        "codename": task.name,
        "agents_background": {person.name: background(person) for person in people},
        "social_goals": {person.name: written_goal(goal) for person, goal in zip(people, task.goals, strict=True)},
        "social_interactions": "\n\n".join(
            "" if act.action_type == "none" else f"{who}{'' if act.action_type == 'speak' else ':'} {as_prose(act)}"
            for who, act in done
        ),
        "reasoning": as_comments(episode.ending, episode.turns[-1].seat if episode.turns else 0, reasons),
        "rewards": rewards,
    }
    return {**line, "parley": _beside(episode, ratings, line).model_dump(mode="json", exclude_none=True)}


def _known(episode: Episode, world: World) -> tuple[Task, tuple[Character, Character]]:
    tasks, characters = world.tasks or {}, world.characters or {}
    if episode.task not in tasks:
        raise ParleyError(f"episode {episode.id}: no task is called {episode.task!r}; give the file of its tasks")
    if episode.task_id not in ("", tasks[episode.task].id):
        raise ParleyError(
            f"episode {episode.id} was played with another version of the task {episode.task!r}; give the file of that one"
        )
    for one in episode.cast:
        if one not in characters:
            raise ParleyError(f"episode {episode.id}: no character has the id {one!r}; give the file of its characters")
    return tasks[episode.task], (characters[episode.cast[0]], characters[episode.cast[1]])


def _published_id(episode: Episode) -> str:
    """The id that the episode was published with, if it was imported; else its own."""
    call = episode.turns[0].call if episode.turns else ""
    return call.removeprefix(IMPORTED) if call.startswith(IMPORTED) else episode.id


def _beside(episode: Episode, ratings: Sequence[Rating], line: Mapping[str, Any]) -> Beside:
    """What the line alone would not give back."""
    bare = Line.model_validate(json.loads(json.dumps(line)))
    told, _ = turns_in(bare, episode.names, "")
    acts = [(turn.seat, turn.speaker, turn.action) for turn in episode.turns]
    same = acts == [(turn.seat, turn.speaker, turn.action) for turn in told]
    return Beside(
        task_id=episode.task_id,
        replicate=episode.replicate,
        ending=episode.ending,
        failure=episode.failure,
        calls=tuple((turn.call, turn.attempts, turn.repaired) for turn in episode.turns) if same else (),
        turns=None if same else episode.turns,
        ratings=tuple(_rated(rating, bare) for rating in ratings),
    )


def _rated(rating: Rating, bare: Line) -> Rated:
    same = rating.marks is not None and list(marks_in(bare, rating.seat)[0].items()) == list(rating.marks.items())
    return Rated(
        seat=1 if rating.seat else 0,
        call=rating.call,
        failure=rating.failure,
        marks=None if same else rating.marks,
    )
