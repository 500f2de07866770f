"""An item: what a person sees who rates an episode; and the key, which says whose episode it is and is never shown."""

import polars as pl

from parley.records.character import Character
from parley.records.episode import ActionType, Episode
from parley.records.jsonl import Record
from parley.records.task import Task


class Profile(Record):
    """A participant as raters see one: who it is, the goal and the secret, both private in the talk."""

    name: str
    age: int
    gender: str
    pronouns: str
    occupation: str
    public_info: str
    personality_and_values: str
    secret: str
    goal: str


class Said(Record):
    """A turn of the talk; `number` is the turn's in the episode, from 1. Silent turns are left out."""

    number: int
    speaker: str
    action_type: ActionType
    argument: str


class Item(Record):
    """An episode to be rated, with the participants in seat order. Nothing in it tells which seat is the policy's."""

    id: str
    scenario: str
    relationship: str
    people: tuple[Profile, Profile]
    talk: tuple[Said, ...]

    @property
    def words(self) -> int:
        """How many words the talk has."""
        return sum(len(turn.argument.split()) for turn in self.talk)


def item_of(name: str, episode: Episode, task: Task, people: tuple[Character, Character]) -> Item:
    """The item called `name` that shows an episode."""
    shared = set(Profile.model_fields) - {"goal", "name"}
    profiles = [
        Profile(**person.model_dump(include=shared), name=person.name, goal=task.goals[seat].spoken())
        for seat, person in enumerate(people)
    ]
    talk = [
        Said(number=number, speaker=turn.speaker, **turn.action.model_dump())
        for number, turn in enumerate(episode.turns, start=1)
        if turn.action.action_type != "none"
    ]
    return Item(
        id=name,
        scenario=task.scenario,
        relationship=task.relationship.name.replace("_", " "),
        people=(profiles[0], profiles[1]),
        talk=tuple(talk),
    )


#: One row an item: whose episode it is. `players` are in seat order, joined by `+`; `player` is who is measured.
KEY: dict[str, pl.DataType] = {
    "item": pl.String(),
    "episode": pl.String(),
    "task": pl.String(),
    "cast": pl.String(),
    "replicate": pl.Int32(),
    "evaluation": pl.String(),
    "players": pl.String(),
    "player": pl.String(),
    "judge": pl.String(),
}
