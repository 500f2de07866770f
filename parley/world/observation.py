"""What an agent sees: the one renderer of turn prompts for play, training and evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parley.config import Play
from parley.records.character import Character, Relationship
from parley.records.episode import Episode, Turn
from parley.records.sample import Message
from parley.records.task import Task
from parley.world.prompts import Prompt

_BY_SIGHT = ("age", "gender", "pronouns", "occupation", "public_info")
_CLOSE = (*_BY_SIGHT, "personality_and_values", "big_five", "moral_values", "schwartz_values", "decision_making_style")

#: What one knows of the other beside the name, by relationship (sotopia v0.0.10; never the secret).
VISIBLE: dict[Relationship, tuple[str, ...]] = {
    Relationship.stranger: (),
    Relationship.know_by_name: (),
    Relationship.acquaintance: _BY_SIGHT,
    Relationship.friend: _CLOSE,
    Relationship.romantic: _CLOSE,
    Relationship.family: _CLOSE,
}


def visible_profile(other: Character, relationship: Relationship) -> dict[str, Any]:
    """The other's profile as far as the relationship shows it; what is hidden is empty.

    The names are in it for strangers too: both stand in the participants line (paper, appendix B.3).
    """
    shown = {"first_name": other.first_name, "last_name": other.last_name, "name": other.name}
    hidden = {key: "" for key in Character.model_fields if key not in shown and key != "id"}
    return {**hidden, **shown, **{key: getattr(other, key) for key in VISIBLE[relationship]}}


def history_lines(turns: Sequence[Turn], first: int = 0) -> list[dict[str, Any]]:
    """Turns as templates see them: number from 1, speaker, first name, action type, argument."""
    return [
        {
            "number": first + index + 1,
            "speaker": turn.speaker,
            "first_name": turn.speaker.split(" ", 1)[0],
            "action_type": turn.action.action_type,
            "argument": turn.action.argument,
        }
        for index, turn in enumerate(turns[first:])
    ]


def turn_text(
    template: Prompt, task: Task, people: tuple[Character, Character], turns: Sequence[Turn], seat: int, play: Play
) -> str:
    """The prompt for the agent in `seat` after `turns`. Old turns are cut first; the context always stays whole."""
    me, other = people[seat], people[1 - seat]
    omitted = max(0, len(turns) - play.history) if play.history else 0
    return template.render(
        scenario=task.scenario,
        names=[person.name for person in people],
        relationship=task.relationship.name.replace("_", " "),
        me={**me.model_dump(), "name": me.name},
        other=visible_profile(other, task.relationship),
        goal=task.goals[seat].spoken(),
        history=history_lines(turns, omitted),
        omitted=omitted,
        number=len(turns) + 1,
        max_turns=play.max_turns,
    )


@dataclass(frozen=True)
class Renderer:
    """Renders any turn of any episode of a task set again, byte for byte as it was sent at play."""

    template: Prompt
    play: Play
    tasks: Mapping[str, Task]
    characters: Mapping[str, Character]

    def people(self, cast: tuple[str, str]) -> tuple[Character, Character]:
        """The characters of a cast, in seat order."""
        return self.characters[cast[0]], self.characters[cast[1]]

    def next_turn(self, task: Task, cast: tuple[str, str], turns: Sequence[Turn], seat: int) -> list[Message]:
        """The messages that ask `seat` for its next action: one user message, as SOTOPIA asks."""
        text = turn_text(self.template, task, self.people(cast), turns, seat, self.play)
        return [{"role": "user", "content": text}]

    def messages(self, episode: Episode, turn: int) -> list[Message]:
        """The messages that were sent for turn number `turn` (from 0) of `episode`."""
        seat = episode.turns[turn].seat
        return self.next_turn(self.tasks[episode.task], episode.cast, episode.turns[:turn], seat)
