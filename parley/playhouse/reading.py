"""Reading a prompt as a scripted speaker does: out of its text alone, in either form of the turn prompt."""

import json
import re
from dataclasses import dataclass, field

from parley.canonical import seed_from
from parley.playhouse.families import Want, read_goal
from parley.playhouse.language import Act, hear


class NotUnderstood(ValueError):
    """A prompt that the speaker cannot make sense of."""


@dataclass(frozen=True)
class Line:
    """One turn of the talk: who (first name), what kind of action, the text, and the acts heard in it.

    `number` is the turn's, from 1, where the prompt tells it; lines that differ in it alone are equal.
    """

    who: str
    kind: str
    text: str
    acts: tuple[Act, ...]
    number: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Scene:
    """What a turn prompt tells an agent."""

    me: str
    other: str
    secret: str
    want: Want
    talk: tuple[Line, ...]
    number: int
    last: int

    def mine(self) -> list[Line]:
        """My own lines, oldest first."""
        return [line for line in self.talk if line.who == self.me]

    def theirs(self) -> list[Line]:
        """The other's lines, oldest first."""
        return [line for line in self.talk if line.who != self.me]


_QUIET = "did nothing|left the conversation"
_WHO = r"[^\s:,\[]+"  # a first name, hyphens and all
_LONG = re.compile(
    rf"^Turn #(?P<number>\d+): (?P<who>{_WHO})[^:\[]*? "
    rf'(?:said: "(?P<text>.*)"|\[(?P<kind>[^\]]+)\] (?P<deed>.*)|(?P<quiet>{_QUIET}))$'
)
_SHORT = re.compile(rf"^(?P<who>{_WHO})(?:: (?P<text>.*)| \[(?P<kind>[^\]]+)\] (?P<deed>.*)| (?P<quiet>{_QUIET}))$")


def read_line(line: str) -> Line | None:
    """One line of a conversation in either form; None if it is something else."""
    match = _LONG.match(line) or _SHORT.match(line)
    if not match:
        return None
    who, number = match["who"], int(match.groupdict().get("number") or 0)
    if match["text"] is not None:
        return Line(who, "speak", match["text"], tuple(hear(match["text"])), number)
    if match["kind"]:
        return Line(who, match["kind"], match["deed"], (), number)
    return Line(who, "leave" if match["quiet"].startswith("left") else "none", "", (), number)


def _after(label: str, text: str) -> str:
    match = re.search(rf"^{label}: (.*)$", text, re.MULTILINE)
    return match[1] if match else ""


def read_scene(prompt: str) -> Scene:
    """Read a turn prompt. Raises `NotUnderstood` if it does not say who speaks, to whom, and when."""
    # The last such line: the scenario, which comes before, may speak to "you" as well.
    me = re.search(rf"(?s:.*)^You are ({_WHO})", prompt, re.MULTILINE)
    other = re.compile(rf"You talk with ({_WHO})").search(prompt, me.start(1)) if me else None
    number = re.search(r"^Turn (\d+) of (\d+)", prompt, re.MULTILINE)
    if not (me and other and number):
        raise NotUnderstood("the prompt does not say who speaks, to whom and at which turn")
    body = prompt[: number.start()].splitlines()
    start = next((index for index, line in enumerate(body) if line.startswith("Goal: ")), 0)
    names = {me[1], other[1]}
    talk = [line for text in body[start + 1 :] if (line := read_line(text)) and line.who in names]
    return Scene(
        me=me[1],
        other=other[1],
        secret=_after("Secret", prompt),
        want=read_goal(_after("Goal", prompt)),
        talk=tuple(talk),
        number=int(number[1]),
        last=int(number[2]),
    )


@dataclass(frozen=True)
class Person:
    """A participant as the judge sees one."""

    name: str
    first: str
    secret: str
    want: Want


@dataclass(frozen=True)
class Play:
    """What a rating prompt tells the judge."""

    scenario: str
    people: tuple[Person, Person]
    talk: tuple[Line, ...]


def read_play(prompt: str) -> Play:
    """Read a rating prompt. Raises `NotUnderstood` if it does not name two participants."""
    names = re.findall(r"^Participant \d: ([^,]+),", prompt, re.MULTILINE)
    if len(names) != 2:
        raise NotUnderstood("the prompt does not name two participants")
    people = [
        Person(
            name,
            name.split(" ", 1)[0],
            _after(f"Secret of {re.escape(name)}", prompt),
            read_goal(_after(f"Goal of {re.escape(name)}", prompt)),
        )
        for name in names
    ]
    talk = [line for text in prompt.split("\nConversation:\n", 1)[-1].splitlines() if (line := read_line(text))]
    return Play(_after("Scenario", prompt), (people[0], people[1]), tuple(talk))


def gives_in(scene: Scene, share: float) -> bool:
    """True for that share of people who give in easily: a trait of who has which goal, not of the moment."""
    return seed_from(scene.me, scene.want.wish) / 0x7FFFFFFF < share


def action(kind: str, argument: str = "") -> str:
    """An answer in the format of the turn prompt."""
    return json.dumps({"action_type": kind, "argument": argument}, ensure_ascii=False)
