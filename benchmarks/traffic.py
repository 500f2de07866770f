"""Realistic calls without a model: episodes whose prompts grow turn by turn, as the full turn prompt renders them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from parley.config import Play
from parley.llm.call import Reply, Request
from parley.llm.structured import schema_of
from parley.records.character import Character, read_characters
from parley.records.episode import Action, Turn
from parley.records.sample import Message
from parley.records.task import Goal, Task
from parley.world.observation import turn_text
from parley.world.prompts import Prompt, prompt

ROOT = Path(__file__).resolve().parent.parent
TURNS = 20
WORDS_A_TURN = (30, 60)  # an expert's turns have 45 words on average (SOTOPIA-π, section 6)
PLAY = Play(max_turns=TURNS)
SCHEMA = schema_of(Action)
MODEL: dict[str, Any] = {"engine": "openai", "name": "expert-4", "revision": None, "temperature": 0.7, "top_p": 1.0}
MARK = "Conversation so far:\n"


@dataclass(frozen=True)
class Setting:
    """What episodes are made from: templates, people, and the words they say."""

    template: Prompt
    people: list[Character]
    words: list[str]
    weights: list[float]

    @classmethod
    def default(cls) -> "Setting":
        """The full turn prompt, the shipped characters, and the words of the shipped texts, frequent ones often."""
        texts = [(ROOT / "resources" / name).read_text() for name in ("characters.jsonl", "keywords.jsonl")]
        texts += [(ROOT / "resources" / "tasks" / "evaluation.jsonl").read_text()]
        words = sorted({word for text in texts for word in text.split() if word.isalpha()})
        Random(0).shuffle(words)
        weights = [1 / rank for rank in range(1, len(words) + 1)]
        people = list(read_characters(str(ROOT / "resources" / "characters.jsonl")).values())
        return cls(prompt(str(ROOT / "prompts" / "turn.jinja")), people, words, weights)

    def sentence(self, random: Random, low: int, high: int) -> str:
        """Between `low` and `high` words."""
        return " ".join(random.choices(self.words, self.weights, k=random.randint(low, high))).capitalize() + "."


def episode(setting: Setting, number: int) -> Iterator[tuple[Request, Reply]]:
    """The calls of episode `number` in order. The same number gives the same bytes.

    The prompt of a turn is the first prompt of its seat with the lines of the talk spliced in, which is much faster
    than rendering and equal to it (`rendered`).
    """
    random = Random(number)
    task, people = _task(setting, number, random)
    pages = [turn_text(setting.template, task, people, (), seat, PLAY) for seat in (0, 1)]
    heads, tails = zip(*(page.split(MARK, 1) for page in pages), strict=True)
    said = ""
    for turn in range(TURNS):
        seat = turn % 2
        words = setting.sentence(random, *WORDS_A_TURN)
        tail = tails[seat].replace("Turn 1 of", f"Turn {turn + 1} of", 1)
        text = f"{heads[seat]}{MARK}{said}{tail}"
        messages: tuple[Message, ...] = ({"role": "user", "content": text},)
        request = Request(MODEL, messages, seed=random.getrandbits(31), schema=SCHEMA)
        yield request, _reply(request, words, random)
        said += f'Turn #{turn + 1}: {people[seat].name} said: "{words}"\n'


def rendered(setting: Setting, number: int) -> list[str]:
    """The same prompts, each rendered from the template: what `episode` must be equal to."""
    random = Random(number)
    task, people = _task(setting, number, random)
    turns: list[Turn] = []
    pages: list[str] = []
    for turn in range(TURNS):
        seat: Literal[0, 1] = 0 if turn % 2 == 0 else 1
        pages.append(turn_text(setting.template, task, people, turns, seat, PLAY))
        words = setting.sentence(random, *WORDS_A_TURN)
        random.getrandbits(31)
        random.random()
        action = Action(action_type="speak", argument=words)
        turns.append(Turn(seat=seat, speaker=people[seat].name, action=action, call=""))
    return pages


def _task(setting: Setting, number: int, random: Random) -> tuple[Task, tuple[Character, Character]]:
    goals = tuple(Goal(text=setting.sentence(random, 15, 30), extra_info=setting.sentence(random, 5, 15)) for _ in "ab")
    fields = {"name": f"task-{number}", "scenario": setting.sentence(random, 20, 40), "goals": goals}
    first, second = random.sample(setting.people, 2)
    return Task.model_validate({**fields, "relationship": "friend"}), (first, second)


def _reply(request: Request, words: str, random: Random) -> Reply:
    text = Action(action_type="speak", argument=words).as_json()
    tokens = len(request.messages[0]["content"]) // 4
    return Reply(request.key, text, "stop", tokens, len(text) // 4, tokens // 2, 1 + random.random())
