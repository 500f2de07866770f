"""Priors: what an episode and a call are expected to take, from experience where there is some, and else by default."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from parley.config import Experiment, Seats
from parley.estimate.experience import Experience, Kind, Took
from parley.estimate.forecast import Range

#: English prose in the tokenizers of today's models.
CHARACTERS_PER_TOKEN = 4.0
#: Tokens of an answer where there is no experience: language models, and the playhouse's speakers, who say less.
ANSWER = {"tasks": 350.0, "episodes": 60.0, "ratings": 700.0, "judgements": 250.0}
ANSWER_PLAYHOUSE = {"tasks": 150.0, "episodes": 18.0, "ratings": 275.0, "judgements": 100.0}
#: The most that an answer is thought to have, as a share of `max_tokens`: who acts is given room, a form is filled.
FILLED = {"tasks": 0.8, "episodes": 1 / 3, "ratings": 0.8, "judgements": 0.8}
#: Turns of an episode that nothing cuts short: any of these numbers, all as likely.
TURNS = range(3, 19)
#: Written tasks that are kept; the others are duplicates or cannot be read.
KEPT = 0.95
#: Answers that are asked for once more.
RETRIES = 0.02

#: What prompts are made of, for a tokenizer to count.
PROSE = (
    "Ann Ash and Ben Birch meet by chance; they are neighbours. Ann wants to sell her old lamp for $20, Ben would pay $10. "
    '{"action_type": "speak", "argument": "Good morning! Would you take twelve dollars for it?"}\n'
)

#: How far a number may be off, as a share of it: without experience, with little, with enough.
COLD, LITTLE, ENOUGH = 0.4, 0.2, 0.1
#: Whose episodes tell most.
OWN = "their own"
#: So many calls or episodes are enough; and so many requests read whole, to tell how a model counts tokens.
ENOUGH_CALLS = 50
SAMPLES_ENOUGH = 16


@dataclass(frozen=True)
class Prior:
    """A number with its range, and where it comes from."""

    value: Range
    source: str


@dataclass(frozen=True)
class Turns:
    """How long episodes last: `counts` by number of turns, with the share by which their mean may be off."""

    counts: Counter[int]
    margin: float
    source: str

    @property
    def mean(self) -> float:
        """Turns per episode."""
        return sum(turns * count for turns, count in self.counts.items()) / max(1, self.counts.total())

    def still_to_come(self, played: int, most: int) -> list[float]:
        """For turn numbers `played`, `played` + 1, … (from 0): how likely it is that an episode gets there.

        The first one is certain: the episode goes on. No episode has more than `most` turns.
        """
        longer = [sum(count for turns, count in self.counts.items() if turns > number) for number in range(most)]
        if played >= most:
            return []
        if not longer[played]:  # it has lasted longer than any before
            return [1.0]
        return [count / longer[played] for count in longer[played:]]


@cache
def counted(tokenizer: Path) -> float | None:
    """Characters per token of prose, by a tokenizer's own count; None if it cannot be asked."""
    if not tokenizer.is_file() or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    return len(PROSE) / len(Tokenizer.from_file(str(tokenizer)).encode(PROSE).ids)


