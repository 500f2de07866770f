"""Episodes and ratings of ours from SOTOPIA's published ones.

Everything that both can hold comes in. What ours cannot hold is told as a note, with the lines it is about.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parley.canonical import digest
from parley.errors import ParleyError
from parley.exchange.comments import comments_on, ending_in
from parley.exchange.released import Beside, Fault, Line, Rated, lines, names_in, turns_in
from parley.exchange.rewards import Unrated, marks_in
from parley.records.character import Character
from parley.records.episode import Ending, Episode, Turn
from parley.records.rating import Rating
from parley.records.task import Cast, Task
from parley.world.rating import seat_of

#: Before the id of the published episode, in place of a ledger key: nobody here has made the call.
IMPORTED = "imported:"


@dataclass(frozen=True)
class World:
    """What the ids of a file mean: `ids` from theirs to ours, where they differ; then tasks by name, characters by id.

    Where tasks or characters are not given, their ids are taken as they are and nothing is checked.
    """

    tasks: Mapping[str, Task] | None = None
    characters: Mapping[str, Character] | None = None
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Imported:
    """What a file gave: episodes, ratings (failed ones with the reason), and notes with the lines that each is about."""

    episodes: list[Episode] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)
    notes: dict[str, list[int]] = field(default_factory=dict)
    passed_over: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, number: int, what: str) -> None:
        """Remember that line `number` has something that ours cannot hold."""
        self.notes.setdefault(what, []).append(number)


def import_episodes(
    path: str | Path,
    world: World,
    only: tuple[str, str] | None = None,
    renamed: Mapping[str, str] | None = None,
    on_fault: Callable[[int, str, Fault], None] | None = None,
) -> Imported:
    """The episodes and ratings of a published file, in its order.

    `only` are the models in seat order whose episodes are wanted; others are counted in `passed_over`. `renamed` gives
    models (and the judge) their names in the config. A line that cannot be read is given, with its number and text, to
    `on_fault`, and raises `ParleyError` if there is none. Episodes of the same task, cast and players are replicates in
    the order of the file.
    """
    path = Path(path)
    found = Imported()
    reader = _Reader(world, renamed or {}, found)
    for number, text, line in lines(path):
        try:
            if isinstance(line, Fault):
                raise line
            if only and (pair := line.experiment_model_name_pairs[1:]) != only:
                found.passed_over[pair] += 1
                continue
            reader.read(number, text, line)
        except Fault as fault:
            if on_fault is None:
                raise ParleyError(f"{path}:{number}: {fault.what}; {fault.remedy}") from None
            on_fault(number, text, fault)
    return found


class _Reader:
    """Reads line after line into `found`."""

    def __init__(self, world: World, renamed: Mapping[str, str], found: Imported) -> None:
        self._world = world
        self._renamed = renamed
        self._found = found
        self._replicates = Counter[tuple[str, Cast, tuple[str, str]]]()
        self._episodes: dict[str, Episode] = {}
        self._lines: dict[tuple[str, str], tuple[int, str]] = {}

    def read(self, number: int, text: str, line: Line) -> None:
        """Add what line `number` gives. Raises `Fault`, and has then added nothing."""
        judge, first, second = (self._renamed.get(name, name) for name in line.experiment_model_name_pairs)
        same = self._lines.get((line.episode_id, judge))
        content = digest(text.strip())
        if same and same[1] == content:
            self._found.note(number, "an episode that is in the file twice; it is here once")
            return
        episode, notes = self._episode(line, (first, second))
        if same or self._episodes.get(line.episode_id, episode) != episode:
            before = same[0] if same else next(n for (pk, _), (n, _) in self._lines.items() if pk == line.episode_id)
            raise Fault(f"line {before} has the same episode_id {line.episode_id!r} and another content")
        ratings, more = _ratings(line, episode, judge)
        if line.episode_id not in self._episodes:
            self._found.episodes.append(episode)
            if line.parley is None:
                self._replicates[episode.task, episode.cast, episode.players] += 1
        self._episodes[line.episode_id] = episode
        self._lines[line.episode_id, judge] = (number, content)
        self._found.ratings += ratings
        for what in dict.fromkeys([*notes, *more]):
            self._found.note(number, what)

    def _episode(self, line: Line, players: tuple[str, str]) -> tuple[Episode, list[str]]:
        task, cast, names = self._places(line)
        turns, notes = turns_in(line, names, IMPORTED + line.episode_id)
        speakers = (names[0].strip(), names[1].strip())
        known = self._world.tasks[task].id if self._world.tasks is not None else ""
        if (beside := line.parley) is not None:
            if beside.task_id != known and self._world.tasks is not None:
                notes.append("that it was played with another version of the task")
            return Episode(
                task=task,
                task_id=beside.task_id,
                cast=cast,
                names=speakers,
                players=players,
                replicate=beside.replicate,
                turns=_called(turns, beside),
                ending=beside.ending,
                failure=beside.failure,
            ), notes
        if not turns:
            raise Fault("nobody does anything in it")
        ending, why = _ending(line, turns)
        before = self._episodes.get(line.episode_id)
        episode = Episode(
            task=task,
            task_id=known,
            cast=cast,
            names=speakers,
            players=players,
            replicate=before.replicate if before else self._replicates[task, cast, players],
            turns=tuple(turns),
            ending=ending,
        )
        return episode, [*notes, *why, *_without_place(line, known=bool(known))]

    def _places(self, line: Line) -> tuple[str, Cast, tuple[str, str]]:
        """The task, the cast, and the names in the messages in the order of the cast."""
        world = self._world
        task, first, second = (world.ids.get(one, one) for one in (line.environment_id, *line.agent_ids))
        remedy = "import the profiles that it was played with, map the id to one of yours, or delete the line"
        if world.tasks is not None and task not in world.tasks:
            raise Fault(f"no task is known for the environment_id {line.environment_id!r}", remedy)
        names = names_in(line)
        if world.characters is None:
            return task, (first, second), names
        for theirs, ours in zip(line.agent_ids, (first, second), strict=True):
            if ours not in world.characters:
                raise Fault(f"no character is known for the agent id {theirs!r}", remedy)
        wanted = (world.characters[first].name, world.characters[second].name)
        for order in (names, names[::-1]):
            if (order[0].strip(), order[1].strip()) == wanted:
                return task, (first, second), order
        raise Fault(f"its agents are {' and '.join(wanted)} by id, {' and '.join(names)} by name", remedy)


def _called(turns: Sequence[Turn], beside: Beside) -> tuple[Turn, ...]:
    if beside.turns is not None:
        return beside.turns
    if len(turns) != len(beside.calls):
        raise Fault(f"parley.calls are {len(beside.calls)}, its turns {len(turns)}", "export the episode again")
    return tuple(
        turn.model_copy(update={"call": call, "attempts": attempts, "repaired": repaired})
        for turn, (call, attempts, repaired) in zip(turns, beside.calls, strict=True)
    )


def _ending(line: Line, turns: Sequence[Turn]) -> tuple[Ending, list[str]]:
    last = turns[-1].action.action_type
    if last == "leave":
        return "left", []
    if (told := ending_in(line.reasoning or "")) is not None:
        return told, []
    return ("silence" if last == "none" else "turns"), ["how it ended: it does not say; taken from its last turn"]


def _without_place(line: Line, known: bool) -> list[str]:
    """The keys that say something which ours cannot hold; a task that is `known` stands for its codename."""
    said = {"experiment_tag": line.experiment_tag, "raw_rewards_prompt": line.raw_rewards_prompt}
    if not known:
        said["codename"] = line.codename
    return [
        f"{key}, which has no place here" for key in (*(key for key in said if said[key]), *(line.model_extra or ()))
    ]


def _ratings(line: Line, episode: Episode, judge: str) -> tuple[list[Rating], list[str]]:
    """The ratings of both seats, or of those that were rated."""
    call = IMPORTED + line.episode_id
    rated = line.parley.ratings if line.parley is not None else (Rated(seat=0, call=call), Rated(seat=1, call=call))
    notes: list[str] = []
    ratings: list[Rating] = []
    for one in rated:
        marks, failure = one.marks, one.failure
        if marks is None and failure is None:
            try:
                marks, more = marks_in(line, one.seat)
                notes += more
            except Unrated as error:
                failure = f"rating failed: {error}"
                if comments_on(line.reasoning or "", one.seat).strip():
                    notes.append("what the judge said of a seat that has no scores")
        ratings.append(Rating(**seat_of(episode, one.seat), judge=judge, call=one.call, marks=marks, failure=failure))
    return ratings, notes
