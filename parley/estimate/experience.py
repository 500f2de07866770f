"""Experience: what past calls and episodes took, summed up by file; the sums of a file are kept until it changes."""

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from parley.canonical import digest
from parley.config import Experiment, Seats
from parley.layout import Layout
from parley.llm import store
from parley.llm.blocks import Blocks
from parley.llm.call import Request
from parley.llm.packing import unpack_request
from parley.llm.siblings import open_read_only
from parley.records.jsonl import write_text

#: Requests that are read whole in each ledger file. Keys are hashes, so the first ones are a fair sample.
SAMPLE = 8
#: Written into what is remembered: another version of this file counts anew.
VERSION = 1
SUMS = """SELECT model, count(*), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens)
          FROM calls GROUP BY model"""


@dataclass
class Took:
    """What the calls of one kind took. The `sampled` ones were read whole: their characters, and what was a retry."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    sampled: int = 0
    sampled_retries: int = 0
    sampled_characters: int = 0
    sampled_tokens: int = 0

    def add(self, other: "Took") -> None:
        """Count the other's calls too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


#: What a call is known by: the stage, the model's name at its endpoint, and whether an adapter was on it.
Kind = tuple[str, str, bool]


@dataclass
class Experience:
    """Sums over ledgers (`took`), and over results: turns of episodes by players, tasks that writers kept and dropped.

    Where the episodes are gone, the ledgers still tell how many `calls` players made, and how many episodes were `rated`.
    """

    took: dict[Kind, Took] = field(default_factory=dict)
    turns: dict[Seats, Counter[int]] = field(default_factory=dict)
    calls: Counter[Seats] = field(default_factory=Counter)
    rated: Counter[Seats] = field(default_factory=Counter)
    kept: Counter[bool] = field(default_factory=Counter)

    def learn(self, kind: Kind, took: Took) -> None:
        """Add what calls took."""
        self.took.setdefault(kind, Took()).add(took)

    def learn_turns(self, players: Seats, turns: int) -> None:
        """Add an episode."""
        self.turns.setdefault(players, Counter())[turns] += 1


def gather(experiment: Experiment, ledger: Path, memory: Path | None = None) -> Experience:
    """What the ledger and this experiment's results tell. `memory` is a folder where sums of single files are kept."""
    found = Experience()
    for path in sorted(ledger.glob("*/**/*.sqlite")):
        for kind, took in _remembered(path, memory, partial(_of_ledger, path, path.relative_to(ledger).parts[0])):
            found.learn((str(kind[0]), str(kind[1]), bool(kind[2])), Took(**took))
            _learn_players(found, path.relative_to(ledger).parts, took["calls"])
    results = Path(Layout(experiment).results)
    for path in sorted(results.glob("episodes/*/*/*.jsonl")):
        first, _, second = path.parent.name.partition("+")
        for turns, count in _remembered(path, memory, partial(_of_episodes, path)):
            found.turns.setdefault((first, second), Counter())[int(turns)] += count
    for path in sorted(results.glob("tasks/*/written.funnel.json")):
        with suppress(OSError, ValueError):
            funnel = json.loads(path.read_text(encoding="utf-8"))
            found.kept[True] += funnel.pop("kept", 0)
            found.kept[False] += sum(funnel.values())
    return found


def _learn_players(found: Experience, parts: Sequence[str], calls: int) -> None:
    """`episodes/{task_set}/{players}/{shard}` has the calls of players, `ratings/…/{players}/{judge}/{shard}` one each."""
    if len(parts) < 4 or "+" not in parts[2]:
        return
    first, _, second = parts[2].partition("+")
    if parts[0] == "episodes":
        found.calls[first, second] += calls
    elif parts[0] == "ratings":
        found.rated[first, second] += calls


def _remembered(path: Path, memory: Path | None, count: Callable[[], list[Any]]) -> list[Any]:
    """What `count` gives for a file, from memory if the file is as it was when it was last counted."""
    status = path.stat()
    state = [VERSION, str(path.absolute()), status.st_size, status.st_mtime_ns]
    kept = memory / f"{digest(state[1], 24)}.json" if memory else None
    if kept is not None:
        with suppress(OSError, ValueError, KeyError):
            content = json.loads(kept.read_text(encoding="utf-8"))
            if content["state"] == state:
                return list(content["sums"])
    sums = json.loads(json.dumps(count()))
    if kept is not None:
        with suppress(OSError):  # a memory that cannot be written only makes the next time slower
            write_text(kept, json.dumps({"state": state, "sums": sums}))
    return list(sums)


def _of_ledger(path: Path, stage: str) -> list[tuple[Kind, Mapping[str, int]]]:
    try:
        with closing(open_read_only(path, timeout=5)) as connection:
            blocks = Blocks(connection)
            found: dict[Kind, Took] = {}
            for model, calls, prompt, cached, completion in connection.execute(SUMS):
                identity = store.identity_of(model, blocks.get)
                took = Took(calls, prompt, cached, completion)
                found.setdefault(kind_of(stage, identity), Took()).add(took)
            for request, tokens in _sample(connection, blocks):
                characters = sum(len(message["content"]) for message in request.messages)
                # A conversation that goes on after an answer asks for it once more.
                retried = int(any(message["role"] == "assistant" for message in request.messages))
                took = Took(0, 0, 0, 0, 1, retried, characters, tokens)
                found.setdefault(kind_of(stage, request.model), Took()).add(took)
            return [(kind, vars(took)) for kind, took in found.items()]
    except sqlite3.Error as error:
        print(f"ledger {path}: cannot be read ({error}); the estimate learns nothing from it", file=sys.stderr)
        return []


def _sample(connection: sqlite3.Connection, blocks: Blocks) -> Iterator[tuple[Request, int]]:
    query = "SELECT key, model, request, prompt_tokens FROM calls WHERE request IS NOT NULL ORDER BY key LIMIT ?"
    for key, model, request, tokens in connection.execute(query, (SAMPLE,)).fetchall():
        if tokens:  # an endpoint that does not count them tells nothing
            yield unpack_request(key, model, request, blocks.get), tokens


def kind_of(stage: str, identity: Mapping[str, Any]) -> Kind:
    """What a call is known by."""
    return stage, str(identity.get("name") or identity.get("engine") or ""), bool(identity.get("adapter"))


def _of_episodes(path: Path) -> list[tuple[int, int]]:
    """(turns, episodes with so many), failed ones left out."""
    counts: Counter[int] = Counter()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            with suppress(ValueError, KeyError):
                episode = json.loads(line)
                if episode["ending"] != "failed":
                    counts[len(episode["turns"])] += 1
    return sorted(counts.items())