class Priors:
    """What to expect, by stage, speaker and players; remembers what it was asked for, to be shown."""

    def __init__(self, experiment: Experiment, experience: Experience) -> None:
        self._experiment = experiment
        self._experience = experience
        self.used: dict[str, Prior] = {}

    # -- calls -------------------------------------------------------------------------------------------------

    def characters_per_token(self, stage: str, player: str) -> Prior:
        """How many characters of a prompt a token of this speaker's model stands for."""
        took, source = self._best(stage, player, lambda took: took.sampled_tokens, anywhere=True)
        if took is None:
            path = self._experiment.model_of(player).path
            if path and (ratio := counted(Path(path) / "tokenizer.json")) is not None:
                return self._use(f"characters per token, {player}", Range.about(ratio, 0.1), "its tokenizer")
            return self._use(f"characters per token, {player}", Range.about(CHARACTERS_PER_TOKEN, 0.15), "default")
        ratio = took.sampled_characters / took.sampled_tokens
        margin = 0.03 if took.sampled >= SAMPLES_ENOUGH else 0.1
        return self._use(f"characters per token, {player}", Range.about(ratio, margin), source)

    def answer(self, stage: str, player: str) -> Prior:
        """Tokens of one answer."""
        took, source = self._best(stage, player, lambda took: took.completion_tokens)
        label = f"tokens of an answer, {stage}, {player}"
        model = self._experiment.model_of(player)
        if took is None:
            defaults = ANSWER_PLAYHOUSE if model.engine == "playhouse" else ANSWER
            return self._use(
                label, Range.about(min(defaults[stage], FILLED[stage] * model.max_tokens), COLD), "default"
            )
        margin = ENOUGH if took.calls >= ENOUGH_CALLS else LITTLE
        return self._use(label, Range.about(took.completion_tokens / took.calls, margin), source)

    def attempts(self, stage: str, player: str) -> Prior:
        """Calls for one answer: one, and a second where the first cannot be read."""
        took, source = self._best(stage, player, lambda took: took.sampled)
        label = f"calls per answer, {stage}, {player}"
        if took is None:
            return self._use(label, Range(1, 1 + RETRIES, 1.2), "default")
        # A share p of all calls are second ones; then p / (1 - p) of the answers needed one.
        share = took.sampled_retries / took.sampled
        likely = 1 / max(0.5, 1 - share)
        return self._use(label, Range(1, likely, likely + 0.1), source)

    def cached(self, stage: str, player: str) -> float:
        """The share of prompt tokens that the endpoint reads from its cache."""
        took, _ = self._best(stage, player, lambda took: took.prompt_tokens)
        return took.cached_tokens / took.prompt_tokens if took else 0.0

    def _best(
        self, stage: str, player: str, weight: Callable[[Took], int], *, anywhere: bool = False
    ) -> tuple[Took | None, str]:
        """The nearest experience that has any `weight`: the same model, then in whatever state, then in any stage."""
        model = self._experiment.model_of(player)
        name, trained = model.name or model.engine, self._experiment.trained(player)
        choices: list[tuple[Callable[[Kind], bool], str]] = [
            (lambda kind: kind == (stage, name, trained), "calls of it"),
            (lambda kind: kind[:2] == (stage, name), "calls of its base model or others trained from it"),
        ]
        if anywhere:
            choices.append((lambda kind: kind[1] == name, "calls of it in other stages"))
        for fits, source in choices:
            total = Took()
            for kind, took in self._experience.took.items():
                if fits(kind):
                    total.add(took)
            if weight(total):
                return total, f"{total.calls} {source}"
        return None, "default"

    # -- tasks and episodes ------------------------------------------------------------------------------------

    def kept(self) -> Prior:
        """The share of answers of a writer that become tasks."""
        kept, total = self._experience.kept[True], self._experience.kept.total()
        if not total:
            return self._use("tasks kept of those written", Range(0.8, KEPT, 1.0), "default")
        share = max(kept / total, 0.1)
        return self._use("tasks kept of those written", Range(max(0.1, share - 0.1), share, 1.0), f"{total} answers")

    def seen(self, players: Seats, turns: int) -> None:
        """An episode of so many turns that a run will replay: as good as one that was played."""
        self._experience.learn_turns(players, turns)

    def turns(self, players: Seats) -> Turns:
        """How long episodes of these players last."""
        most = self._experiment.play.max_turns
        for fits, source in self._likenesses(players):
            counts: Counter[int] = Counter()
            for seats, found in self._experience.turns.items():
                if fits(seats):
                    counts.update({min(turns, most): count for turns, count in found.items()})
            if total := counts.total():
                margin = ENOUGH if source == OWN and total >= ENOUGH_CALLS else LITTLE
                return self._show(players, Turns(counts, margin, f"{total} episodes of {source}"))
            if counts := self._from_ledgers(fits, most):
                return self._show(players, Turns(counts, LITTLE, f"ledgers of {source}"))
        return self._show(players, Turns(Counter(min(turns, most) for turns in TURNS), COLD, "default"))

    def _from_ledgers(self, fits: Callable[[Seats], bool], most: int) -> Counter[int]:
        """As many turns as there were calls for each rating; as if some episodes had one more than the others."""
        calls = sum(count for seats, count in self._experience.calls.items() if fits(seats))
        rated = sum(count for seats, count in self._experience.rated.items() if fits(seats))
        if not calls or not rated:
            return Counter()
        mean = min(max(1.0, calls / rated), most)
        longer = round(100 * (mean % 1))
        return +Counter({int(mean): 100 - longer, int(mean) + 1: longer})

    def _likenesses(self, players: Seats) -> list[tuple[Callable[[Seats], bool], str]]:
        """From the same players to any: whose episodes may be like those of `players`."""
        bases = self._bases(players)
        trained = tuple(self._experiment.trained(player) for player in players)

        def known(seats: Seats) -> bool:
            return all(name in self._experiment.policies or name in self._experiment.models for name in seats)

        return [
            (lambda seats: seats == players, OWN),
            (
                lambda seats: (
                    known(seats)
                    and self._bases(seats) == bases
                    and tuple(self._experiment.trained(name) for name in seats) == trained
                ),
                "policies of the same models",
            ),
            (lambda seats: known(seats) and self._bases(seats) == bases, "the same models"),
            (lambda seats: known(seats) and set(self._bases(seats)) <= set(bases), "one of the models"),
            (lambda seats: True, "others"),
        ]

    def _bases(self, players: Seats) -> tuple[str, str]:
        return self._experiment.model_name(players[0]), self._experiment.model_name(players[1])

    # -- what was used -----------------------------------------------------------------------------------------

    def _use(self, label: str, value: Range, source: str) -> Prior:
        self.used[label] = Prior(value, source)
        return self.used[label]

    def _show(self, players: Seats, turns: Turns) -> Turns:
        self._use(f"turns of an episode, {'+'.join(players)}", Range.about(turns.mean, turns.margin), turns.source)
        return turns
