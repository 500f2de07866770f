"""An episode: one play of a task by two players, turn by turn, with how it ended."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from parley.canonical import canonical_json, digest
from parley.errors import ParleyError
from parley.records.jsonl import CUT_OFF, Record
from parley.records.task import Cast, Task

ActionType = Literal["none", "speak", "non-verbal communication", "action", "leave"]
ACTION_TYPES: tuple[ActionType, ...] = get_args(ActionType)

#: left: someone left; silence: too many silent turns in a row; turns: the limit; failed: a call failed for good.
Ending = Literal["left", "silence", "turns", "failed"]


class Action(Record):
    """What an agent does in a turn. `argument` is the utterance, the gesture or the deed; empty for none and leave."""

    action_type: ActionType
    argument: str

    def as_json(self) -> str:
        """The answer text that stands for the action, in play and as the target of training."""
        return f'{{"action_type": {canonical_json(self.action_type)}, "argument": {canonical_json(self.argument)}}}'


class Turn(Record):
    """One action with where it came from.

    `call` is the ledger key of the model call that gave it, or `imported:` and the id of the published episode that it
    was imported from; `attempts` counts the calls made until one could be read (1 = the first); `repaired` says that
    the text had to be mended by rule first.
    """

    seat: Literal[0, 1]
    speaker: str
    action: Action
    call: str
    attempts: int = 1
    repaired: bool = False


class Episode(Record):
    """A play of `task` by `players` (names of policies or models, in seat order) as the characters of `cast`."""

    task: str
    task_id: str
    cast: Cast
    names: tuple[str, str]
    players: tuple[str, str]
    replicate: int = 0
    turns: tuple[Turn, ...] = ()
    ending: Ending
    failure: str | None = Field(default=None, description="why a failed episode failed: the seat, the turn, the reason")

    @property
    def id(self) -> str:
        """Sixteen hex digits over task, cast, players, replicate and everything that was done."""
        acts = [[turn.seat, turn.action.action_type, turn.action.argument] for turn in self.turns]
        return digest([self.task, self.task_id, self.cast, self.players, self.replicate, acts, self.ending], 16)

    @property
    def failed(self) -> bool:
        """True if a call failed for good: such an episode is kept, counted and shown, but never rated or learned from."""
        return self.ending == "failed"


def check_complete(path: str | Path, episodes: Iterable[Episode], tasks: Iterable[Task], replicates: int) -> None:
    """Raise `ParleyError` if a file of episodes lacks one that its tasks ask for: it was cut off at the end of a line."""
    wanted = {(task.name, cast, number) for task in tasks for cast in task.casts for number in range(replicates)}
    missing = wanted - {(episode.task, episode.cast, episode.replicate) for episode in episodes}
    if missing:
        raise ParleyError(f"{path}: {len(missing)} of {len(wanted)} episodes are missing; {CUT_OFF}")
