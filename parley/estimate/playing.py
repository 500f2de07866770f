"""The foresight of play: each episode as far as it is paid for, and what is likely to follow."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from parley.config import Seats
from parley.estimate.forecast import Calls, Range
from parley.estimate.known import Episodes
from parley.estimate.lengths import FRAME
from parley.estimate.paid import Missing
from parley.estimate.plan import Job
from parley.estimate.priors import Turns
from parley.estimate.stage import Stage, at_once
from parley.llm.speaker import Speaker
from parley.records.episode import Episode
from parley.records.task import Task
from parley.world.observation import Renderer
from parley.world.playing import Part, parts, play_part
from parley.world.prompts import prompt


@dataclass
class Replay:
    """Episodes that were played through, and for those that break off how many turns they had."""

    episodes: list[Episode] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    paid: dict[str, int] = field(default_factory=dict)


def play(job: Job, stage: Stage) -> list[Calls]:
    """The calls of rule `play`; the episodes that it will write become known as far as they are paid for."""
    first, _, second = job.wildcards["players"].partition("+")
    players, most = (first, second), stage.experiment.play.max_turns
    shard = stage.known.tasks(stage.known.layout.shard(job.wildcards["task_set"], job.wildcards["shard"]))
    replay = _replay(job, shard.tasks, players, stage)
    unwritten = shard.unknown * shard.casts * stage.experiment.play.replicates
    at_least = _at_least(job, shard.tasks, players, stage, len(replay.broken))
    stage.known.put_episodes(
        job.outputs[0], Episodes(replay.episodes, len(replay.broken) + unwritten, at_least + unwritten)
    )
    for episode in replay.episodes:
        stage.priors.seen(players, len(episode.turns))
    if not replay.broken and not unwritten:
        return [Calls(stage.experiment.model_name(name), paid=count) for name, count in replay.paid.items()]
    turns = stage.priors.turns(players)
    answers = _answers(replay.broken, unwritten, turns, most)
    words = words_of(players, stage)
    characters = stage.lengths.of_turns(shard.tasks, words)
    share_at_least = (at_least + unwritten) / (len(replay.broken) + unwritten)
    found = []
    for seat, player in enumerate(players):
        own = range(seat, most, 2)
        expected = sum(answers[turn] for turn in own)
        mean = sum(answers[turn] * characters[turn] for turn in own) / expected if expected else 0.0
        room = _room(replay.broken, unwritten, most, seat)
        calls = Range.about(expected, turns.margin)
        calls = Range(calls.low * share_at_least, calls.likely, max(expected, min(calls.high, room)))
        paid = replay.paid.pop(player, 0)
        found.append(stage.new_calls("episodes", player, paid, calls, mean))
    return found


def words_of(players: Seats, stage: Stage) -> tuple[float, float]:
    """How many characters of words an answer of each seat has."""

    def of(player: str) -> float:
        ratio = stage.priors.characters_per_token("episodes", player).value.likely
        return max(1.0, stage.priors.answer("episodes", player).value.likely * ratio - FRAME)

    return of(players[0]), of(players[1])


def _replay(job: Job, tasks: Sequence[Task], players: Seats, stage: Stage, *, former: bool = False) -> Replay:
    renderer = Renderer(
        prompt(stage.experiment.prompts.turn),
        stage.experiment.play,
        {task.name: task for task in tasks},
        stage.lengths.characters,
    )
    retry, found = prompt(stage.experiment.prompts.retry), Replay()
    wildcards = job.wildcards
    file = f"{wildcards['task_set']}/{wildcards['players']}/{wildcards['shard']}.sqlite"
    with stage.paid("episodes", file) as paid:
        speakers = {name: stage.speaker(name, paid, former=former) for name in dict.fromkeys(players)}
        seated = [(name, cast(Speaker, speakers[name])) for name in players]

        async def all_parts(wanted: Sequence[Part]) -> None:
            for part in wanted:
                before = sum(speaker.asked for speaker in speakers.values())
                try:
                    found.episodes.append(await play_part(part, seated, renderer, retry, stage.experiment.seed))
                except Missing:
                    found.broken.append(sum(speaker.asked for speaker in speakers.values()) - before - 1)

        at_once(all_parts(parts(tasks, stage.experiment.play.replicates)))
    found.paid = {name: speaker.replayed for name, speaker in speakers.items()}
    return found


def _at_least(job: Job, tasks: Sequence[Task], players: Seats, stage: Stage, likely: int) -> int:
    """Episodes that are new even if policies that are trained again come out as they are now."""
    open_ones = [name for name in players if stage.experiment.trained(name) and stage.policies.adapter(name) is None]
    if not open_ones or any(stage.policies.former(name) is None for name in open_ones):
        return likely
    return len(_replay(job, tasks, players, stage, former=True).broken)


def _answers(broken: Sequence[int], unwritten: float, turns: Turns, most: int) -> list[float]:
    """How many answers to expect for each turn number, from 0."""
    answers = [0.0] * most
    for start, count in [*Counter(broken).items(), (0, unwritten)]:
        for turn, share in enumerate(turns.still_to_come(start, most), start):
            answers[turn] += count * share
    return answers


def _room(broken: Sequence[int], unwritten: float, most: int, seat: int) -> float:
    """The most answers that a seat can give."""
    return sum(len(range(start + (start % 2 != seat), most, 2)) for start in broken) + unwritten * len(
        range(seat, most, 2)
    )
