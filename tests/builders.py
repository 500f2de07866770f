"""Small factories for the nouns of the social world, and a speaker that says what a test tells it to say."""

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.canonical import digest
from parley.config import Experiment, Play, check
from parley.llm.call import Reply
from parley.llm.taken import Usage
from parley.records.character import Character
from parley.records.episode import Episode, Turn
from parley.records.jsonl import Record
from parley.records.message import Message
from parley.records.rating import DIMENSIONS
from parley.records.task import Goal, Keyword, Task
from parley.world.observation import Renderer
from parley.world.playing import Part, play_part
from parley.world.prompts import Prompt

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = ROOT / "prompts"
RETRY = Prompt(PROMPTS / "retry.jinja")

# -- people and tasks ----------------------------------------------------------------------------------------------


def person(name: str = "Ann Ash", **changes: Any) -> Character:
    """A character whose every field says whose it is and what it is: `ann-mbti`, `ann-secret`."""
    first, last = name.split(" ")
    own = first.lower()
    fields: dict[str, Any] = {
        "id": own,
        "first_name": first,
        "last_name": last,
        "age": 31,
        "moral_values": (f"{own}-moral",),
        "schwartz_values": (f"{own}-schwartz",),
    }
    said = ["gender", "pronouns", "occupation", "public_info", "big_five", "personality_and_values"]
    said += ["decision_making_style", "mbti", "secret"]
    return Character.model_validate({**fields, **{key: f"{own}-{key}" for key in said}, **changes})


ANN = person("Ann Ash")
BEN = person("Ben Birch", age=47)
PEOPLE = {"ann": ANN, "ben": BEN}


def task(name: str = "sale", **changes: Any) -> Task:
    """Ann sells a lamp to Ben; `relationship` may be given by its name."""
    fields: dict[str, Any] = {
        "name": name,
        "scenario": f"A lamp is for sale at the {name}.",
        "goals": (
            Goal(text="Sell it for $20.", extra_info="It flickers.", strategy_hint="Start high."),
            Goal(text="Buy it for $10.", clarification_hint="Below $12 counts."),
        ),
        "relationship": "friend",
        "casts": (("ann", "ben"),),
    }
    return Task.model_validate({**fields, **changes})


def keyword(number: int, source: str = "norms") -> Keyword:
    """A keyword called after its source and number."""
    return Keyword.model_validate({"name": f"{source}{number}", "text": f"the {source} {number}", "source": source})


# -- episodes ------------------------------------------------------------------------------------------------------

Act = tuple[str, str]
WORDS: Act = ("speak", "Well.")
SILENT: Act = ("none", "")
LEAVES: Act = ("leave", "")


def turns(*acts: Act, people: tuple[Character, Character] = (ANN, BEN)) -> tuple[Turn, ...]:
    """Turns of alternating seats, seat 0 first."""
    return tuple(
        Turn.model_validate(
            {
                "seat": number % 2,
                "speaker": people[number % 2].name,
                "action": {"action_type": kind, "argument": argument},
                "call": f"call-{number}",
            }
        )
        for number, (kind, argument) in enumerate(acts)
    )


def episode(*acts: Act, **changes: Any) -> Episode:
    """A played episode of `task()`."""
    fields: dict[str, Any] = {
        "task": "sale",
        "task_id": task().id,
        "cast": ("ann", "ben"),
        "names": (ANN.name, BEN.name),
        "players": ("bc", "partner"),
        "turns": turns(*acts),
        "ending": "turns",
    }
    return Episode.model_validate({**fields, **changes})


# -- answers of models ---------------------------------------------------------------------------------------------


def act(kind: str, argument: str = "") -> str:
    """An agent's answer."""
    return json.dumps({"action_type": kind, "argument": argument})


SPEAKS, IS_SILENT, TAKES_LEAVE = act("speak", "Well."), act("none"), act("leave")


def marks(name: str, **scores: int) -> dict[str, Any]:
    """A judge's entry for one participant: 1 wherever the range has it, 0 elsewhere, but for the scores given."""
    given = {dimension.key: min(1, dimension.high) for dimension in DIMENSIONS} | scores
    return {"name": name, **{key: {"reasoning": f"{key} of {name}", "score": score} for key, score in given.items()}}


def verdict(*entries: dict[str, Any]) -> str:
    """A judge's answer."""
    return json.dumps({"ratings": list(entries)})


