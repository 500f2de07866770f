"""What an agent sees: the one renderer of turn prompts for play, training and evaluation."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

from parley.config import Play
from parley.records.character import Character, Relationship
from parley.records.episode import ActionType, Episode, Turn
from parley.records.message import Message
from parley.records.task import Task
from parley.world.measure import Measure, measure
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


class Line(NamedTuple):
    """A turn as templates see it. The number counts from 1."""

    number: int
    speaker: str
    first_name: str
    action_type: ActionType
    argument: str


def history_lines(turns: Sequence[Turn], first: int = 0) -> list[Line]:
    """The lines of `turns` from index `first` on."""
    return [
        Line(number, turn.speaker, turn.speaker.split(" ", 1)[0], turn.action.action_type, turn.action.argument)
        for number, turn in enumerate(turns[first:], start=first + 1)
    ]


class Page:
    """The page of one task and two characters. What stays the same from turn to turn is worked out once."""

    def __init__(self, template: Prompt, task: Task, people: tuple[Character, Character], play: Play) -> None:
        self._template = template
        self._play = play
        self._measure: Measure | None = measure(play.tokenizer) if play.tokenizer else None
        # Namespaces, not dicts: a template reads attributes of them in a third of the time.
        self._seats = [
            {
                "scenario": task.scenario,
                "names": [person.name for person in people],
                "relationship": task.relationship.name.replace("_", " "),
                "me": SimpleNamespace(**me.model_dump(), name=me.name),
                "other": SimpleNamespace(**visible_profile(other, task.relationship)),
                "goal": task.goals[seat].spoken(),
                "max_turns": play.max_turns,
            }
            for seat, (me, other) in enumerate((people, people[::-1]))
        ]

    def text(self, turns: Sequence[Turn], seat: int) -> str:
        """The prompt for the agent in `seat` after `turns`. Old turns are cut first; the context stays whole.

        At most `play.history` turns, and as many as `play.prompt_tokens` has room for (paper's code: 2,048 tokens).
        """
        omitted = max(0, len(turns) - self._play.history) if self._play.history else 0
        text = self._text(turns, seat, omitted)
        if self._fits(text):
            return text
        # The more turns are left out the shorter the text: the fewest that do are found by halving.
        more = range(omitted + 1, len(turns))
        enough = bisect_left(more, True, key=lambda first: self._fits(self._text(turns, seat, first)))
        return self._text(turns, seat, omitted + 1 + enough) if turns else text

    def _text(self, turns: Sequence[Turn], seat: int, omitted: int) -> str:
        return self._template.render(
            **self._seats[seat], history=history_lines(turns, omitted), omitted=omitted, number=len(turns) + 1
        )

    def _fits(self, text: str) -> bool:
        limit = self._play.prompt_tokens
        return self._measure is None or limit is None or self._measure(text) <= limit

    def messages(self, turns: Sequence[Turn], seat: int) -> list[Message]:
        """The messages that ask `seat` for its next action: one user message, as SOTOPIA asks."""
        return [{"role": "user", "content": self.text(turns, seat)}]


def turn_text(
    template: Prompt, task: Task, people: tuple[Character, Character], turns: Sequence[Turn], seat: int, play: Play
) -> str:
    """One turn's prompt of a page that is needed once."""
    return Page(template, task, people, play).text(turns, seat)


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

    def page(self, task: Task, cast: tuple[str, str]) -> Page:
        """The page that all turns of an episode are rendered from."""
        return Page(self.template, task, self.people(cast), self.play)

    def next_turn(self, task: Task, cast: tuple[str, str], turns: Sequence[Turn], seat: int) -> list[Message]:
        """The messages that ask `seat` for its next action after `turns`."""
        return self.page(task, cast).messages(turns, seat)

    def messages(self, episode: Episode, turn: int) -> list[Message]:
        """The messages that were sent for turn number `turn` (from 0) of `episode`."""
        seat = episode.turns[turn].seat
        return self.next_turn(self.tasks[episode.task], episode.cast, episode.turns[:turn], seat)