def draft(scenario: str, /, **changes: Any) -> str:
    """A writer's answer."""
    goal = {"text": f"Win in {scenario}", "extra_info": None, "clarification_hint": None, "strategy_hint": None}
    fields: dict[str, Any] = {
        "scenario": scenario,
        "goals": [goal, {**goal, "text": f"Do not lose in {scenario}", "extra_info": "Be kind."}],
        "relationship": "friend",
        "ages": [[20, 60], [18, 70]],
        "occupations": [["baker"], []],
    }
    return json.dumps({**fields, **changes})


# -- a speaker -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """What a speaker was asked."""

    messages: tuple[Message, ...]
    schema: dict[str, Any] | None
    seed: int | None
    replicate: int

    @property
    def text(self) -> str:
        """The last message."""
        return self.messages[-1]["content"]


Answer = str | Exception | Callable[[Sent], Awaitable[str]]


class Script:
    """Stands for a `Speaker`: gives (or raises) the next of its answers, and keeps what it was asked."""

    def __init__(self, *answers: Answer, then: Iterable[Answer] = ()) -> None:
        self.sent: list[Sent] = []
        self.usage = Usage()
        self._answers = iter([*answers])
        self._then = iter(then)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        schema: dict[str, Any] | None = None,
        seed: int | None = None,
        replicate: int = 0,
    ) -> Reply:
        asked = Sent(tuple(messages), schema, seed, replicate)
        self.sent.append(asked)
        await asyncio.sleep(0)  # as a model does, it lets others go on
        answer = next(self._answers, None) or next(self._then, None)
        assert answer is not None, f"asked once more than the test expects: {asked.text}"
        if isinstance(answer, Exception):
            raise answer
        text = answer if isinstance(answer, str) else await answer(asked)
        return Reply(digest([asked.messages, seed, replicate]), text, "stop", 10, 3, 0, 0.1)


def renderer(template: str = "turn_short", play: Play | None = None, *tasks: Task) -> Renderer:
    """The renderer of some tasks, between all people of this module."""
    known = {one.name: one for one in tasks or (task(),)}
    return Renderer(Prompt(PROMPTS / f"{template}.jinja"), play or Play(), known, PEOPLE)


def play_one(first: Any, second: Any, play: Play | None = None, template: str = "turn_short") -> Episode:
    """`task()` played by two speakers, named `bc` and `partner`."""
    part = Part(task(), ("ann", "ben"), 0)
    seated = [("bc", first), ("partner", second)]
    return asyncio.run(play_part(part, seated, renderer(template, play), RETRY, seed=1))


# -- experiments ---------------------------------------------------------------------------------------------------

CONFIG: dict[str, Any] = {
    "experiment": "mini",
    "seed": 1,
    "models": {
        "agent": {"engine": "llamacpp", "path": "models/agent"},
        "expert": {"engine": "openai", "name": "expert-1", "price": {"input": 1, "output": 2}},
        "partner": {"engine": "openai", "name": "partner-1", "price": "free"},
        "writer": {"engine": "playhouse", "name": "writer"},
        "judge": {"engine": "openai", "name": "judge-1", "temperature": 0, "price": "free"},
    },
    "task_sets": {
        "round1": {"count": 4, "writer": "writer", "shards": 2},
        "round2": {"count": 4, "writer": "writer"},
        "test": {"file": "test.jsonl", "casts": 2, "casts_by_tag": {"hard": 5}},
        "risky": {"file": "risky.jsonl"},
    },
    "policies": {
        "base": {"model": "agent"},
        "bc": {
            "parent": "base",
            "learns_from": {"players": ["expert", "expert"], "tasks": "round1", "judge": "judge", "selection": "bc"},
        },
        "sr": {
            "parent": "bc",
            "learns_from": {"players": ["bc", "base"], "tasks": "round2", "judge": "judge", "selection": "sr"},
        },
    },
    "references": ["expert"],
    "evaluations": {"all": {"tasks": "test", "partner": "partner", "judge": "judge"}},
    "knowledge": {"shots": 2},
    "safety": {"tasks": "risky", "partner": "partner", "judge": "judge"},
}


def changed(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy of `CONFIG` with values set by dotted path; `None` takes a key away."""
    config = copy.deepcopy(CONFIG)
    for path, value in (changes or {}).items():
        *parents, key = path.split(".")
        node = config
        for parent in parents:
            node = node.setdefault(parent, {})
        if value is None:
            del node[key]
        else:
            node[key] = value
    return config


def experiment(changes: dict[str, Any] | None = None) -> Experiment:
    """The experiment of `changed`."""
    return check(changed(changes))


def jsonl(path: Path, *records: Record | str) -> Path:
    """A file of records, or of lines as they are."""
    lines = [one if isinstance(one, str) else one.model_dump_json() for one in records]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
